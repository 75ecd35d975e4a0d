"""A service that lacks a setting does not start, and says which one."""

import pytest

from auth.config import Settings
from shared.settings import load_settings
from testkit.settings import assert_all_are_named_in_one_line, assert_missing_is_named, start

WORKING = {
    "DATABASE_URL": "postgresql+asyncpg://auth:pw@127.0.0.1:1/nowhere",
    "RABBITMQ_URL": "amqp://guest:pw@127.0.0.1:1/",
    "HTTP_PORT": "1",
    "INTERNAL_PORT": "2",
    "STRAVA_CLIENT_ID": "1",
    "STRAVA_CLIENT_SECRET": "secret",
    "STRAVA_REDIRECT_URI": "http://localhost/callback",
    "VAULT_KEYS": "a:" + "QUFB" * 10 + "QUE=",
    "AUTH_API_KEY": "the-key-of-web-0123",
    "VAULT_ACCESS_KEY": "the-key-of-sync-0123",
    "AUTH_OPERATOR_KEY": "the-key-of-operators",
}


def test_every_missing_setting_is_named_in_one_line() -> None:
    assert_all_are_named_in_one_line(start("auth.main"), WORKING)


@pytest.mark.parametrize("missing", list(WORKING))
def test_a_missing_setting_stops_the_service(
    missing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert_missing_is_named(Settings, WORKING, missing, monkeypatch, capsys)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("VAULT_KEYS", "hunter2", "VAULT_KEYS is not valid: expected id:key,..."),
        ("VAULT_KEYS", "a:ząb", "VAULT_KEYS is not valid: expected id:key,..."),
        ("VAULT_ACCESS_KEY", WORKING["AUTH_API_KEY"], "VAULT_ACCESS_KEY and AUTH_OPERATOR_KEY must differ"),
        ("AUTH_OPERATOR_KEY", WORKING["AUTH_API_KEY"], "VAULT_ACCESS_KEY and AUTH_OPERATOR_KEY must differ"),
        ("STRAVA_USE_DEAUTHORIZE", "hunter2", "STRAVA_USE_DEAUTHORIZE is not valid"),
        ("ADMIN_ATHLETE_IDS", "7, x", "ADMIN_ATHLETE_IDS is not valid"),
        ("AUTH_API_KEY", "hunter2", "AUTH_API_KEY is not valid"),
    ],
)
def test_a_malformed_setting_is_named_but_not_shown(
    name: str, value: str, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for key, usual in {**WORKING, name: value}.items():
        monkeypatch.setenv(key, usual)
    with pytest.raises(SystemExit) as ended:
        load_settings(Settings)
    assert ended.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    assert told in line
    assert value not in line


def test_the_settings_show_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    for key, usual in WORKING.items():
        monkeypatch.setenv(key, usual)
    shown = repr(load_settings(Settings))
    for name in ("VAULT_KEYS", "AUTH_API_KEY", "VAULT_ACCESS_KEY", "AUTH_OPERATOR_KEY"):
        assert WORKING[name] not in shown
    assert "'secret'" not in shown
