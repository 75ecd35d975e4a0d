"""A service that lacks a setting does not start, and says which one."""

import subprocess
import sys

import pytest

from shared.settings import load
from sync.config import Settings

WORKING = {
    "DATABASE_URL": "postgresql+asyncpg://sync:pw@127.0.0.1:1/nowhere",
    "RABBITMQ_URL": "amqp://guest:pw@127.0.0.1:1/",
    "HTTP_PORT": "1",
    "AUTH_URL": "http://127.0.0.1:1",
    "VAULT_ACCESS_KEY": "the-key-of-sync-0123",
}


def started(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sync.main", "worker"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_every_missing_setting_is_named_in_one_line() -> None:
    ended = started({})
    assert ended.returncode == 2
    [line] = ended.stderr.splitlines()
    for name in WORKING:
        assert f"{name} is not set" in line
    assert not ended.stdout


@pytest.mark.parametrize("missing", list(WORKING))
def test_a_missing_setting_stops_the_service(
    missing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in WORKING:
        monkeypatch.delenv(name, raising=False)
    for name, value in WORKING.items():
        if name != missing:
            monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        load(Settings)
    assert ended.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line == f"cannot start: {missing} is not set"


def test_a_process_that_does_not_exist_is_refused() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "sync.main", "cook"], env={}, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 2
    assert ended.stderr == "cannot start: usage: python -m sync.main api|worker\n"
