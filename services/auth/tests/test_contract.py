"""schemathesis holds the internal API against its OpenAPI document: no 5xx, no undocumented answer."""

from pathlib import Path

import pytest
from auth_helpers import OPERATOR_KEY, SYNC_KEY, WEB_KEY, AuthUnderTest, create_app
from live_server import serve_app

from testkit.openapi_conformance import WITHOUT_FUZZING, assert_answers_conform


@pytest.mark.parametrize(("caller", "key"), [("web", WEB_KEY), ("sync", SYNC_KEY), ("operators", OPERATOR_KEY)])
async def test_every_answer_conforms_to_the_openapi_document(
    service: AuthUnderTest, tmp_path: Path, caller: str, key: str
) -> None:
    await service.signed_in()
    async with serve_app(create_app(service.replica.context)) as address:
        options = ("--include-tag", caller, *WITHOUT_FUZZING)
        await assert_answers_conform(f"{address}/openapi.json", key, tmp_path, *options)
