"""Rules of signing in, of refreshing, and the encryption of tokens."""

import base64
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth import rules
from auth.authorizations.rules import Change, Known, describe_change
from auth.revocations.rules import retry_at
from auth.rules import Refusal
from auth.token_encryption import Cell, Keyring, TokenDecryptionError, key_id_of
from auth.tokens.rules import Decision, decide
from auth.users.rules import clean_display_name, default_display_name, is_current_report, next_check_at

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
OLD, NEW = (base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2))
CELL = Cell("tokens", UUID(int=1), "access")
SCOPES = st.lists(st.sampled_from(["read", "activity:read", "activity:read_all"]), unique=True).map(tuple)


@pytest.mark.parametrize(
    ("scope", "scopes", "missing"),
    [
        ("read,activity:read", ("activity:read", "read"), ("activity:read_all",)),
        ("read activity:read_all", ("activity:read_all", "read"), ("activity:read",)),
        (" read , read ,,", ("read",), ("activity:read", "activity:read_all")),
        ("", (), rules.REQUESTED_SCOPES),
        ("activity:write", ("activity:write",), rules.REQUESTED_SCOPES),
        (",".join(rules.REQUESTED_SCOPES), tuple(sorted(rules.REQUESTED_SCOPES)), ()),
    ],
)
def test_granted_scopes_are_read_from_the_callback(
    scope: str, scopes: tuple[str, ...], missing: tuple[str, ...]
) -> None:
    assert rules.parse_scopes(scope) == scopes
    assert rules.missing_scopes(scopes) == missing


@pytest.mark.parametrize(
    ("status", "resources", "meaning"),
    [
        (400, {"RefreshToken"}, Refusal.CREDENTIAL_DEAD),
        (400, {"AuthorizationCode"}, Refusal.CREDENTIAL_DEAD),
        (400, {"RequestToken"}, Refusal.CREDENTIAL_DEAD),
        (401, {"Athlete"}, Refusal.CREDENTIAL_DEAD),
        (400, {"Application", "RefreshToken"}, Refusal.MISCONFIGURED),
        (401, {"Application"}, Refusal.MISCONFIGURED),
        (403, {"Application"}, Refusal.MISCONFIGURED),
        (403, {"RefreshToken"}, Refusal.TRY_LATER),
        (404, {"RefreshToken"}, Refusal.TRY_LATER),
        (429, {"Application"}, Refusal.TRY_LATER),
        (503, {"Application"}, Refusal.TRY_LATER),
        (597, {"RefreshToken"}, Refusal.TRY_LATER),
        (400, set(), Refusal.TRY_LATER),
        (302, set(), Refusal.TRY_LATER),
    ],
)
def test_only_what_strava_says_itself_ends_a_permission(status: int, resources: set[str], meaning: Refusal) -> None:
    assert rules.interpret_refusal(status, resources, names_the_limit=False) is meaning


def test_a_refusal_that_names_the_limit_of_athletes_is_about_capacity() -> None:
    assert rules.interpret_refusal(403, set(), names_the_limit=True) is Refusal.CAPACITY_REACHED


def test_everything_is_new_about_somebody_unknown() -> None:
    assert describe_change(None, ("read",)) == Change(first_time=True, scopes_gained=("read",), access_regained=False)


@given(st.booleans(), SCOPES, SCOPES)
def test_what_is_new_about_somebody_known_is_what_was_not_there(
    is_authorized: bool, before: tuple[str, ...], granted: tuple[str, ...]
) -> None:
    change = describe_change(Known(is_authorized, before), granted)
    assert not change.first_time
    assert set(change.scopes_gained) == set(granted) - set(before)
    assert change.access_regained is not is_authorized


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
        ("Anna\tMaria", "Ko", "Anna Maria K."),
        ("x" * 100, "Y", "x" * 80),
        ("x" * 79, "Y", "x" * 79),
    ],
)
def test_a_display_name_is_the_first_name_and_an_initial(first: str | None, last: str | None, shown: str) -> None:
    assert default_display_name(first, last) == shown


@given(st.text() | st.none(), st.text() | st.none())
def test_a_default_name_is_one_that_people_could_have_chosen(first: str | None, last: str | None) -> None:
    name = default_display_name(first, last)
    assert 1 <= len(name) <= 80
    assert clean_display_name(name) == name


@given(st.text())
def test_a_chosen_name_can_always_be_shown_and_stored_and_is_clean_once_and_for_all(text: str) -> None:
    name = clean_display_name(text)
    if name is not None:
        assert 1 <= len(name) <= 80
        assert name.isprintable()
        assert clean_display_name(name) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [(" Ola  Lach ", "Ola Lach"), ("O\u0301la", "Óla"), ("\x00\n", None), ("x" * 80, "x" * 80), ("x" * 81, None)],
)
def test_a_chosen_name_is_normalised(text: str, name: str | None) -> None:
    assert clean_display_name(text) == name


@pytest.mark.parametrize(
    ("left_s", "age_s", "refused", "decision"),
    [
        (3601, 4000, False, Decision.USE),
        (3600, 4000, False, Decision.REFRESH_IF_POSSIBLE),
        (61, 4000, False, Decision.REFRESH_IF_POSSIBLE),
        (60, 4000, False, Decision.REFRESH),
        (-1, 4000, False, Decision.REFRESH),
        (21600, 59, True, Decision.USE),
        (21600, 60, True, Decision.REFRESH),
        (300, 59, True, Decision.USE),
        (60, 59, True, Decision.REFRESH),
    ],
)
def test_a_token_is_refreshed_in_its_last_hour_and_when_it_was_refused(
    left_s: int, age_s: int, refused: bool, decision: Decision
) -> None:
    expires_at, refreshed_at = NOW + timedelta(seconds=left_s), NOW - timedelta(seconds=age_s)
    assert decide(expires_at, refreshed_at, NOW, refused=refused) is decision


@pytest.mark.parametrize(("attempts", "wait_s"), [(1, 2), (2, 10), (6, 3600), (1000, 3600)])
def test_a_revocation_is_tried_less_and_less_often(attempts: int, wait_s: int) -> None:
    assert retry_at(NOW, attempts) == NOW + timedelta(seconds=wait_s)


@pytest.mark.parametrize(("attempts", "wait_s"), [(1, 30), (5, 3600), (99, 3600)])
def test_a_report_is_checked_less_and_less_often(attempts: int, wait_s: int) -> None:
    assert next_check_at(NOW, attempts) == NOW + timedelta(seconds=wait_s)


@pytest.mark.parametrize(("after_s", "current"), [(0, True), (-60, True), (-61, False), (1000, True)])
def test_a_report_is_about_the_permission_that_was_there_then(after_s: int, current: bool) -> None:
    assert is_current_report(NOW + timedelta(seconds=after_s), NOW) is current


@given(st.text(), st.uuids())
def test_what_was_encrypted_is_decrypted_for_the_same_cell(plaintext: str, row: UUID) -> None:
    ring, cell = Keyring.parse(f"a:{OLD}"), Cell("tokens", row, "access")
    try:
        plaintext.encode()
    except UnicodeEncodeError:
        return  # no token has lone surrogates
    assert ring.decrypt(ring.encrypt(plaintext, cell), cell) == plaintext


def test_the_same_token_never_has_the_same_ciphertext_twice() -> None:
    ring = Keyring.parse(f"a:{OLD}")
    assert ring.encrypt("token", CELL) != ring.encrypt("token", CELL)


@pytest.mark.parametrize(
    "other",
    [
        Cell("revocations", CELL.row, CELL.column),
        Cell(CELL.table, UUID(int=2), CELL.column),
        Cell(CELL.table, CELL.row, "refresh"),
    ],
)
def test_a_ciphertext_is_of_no_use_in_another_cell(other: Cell) -> None:
    ring = Keyring.parse(f"a:{OLD}")
    with pytest.raises(TokenDecryptionError) as refused:
        ring.decrypt(ring.encrypt("token", CELL), other)
    assert (refused.value.cell, refused.value.key_id) == (other, "a")


@given(st.data())
def test_a_ciphertext_that_was_changed_anywhere_is_refused(data: st.DataObject) -> None:
    ring = Keyring.parse(f"a:{OLD},b:{NEW}")
    ciphertext = ring.encrypt("token", CELL)
    at = data.draw(st.integers(0, len(ciphertext)))
    kept = data.draw(st.sampled_from([at, min(at + 1, len(ciphertext))]))
    changed = ciphertext[:at] + data.draw(st.text("Ab1.-_=!ż\n", max_size=2)) + ciphertext[kept:]
    if changed != ciphertext:
        with pytest.raises(TokenDecryptionError):
            ring.decrypt(changed, CELL)


@given(st.integers(0, 100))
def test_a_ciphertext_that_was_cut_is_refused(length: int) -> None:
    ring = Keyring.parse(f"a:{OLD}")
    ciphertext = ring.encrypt("token", CELL)
    if length < len(ciphertext):
        with pytest.raises(TokenDecryptionError):
            ring.decrypt(ciphertext[:length], CELL)


@pytest.mark.parametrize("rubbish", ["", "v1", "v1.a.b.c.d", "v1.a.ż.ż", "v1.a..", "token", "v2.a.b.c"])
def test_what_is_no_ciphertext_is_refused(rubbish: str) -> None:
    with pytest.raises(TokenDecryptionError, match="cannot be decrypted"):
        Keyring.parse(f"a:{OLD}").decrypt(rubbish, CELL)


def test_a_key_that_is_gone_is_said_to_be_so_without_the_token() -> None:
    encrypted = Keyring.parse(f"old:{OLD}").encrypt("s3cret", CELL)
    with pytest.raises(TokenDecryptionError, match="missing from VAULT_KEYS") as refused:
        Keyring.parse(f"new:{NEW}").decrypt(encrypted, CELL)
    assert refused.value.key_id == "old"
    assert "s3cret" not in str(refused.value)


def test_after_a_rotation_the_first_key_encrypts_and_both_decrypt() -> None:
    before, after = Keyring.parse(f"old:{OLD}"), Keyring.parse(f"new:{NEW}, old:{OLD}")
    encrypted = before.encrypt("token", CELL)
    assert after.decrypt(encrypted, CELL) == "token"
    assert not after.is_current(encrypted)
    renewed = after.encrypt("token", CELL)
    assert after.is_current(renewed)
    assert key_id_of(renewed) == "new"
    with pytest.raises(TokenDecryptionError):
        before.decrypt(renewed, CELL)


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
