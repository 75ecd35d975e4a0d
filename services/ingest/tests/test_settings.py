"""A service that lacks a setting does not start, and says which one."""

import pytest

from ingest.config import Settings
from testkit.settings import assert_all_are_named_in_one_line, assert_missing_is_named, start

WORKING = {
    "DATABASE_URL": "postgresql+asyncpg://ingest:pw@127.0.0.1:1/nowhere",
    "RABBITMQ_URL": "amqp://guest:pw@127.0.0.1:1/",
    "HTTP_PORT": "1",
    "INTERNAL_PORT": "2",
    "INGEST_OPERATOR_KEY": "an-operator-s-key",
}


def test_every_missing_setting_is_named_in_one_line() -> None:
    assert_all_are_named_in_one_line(start("ingest.main"), WORKING)


@pytest.mark.parametrize("missing", list(WORKING))
def test_a_missing_setting_stops_the_service(
    missing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert_missing_is_named(Settings, WORKING, missing, monkeypatch, capsys)
