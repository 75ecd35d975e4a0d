"""A service that lacks a setting does not start, and says which one."""

import pytest

from sync.config import Settings
from testkit.settings import assert_all_are_named_in_one_line, assert_missing_is_named, start

WORKING = {
    "DATABASE_URL": "postgresql+asyncpg://sync:pw@127.0.0.1:1/nowhere",
    "RABBITMQ_URL": "amqp://guest:pw@127.0.0.1:1/",
    "HTTP_PORT": "1",
    "INTERNAL_PORT": "2",
    "AUTH_URL": "http://127.0.0.1:1",
    "VAULT_ACCESS_KEY": "the-key-of-sync-0123",
}


def test_every_missing_setting_is_named_in_one_line() -> None:
    assert_all_are_named_in_one_line(start("sync.main", "worker"), WORKING)


@pytest.mark.parametrize("missing", list(WORKING))
def test_a_missing_setting_stops_the_service(
    missing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert_missing_is_named(Settings, WORKING, missing, monkeypatch, capsys)


def test_a_process_that_does_not_exist_is_refused() -> None:
    ended = start("sync.main", "cook")
    assert ended.returncode == 2
    assert ended.stderr == "cannot start: usage: python -m sync.main api|worker\n"
