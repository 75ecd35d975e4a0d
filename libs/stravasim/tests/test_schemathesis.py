"""schemathesis follows both documents over the wire and finds nothing that breaks, or that they do not tell."""

import asyncio
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from live import serving, sign_in

from stravasim.app import create_app
from stravasim.club import generate_club
from stravasim.limits import Limits
from stravasim.simulator import Settings

NOW = datetime(2026, 4, 30, 18, tzinfo=UTC)
SCOPES = ["read", "activity:read", "activity:read_all", "activity:write"]
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


@pytest.mark.parametrize(
    ("document", "left_out"),
    [
        ("/openapi.json", ["--exclude-path", "/oauth/deauthorize"]),  # the rest would be done without a token
        ("/openapi.json", ["--include-path", "/oauth/deauthorize", "--phases", "coverage,fuzzing"]),
        ("/_sim/openapi.json", []),
    ],
)
async def test_whatever_is_asked_has_an_answer_that_its_document_tells_of(tmp_path, document, left_out):
    club = generate_club(athletes=2, days=10, seed=3, until=date(2026, 4, 30), now=NOW)
    app = create_app(club, settings=Settings(limits=Limits(*[10**9] * 4)))
    async with serving(app) as address:
        token = await sign_in(address, next(iter(club.members)), SCOPES)
        command = [str(Path(sys.executable).with_name("schemathesis")), "run", f"{address}{document}", *left_out]
        command += ["-H", f"Authorization: Bearer {token}", "-c", CHECKS, "-n", "15"]
        run = await asyncio.create_subprocess_exec(
            *command,
            "--generation-deterministic",
            "--no-color",
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said = (await run.communicate())[0].decode()
    assert run.returncode == 0, said
    assert "Tested: " in said, said
