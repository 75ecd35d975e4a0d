"""A process that lacks a setting does not start, and says which one."""

import pytest

from shared.settings import load_settings
from sync.config import ApiSettings, WorkerSettings
from testkit.settings import assert_all_are_named_in_one_line, assert_missing_is_named, start

EVERY_PROCESS = {
    "DATABASE_URL": "postgresql+asyncpg://sync:pw@127.0.0.1:1/nowhere",
    "RABBITMQ_URL": "amqp://guest:pw@127.0.0.1:1/",
    "HTTP_PORT": "1",
    "INTERNAL_PORT": "2",
}
WORKER = EVERY_PROCESS | {"AUTH_URL": "http://127.0.0.1:1", "VAULT_ACCESS_KEY": "the-key-of-sync-0123"}
API = EVERY_PROCESS | {"SYNC_OPERATOR_KEY": "the-operators-key-01"}
WEBHOOKS = {
    "WEBHOOK_URL": "https://sync.example.org",
    "WEBHOOK_SECRET": "an-unguessable-segment",
    "STRAVA_CLIENT_ID": "12345",
    "STRAVA_CLIENT_SECRET": "a-secret",
}


def test_every_missing_setting_is_named_in_one_line() -> None:
    assert_all_are_named_in_one_line(start("sync.main", "worker"), WORKER)
    assert_all_are_named_in_one_line(start("sync.main", "api"), API)


@pytest.mark.parametrize("missing", list(WORKER))
def test_a_missing_setting_stops_the_worker(
    missing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert_missing_is_named(WorkerSettings, WORKER, missing, monkeypatch, capsys)


@pytest.mark.parametrize("missing", list(API))
def test_a_missing_setting_stops_the_api(
    missing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert_missing_is_named(ApiSettings, API, missing, monkeypatch, capsys)


@pytest.mark.parametrize("missing", ["WEBHOOK_SECRET", "STRAVA_CLIENT_ID", "STRAVA_CLIENT_SECRET"])
def test_webhooks_need_all_their_settings(
    missing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in (API | WEBHOOKS).items():
        monkeypatch.setenv(name, value)
    assert load_settings(ApiSettings).webhook_url is not None
    monkeypatch.delenv(missing)
    with pytest.raises(SystemExit):
        load_settings(ApiSettings)
    assert "WEBHOOK_URL needs WEBHOOK_SECRET, STRAVA_CLIENT_ID and" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WEBHOOK_SECRET", "too-short"),
        ("WEBHOOK_SECRET", "a/path/that/is/more/than/one"),
        ("WEBHOOK_SECRET", "x" * 101),
        ("NIGHTLY_TIME_ZONE", "Mars/Olympus"),
        ("NIGHTLY_TIME_ZONE", "../etc"),
        ("RELIST_DAYS", "0"),
    ],
)
def test_a_malformed_setting_is_named_and_not_shown(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for known, given in (API | WEBHOOKS | {name: value}).items():
        monkeypatch.setenv(known, given)
    with pytest.raises(SystemExit):
        load_settings(ApiSettings)
    shown = capsys.readouterr().err
    assert shown.startswith(f"cannot start: {name} is not valid")
    assert value not in shown


def test_a_process_that_does_not_exist_is_refused() -> None:
    ended = start("sync.main", "cook")
    assert ended.returncode == 2
    assert ended.stderr == "cannot start: usage: python -m sync.main api|worker\n"
