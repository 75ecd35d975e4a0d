"""Holding a running API against its OpenAPI document, with requests that schemathesis makes up."""

import asyncio
import sys
from pathlib import Path

_CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
_EXAMPLES = 15  # of each operation

#: Options for an API whose other tests fuzz it.
WITHOUT_FUZZING = ("--phases", "examples,coverage,stateful")


async def assert_answers_conform(document_url: str, bearer: str, folder: Path, *options: str) -> None:
    """No answer to whoever shows `bearer` is a 5xx or undocumented; `folder` is for what schemathesis leaves."""
    run = await asyncio.create_subprocess_exec(
        *(str(Path(sys.executable).with_name("schemathesis")), "run", document_url, *options),
        *("-H", f"Authorization: Bearer {bearer}", "-c", _CHECKS, "-n", str(_EXAMPLES)),
        *("--generation-deterministic", "--no-color"),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said = (await run.communicate())[0].decode()
    assert run.returncode == 0, said
    assert "Tested: " in said, said
