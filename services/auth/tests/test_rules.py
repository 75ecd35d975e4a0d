"""Rules of signing in, and the vault."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth import rules
from auth.token_encryption import Keyring, TokenDecryptionError

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
OLD, NEW = (base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2))


@pytest.mark.parametrize(
    ("scope", "scopes", "may_read"),
    [
        ("read,activity:read", ("activity:read", "read"), True),
        ("read activity:read_all", ("activity:read_all", "read"), True),
        (" read , read ,,", ("read",), False),
        ("", (), False),
        ("activity:write", ("activity:write",), False),
    ],
)
def test_granted_scopes_are_read_from_the_callback(scope: str, scopes: tuple[str, ...], may_read: bool) -> None:
    assert rules.parse_scopes(scope) == scopes
    assert rules.may_read_activities(scopes) is may_read


@pytest.mark.parametrize(
    ("first", "last", "shown"),
    [
        ("Anna", "Kowalska", "Anna K."),
        (" Łukasz ", "Żak", "Łukasz Ż."),
        ("Anna", None, "Anna"),
        (None, "Kowalska", "K."),
        (None, None, "Athlete"),
        ("  ", "", "Athlete"),
        ("A\x00nn\x1ba", "\u202eKo", "Anna K."),
        ("x" * 100, "Y", "x" * 80),
    ],
)
def test_a_display_name_is_the_first_name_and_an_initial(first: str | None, last: str | None, shown: str) -> None:
    assert rules.default_display_name(first, last) == shown


@given(st.text() | st.none(), st.text() | st.none())
def test_a_display_name_can_always_be_shown_and_stored(first: str | None, last: str | None) -> None:
    name = rules.default_display_name(first, last)
    assert 1 <= len(name) <= 80
    assert name.isprintable()


@pytest.mark.parametrize(
    ("left", "due", "usable"), [(3601, False, True), (3600, True, True), (60, True, False), (-1, True, False)]
)
def test_a_token_is_due_an_hour_before_it_ends_and_usable_until_nearly_then(
    left: int, due: bool, usable: bool
) -> None:
    expires_at = NOW + timedelta(seconds=left)
    assert rules.needs_refresh(expires_at, NOW) is due
    assert rules.is_valid(expires_at, NOW) is usable


@given(st.text(), st.text())
def test_what_was_encrypted_is_decrypted_for_the_same_row(plaintext: str, row: str) -> None:
    ring = Keyring.parse(f"a:{OLD}")
    try:
        plaintext.encode(), row.encode()
    except UnicodeEncodeError:
        return  # neither tokens nor rows have lone surrogates
    assert ring.decrypt(ring.encrypt(plaintext, row), row) == plaintext


def test_the_same_token_never_has_the_same_ciphertext_twice() -> None:
    ring = Keyring.parse(f"a:{OLD}")
    assert ring.encrypt("token", "row") != ring.encrypt("token", "row")


def test_a_ciphertext_is_of_no_use_in_another_row() -> None:
    ring = Keyring.parse(f"a:{OLD}")
    with pytest.raises(TokenDecryptionError):
        ring.decrypt(ring.encrypt("token", "tokens/1/access"), "tokens/1/refresh")


@pytest.mark.parametrize("part", range(4))
def test_a_ciphertext_that_was_changed_is_refused(part: int) -> None:
    ring = Keyring.parse(f"a:{OLD},b:{NEW}")
    parts = ring.encrypt("token", "row").split(".")
    parts[part] = {0: "v2", 1: "b", 2: "A" * 16, 3: "A" * 28}[part]
    with pytest.raises(TokenDecryptionError, match="cannot be decrypted"):
        ring.decrypt(".".join(parts), "row")


@pytest.mark.parametrize("rubbish", ["", "v1", "v1.a.b.c.d", "v1.a.ż.ż", "v1.a..", "token"])
def test_what_is_no_ciphertext_is_refused(rubbish: str) -> None:
    with pytest.raises(TokenDecryptionError, match="cannot be decrypted"):
        Keyring.parse(f"a:{OLD}").decrypt(rubbish, "row")


def test_a_key_that_is_gone_is_said_to_be_so_without_the_token() -> None:
    encrypted = Keyring.parse(f"old:{OLD}").encrypt("s3cret", "row")
    with pytest.raises(TokenDecryptionError, match="missing from VAULT_KEYS") as refused:
        Keyring.parse(f"new:{NEW}").decrypt(encrypted, "row")
    assert "s3cret" not in str(refused.value)


def test_after_a_rotation_the_first_key_encrypts_and_both_decrypt() -> None:
    before, after = Keyring.parse(f"old:{OLD}"), Keyring.parse(f"new:{NEW}, old:{OLD}")
    encrypted = before.encrypt("token", "row")
    assert after.decrypt(encrypted, "row") == "token"
    assert after.encrypt("token", "row").startswith("v1.new.")
    with pytest.raises(TokenDecryptionError):
        before.decrypt(after.encrypt("token", "row"), "row")


def test_a_keyring_shows_no_key() -> None:
    ring = Keyring.parse(f"a:{OLD}")
    assert "a" in repr(ring)
    for shown in (repr(ring), str(ring)):
        assert OLD not in shown
        assert "\\x01" not in shown


@pytest.mark.parametrize(
    "text", ["", "a", "a:", f":{OLD}", f"a:{OLD},a:{NEW}", f"a.b:{OLD}", f"a:{OLD[:-4]}", "a:ż", f"a:{OLD},", "a:!!"]
)
def test_a_malformed_keyring_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(
        ValueError, match=r"^expected id:key,\.\.\. with distinct ids and keys of 32 bytes in base64$"
    ):
        Keyring.parse(text)
