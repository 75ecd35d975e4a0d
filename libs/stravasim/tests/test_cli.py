"""The command line: what it refuses, in one line and with exit code 2."""

import socket

import pytest
from typer.testing import CliRunner

from stravasim.cli import app


def run(*arguments):
    return CliRunner().invoke(app, ["serve", *arguments])


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--port", "many"], "--port"),
        (["--athletes", "0"], "--athletes"),
        (["--nonsense"], "--nonsense"),
        (["--limits", "1,2,3"], "limits must be four whole numbers"),
        (["--until", "yesterday"], "--until must be a date"),
        (["--until", "2999-01-01"], "must not be in the future"),
        (["--days", "9999"], "must not be before 2020-01-01"),
        (["--data", "/nowhere/at/all"], "cannot read the folder /nowhere/at/all"),
        (["--host", "not a host"], "cannot listen on not a host"),
        (["--rotation", "sometimes"], "--rotation"),
    ],
)
def test_a_usage_error_is_one_line(arguments, complaint):
    result = run(*arguments)

    assert result.exit_code == 2
    assert complaint in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_an_invalid_dataset_is_one_line(make_folder):
    result = run("--data", str(make_folder({"7.json": '[{"id": 1}, {"id": 1}]'})))

    assert result.exit_code == 2
    assert result.stderr.endswith("7.json, entry 2: id 1 is already used by 7.json, entry 1\n")
    assert result.stderr.count("\n") == 1


def test_a_port_in_use_is_one_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run("--port", str(port), "--athletes", "1", "--days", "1")

    assert result.exit_code == 2
    assert result.stderr == f"stravasim: cannot listen on 127.0.0.1 port {port}: Address already in use\n"


def test_no_command_is_a_usage_error_too():
    result = CliRunner().invoke(app, [])

    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1


def test_help_lists_the_options():
    result = run("--help")

    assert result.exit_code == 0
    assert "--auto-upload-every" in result.stdout
