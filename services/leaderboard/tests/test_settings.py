"""A service that lacks a setting does not start, and says which one."""

import pytest

from leaderboard.config import Settings
from shared.settings import load_settings
from testkit.settings import assert_all_are_named_in_one_line, assert_missing_is_named, start

WORKING = {
    "DATABASE_URL": "postgresql+asyncpg://leaderboard:pw@127.0.0.1:1/nowhere",
    "RABBITMQ_URL": "amqp://guest:pw@127.0.0.1:1/",
    "HTTP_PORT": "1",
    "INTERNAL_PORT": "2",
    "LEADERBOARD_API_KEY": "the-key-of-web-0123",
    "LEADERBOARD_OPERATOR_KEY": "the-key-of-operators",
}


def test_every_missing_setting_is_named_in_one_line() -> None:
    assert_all_are_named_in_one_line(start("leaderboard.main"), WORKING)


@pytest.mark.parametrize("missing", list(WORKING))
def test_a_missing_setting_stops_the_service(
    missing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert_missing_is_named(Settings, WORKING, missing, monkeypatch, capsys)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"CHALLENGE_TIME_ZONE": "Mars/Base"}, "CHALLENGE_TIME_ZONE is not a known time zone"),
        ({"CHALLENGE_FIRST_DAY": "2026-05-01"}, "CHALLENGE_FIRST_DAY and CHALLENGE_LAST_DAY must be given both"),
        (
            {"CHALLENGE_FIRST_DAY": "2026-05-02", "CHALLENGE_LAST_DAY": "2026-05-01"},
            "CHALLENGE_FIRST_DAY and CHALLENGE_LAST_DAY must be given both or neither, in this order",
        ),
        ({"LEADERBOARD_OPERATOR_KEY": WORKING["LEADERBOARD_API_KEY"]}, "LEADERBOARD_OPERATOR_KEY must differ"),
        ({"SYNC_STATUS_URL": "http://127.0.0.1:1"}, "SYNC_STATUS_URL and SYNC_OPERATOR_KEY must be given both"),
        ({"SYNC_OPERATOR_KEY": "the-key-of-sync-0123"}, "SYNC_STATUS_URL and SYNC_OPERATOR_KEY must be given both"),
        (
            {"SYNC_STATUS_URL": "http://127.0.0.1:1", "SYNC_OPERATOR_KEY": "the-key-of-sync-łódź"},
            "SYNC_OPERATOR_KEY must be of ASCII characters",
        ),
        ({"API_KEY_REQUESTS_PER_MINUTE": "0"}, "API_KEY_REQUESTS_PER_MINUTE is not valid"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    changed: dict[str, str], told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for key, value in {**WORKING, **changed}.items():
        monkeypatch.setenv(key, value)
    with pytest.raises(SystemExit):
        load_settings(Settings)
    assert told in capsys.readouterr().err
