"""schemathesis tests both APIs against their OpenAPI documents: no failures, no undocumented responses."""

import asyncio
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from live_server import serve_app, sign_in

from stravasim.app import create_app
from stravasim.dataset.generator import generate_dataset
from stravasim.simulator import Settings
from stravasim.strava.rate_limits import Limits

NOW = datetime(2026, 4, 30, 18, tzinfo=UTC)
SCOPES = ["read", "activity:read", "activity:read_all", "activity:write"]
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


@pytest.mark.parametrize(
    ("document", "left_out"),
    [
        # Apart, because it revokes the token that the other operations need.
        ("/openapi.json", ["--exclude-path", "/oauth/deauthorize"]),
        ("/openapi.json", ["--include-path", "/oauth/deauthorize", "--phases", "coverage,fuzzing"]),
        ("/_sim/openapi.json", []),
    ],
)
async def test_every_response_conforms_to_the_openapi_document(tmp_path, document, left_out):
    dataset = generate_dataset(athletes=2, days=10, seed=3, until=date(2026, 4, 30), now=NOW)
    app = create_app(dataset, settings=Settings(limits=Limits(*[10**9] * 4)))
    async with serve_app(app) as address:
        token = await sign_in(address, next(iter(dataset.athletes)), SCOPES)
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
