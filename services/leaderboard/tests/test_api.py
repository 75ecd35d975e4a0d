"""The read API, as web expects it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
from leaderboard_helpers import add_challenge, create_app, handle

from shared.database.engine import Database
from testkit.databases import fetch_rows
from testkit.events import ANNA, JAN, authorized, recorded

EVA = UUID(int=3)
INFO = {
    "slug": "main",
    "name": "May",
    "first_day": "2026-05-01",
    "last_day": "2026-05-31",
    "time_zone": "Europe/Warsaw",
    "visibility": "public",
    "boards": [
        {"slug": "running", "name": "Running", "metric": "distance"},
        {"slug": "cycling", "name": "Cycling", "metric": "distance"},
    ],
    "announcement": "",
    "closed_at": None,
    "team_size": 5,
    "milestones": 1,
}


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(database), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://board.test") as client:
        yield client


async def board(client: httpx.AsyncClient, slug: str = "running") -> dict[str, Any]:
    response = await client.get(f"/challenges/main/boards/{slug}")
    assert response.status_code == 200
    answer: dict[str, Any] = response.json()
    return answer


async def test_a_board_has_the_shape_that_web_reads(client: httpx.AsyncClient, database: Database) -> None:
    await add_challenge(database)
    await handle(database, authorized(), recorded(1, km=12.3456, elev_gain_m=10.1))
    answer = await board(client)
    [row] = await fetch_rows(database, "select revision from challenges")
    assert answer.pop("revision") == row.revision
    as_of = datetime.fromisoformat(answer.pop("as_of"))
    assert abs((datetime.now(UTC) - as_of).total_seconds()) < 60
    assert answer == {
        "challenge": INFO,
        "board": INFO["boards"][0],
        "participants": 1,
        "first_day": None,
        "last_day": None,
        "offset": 0,
        "rows": [
            {
                "place": 1,
                "user_id": str(ANNA),
                "display_name": "Anna K.",
                "distance_m": 12345.6,
                "moving_time_s": 3000,
                "elev_gain_m": 10.1,
                "activities": 1,
                "points": 0.0,
                "movement": None,
                "team_id": None,
                "team_name": None,
            }
        ],
    }


async def test_ties_share_a_place_in_the_order_of_names(client: httpx.AsyncClient, database: Database) -> None:
    await add_challenge(database)
    await handle(database, authorized(ANNA, "ania"), authorized(JAN, "Jan"), authorized(EVA, "Ewa"))
    await handle(database, *(recorded(n, user_id=user_id) for n, user_id in enumerate((JAN, ANNA, EVA), start=1)))
    await handle(database, recorded(9, user_id=EVA, day=2))
    shown = (await board(client))["rows"]
    assert [(row["place"], row["display_name"]) for row in shown] == [(1, "Ewa"), (2, "ania"), (2, "Jan")]


async def test_namesakes_keep_their_order(client: httpx.AsyncClient, database: Database) -> None:
    await add_challenge(database)
    for user_id in (JAN, EVA, ANNA):
        await handle(database, authorized(user_id, "Jan K."), recorded(user_id.int, user_id=user_id))
    assert [row["user_id"] for row in (await board(client))["rows"]] == [str(u) for u in (ANNA, JAN, EVA)]


async def test_an_empty_board_is_a_board(client: httpx.AsyncClient, database: Database) -> None:
    await add_challenge(database)
    assert (await board(client, "cycling"))["rows"] == []


async def test_whoever_has_not_joined_is_not_shown(client: httpx.AsyncClient, database: Database) -> None:
    await add_challenge(database)
    await handle(database, recorded(1))
    assert (await board(client))["rows"] == []


async def test_a_challenge_is_shown_with_its_boards(client: httpx.AsyncClient, database: Database) -> None:
    await add_challenge(database)
    assert (await client.get("/challenges/main")).json() == INFO
    assert (await client.get("/challenges/current")).json() == INFO


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/challenges/other", "There is no such challenge."),
        ("/challenges/other/boards/running", "There is no such challenge."),
        ("/challenges/main/boards/swimming", "There is no such board."),
    ],
)
async def test_what_is_not_there_is_a_404_with_a_sentence(
    client: httpx.AsyncClient, database: Database, path: str, message: str
) -> None:
    await add_challenge(database)
    response = await client.get(path)
    assert response.status_code == 404
    assert response.json() == {"code": "not_found", "message": message}


async def test_without_a_challenge_there_is_none_at_present(client: httpx.AsyncClient) -> None:
    response = await client.get("/challenges/current")
    assert response.status_code == 404
    assert response.json() == {"code": "not_found", "message": "There is no challenge yet."}
