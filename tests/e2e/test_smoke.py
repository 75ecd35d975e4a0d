"""The command `devstack smoke`: its line of JSON and its exit status."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

DEVSTACK = Path(sys.executable).with_name("devstack")
HANDWRITTEN = Path(__file__).with_name("handwritten")


async def smoke(*arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        DEVSTACK, "smoke", *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def parse_result(out: str) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(out)
    assert list(line) == ["athletes", "activities", "boards", "rows", "mismatches", "seconds"]
    return line


@pytest.mark.long
async def test_two_runs_at_once_both_have_every_row_right() -> None:
    generated, handwritten = await asyncio.gather(
        smoke("--athletes", "12", "--days", "40", "--seed", "7"), smoke("--data", str(HANDWRITTEN))
    )
    for code, _, err in (generated, handwritten):
        assert code == 0, err
    club = parse_result(generated[1])
    assert (club["athletes"], club["boards"], club["mismatches"]) == (12, 2, 0)
    assert club["activities"] > 100
    assert club["rows"] > 12
    # Of 25 by hand, one says nothing of its start, one gives its distance in words, one has less than none, and eight
    # have absurd values or values of a wrong type.
    assert parse_result(handwritten[1]) | {"seconds": 0} == {
        "athletes": 5,
        "activities": 14,
        "boards": 2,
        "rows": 4,
        "mismatches": 0,
        "seconds": 0,
    }


async def test_a_broken_data_folder_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "7.json").write_text('[{"id": 1}, {"name": "without an id"}]', encoding="utf-8")
    code, out, err = await smoke("--data", str(tmp_path))
    assert code == 2
    assert out == ""
    assert "Traceback" not in err
    errors = [line for line in err.splitlines() if line.startswith("devstack: ")]
    assert len(errors) == 1
    assert "7.json" in errors[0]


async def test_a_data_folder_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    code, _, err = await smoke("--data", str(tmp_path / "nowhere"))
    assert code == 2
    assert "Traceback" not in err
    assert "nowhere" in next(line for line in err.splitlines() if line.startswith("devstack: "))
