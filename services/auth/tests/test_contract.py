"""schemathesis holds the internal API against its OpenAPI document: no 5xx, no undocumented answer."""

import asyncio
import sys
from pathlib import Path

import pytest
from auth_helpers import OPERATOR_KEY, SYNC_KEY, WEB_KEY, AuthUnderTest, create_app
from live_server import serve_app

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


@pytest.mark.parametrize("key", [WEB_KEY, SYNC_KEY, OPERATOR_KEY])
async def test_every_answer_conforms_to_the_openapi_document(
    service: AuthUnderTest, tmp_path: Path, key: str
) -> None:
    await service.signed_in()
    async with serve_app(create_app(service.replica.context)) as address:
        run = await asyncio.create_subprocess_exec(
            *(str(Path(sys.executable).with_name("schemathesis")), "run", f"{address}/openapi.json"),
            *("-H", f"Authorization: Bearer {key}", "-c", CHECKS, "-n", "15"),
            *("--generation-deterministic", "--no-color"),
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said = (await run.communicate())[0].decode()
    assert run.returncode == 0, said
    assert "Tested: " in said, said
