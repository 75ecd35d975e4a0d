"""The Makefile in a terminal."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
IN_A_TERMINAL = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"
#: Ends as `devstack` does after Ctrl-C, and tells when it can hear it.
PROGRAM = """#!/bin/sh
trap 'echo stopping; exit 130' INT
echo "running $1"
while :; do sleep 0.1; done
"""


@pytest.mark.parametrize("target", ["demo", "run"])
def test_ctrl_c_is_no_error_of_make(tmp_path: Path, target: str) -> None:
    program = tmp_path / "devstack"
    program.write_text(PROGRAM, encoding="utf-8")
    program.chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    with subprocess.Popen(
        [sys.executable, "-c", IN_A_TERMINAL, "make", target, f"BIN={tmp_path}"],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as terminal:
        assert terminal.stdin is not None
        assert terminal.stdout is not None
        shown = b""
        while f"running {target}".encode() not in shown:
            line = terminal.stdout.readline()
            assert line, shown
            shown += line
        terminal.stdin.write(b"\x03")
        terminal.stdin.flush()
        shown = terminal.stdout.read()
        assert terminal.wait() == 0
    assert b"stopping" in shown
    assert b"Error" not in shown
