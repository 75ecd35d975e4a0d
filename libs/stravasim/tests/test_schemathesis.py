"""schemathesis tests both APIs against their OpenAPI documents: no failures, no undocumented responses."""

from datetime import UTC, date, datetime

import pytest
from live_server import serve_app, sign_in

from stravasim.app import create_app
from stravasim.dataset.generator import generate_dataset
from stravasim.simulator import Settings
from stravasim.strava.rate_limits import Limits
from testkit.openapi_conformance import assert_answers_conform

NOW = datetime(2026, 4, 30, 18, tzinfo=UTC)
SCOPES = ["read", "activity:read", "activity:read_all", "activity:write"]


@pytest.mark.parametrize(
    ("document", "left_out"),
    [
        # Apart, because it revokes the token that the other operations need.
        ("/openapi.json", ["--exclude-path", "/oauth/deauthorize"]),
        ("/openapi.json", ["--include-path", "/oauth/deauthorize", "--phases", "coverage,fuzzing"]),
        pytest.param("/_sim/openapi.json", [], marks=pytest.mark.long),
    ],
)
async def test_every_response_conforms_to_the_openapi_document(tmp_path, document, left_out):
    dataset = generate_dataset(athletes=2, days=10, seed=3, until=date(2026, 4, 30), now=NOW)
    app = create_app(dataset, settings=Settings(limits=Limits(*[10**9] * 4)))
    async with serve_app(app) as address:
        token = await sign_in(address, next(iter(dataset.athletes)), SCOPES)
        await assert_answers_conform(f"{address}{document}", token, tmp_path, *left_out)
