"""schemathesis holds the API against its OpenAPI document: no 5xx, no undocumented answer."""

from pathlib import Path

import pytest
from leaderboard_helpers import WEB_KEY, add_challenge, create_app, handle
from live_server import serve_app

from shared.database.engine import Database
from testkit.events import ANNA, JAN, authorized, recorded
from testkit.openapi_conformance import assert_answers_conform


@pytest.mark.parametrize("role", ["organiser", "stranger"])
async def test_every_answer_conforms_to_the_openapi_document(database: Database, tmp_path: Path, role: str) -> None:
    await add_challenge(database)
    await handle(database, authorized(), authorized(JAN, "Jan"), recorded(1), recorded(2, user_id=JAN))
    headers = ("-H", f"Gruppetto-User: {ANNA}", "-H", "Gruppetto-Organiser: true") if role == "organiser" else ()
    key = WEB_KEY if role == "organiser" else "not-the-key"
    async with serve_app(create_app(database)) as address:
        await assert_answers_conform(
            f"{address}/openapi.json", key, tmp_path, *headers, "--exclude-path", "/admin/sync-budget"
        )
