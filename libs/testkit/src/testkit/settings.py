"""What every service's settings must do at start: each service's tests call this with its own."""

import subprocess
import sys
from collections.abc import Iterable, Mapping

import pytest
from pydantic_settings import BaseSettings

from shared.settings import load_settings


def start(module: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run `python -m MODULE` in an empty environment, to its end."""
    return subprocess.run(
        [sys.executable, "-m", module, *arguments], env={}, capture_output=True, text=True, timeout=60, check=False
    )


def assert_all_are_named_in_one_line(ended: "subprocess.CompletedProcess[str]", names: Iterable[str]) -> None:
    """The process that was started without settings ended with one line that names each of them."""
    assert ended.returncode == 2
    [line] = ended.stderr.splitlines()
    for name in names:
        assert f"{name} is not set" in line
    assert not ended.stdout


def assert_missing_is_named(
    settings: type[BaseSettings],
    working: Mapping[str, str],
    missing: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With all `working` settings but one, loading ends with the line that names that one."""
    for name in working:
        monkeypatch.delenv(name, raising=False)
    for name, value in working.items():
        if name != missing:
            monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        load_settings(settings)
    assert ended.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line == f"cannot start: {missing} is not set"
