"""The default challenge and the settings that it is made from."""

from collections.abc import AsyncIterator
from datetime import date

import httpx
import pytest
from leaderboard_helpers import MAY, ORGANISER, add_challenge, build, create_app, handle

from shared.database.engine import Database
from testkit.events import recorded

JUNE = (date(2026, 6, 1), date(2026, 6, 30))
CLIMB = {"metric": "elevation", "sport_types": ["Hike", "TrailRun"]}


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(database))
    async with httpx.AsyncClient(transport=transport, base_url="http://board.test", headers=ORGANISER) as client:
        await add_challenge(database)
        await handle(database, recorded(1, day=1))
        yield client


async def get_state(client: httpx.AsyncClient) -> dict[str, object]:
    state: dict[str, object] = (await client.get("/admin/challenges/main")).raise_for_status().json()
    return state


async def change(client: httpx.AsyncClient) -> None:
    """Add a board, and change another one and what counts, as an organiser does."""
    url = "/admin/challenges/main"
    added = {"slug": "climb", "name": "Climb", **CLIMB}
    (await client.post(f"{url}/boards", json=added)).raise_for_status()
    edition = (await get_state(client))["edition"]
    running = {"name": "Running", "metric": "moving_time", "sport_types": ["Run"], "edition": edition}
    (await client.put(f"{url}/boards/running", json=running)).raise_for_status()
    state = await get_state(client)
    names = ("name", "first_day", "last_day", "counts_manual", "visibility", "edition")
    edit = {name: state[name] for name in names} | {"counts_trainer": True}
    (await client.put(url, json=edit)).raise_for_status()


async def test_a_start_with_the_same_days_keeps_what_organisers_have_changed(
    client: httpx.AsyncClient, database: Database
) -> None:
    await change(client)
    await build(database)
    before = await get_state(client)
    await add_challenge(database, MAY)
    assert await get_state(client) == before


@pytest.mark.parametrize("is_built", [True, False])
async def test_other_days_move_every_board_with_what_organisers_have_changed(
    client: httpx.AsyncClient, database: Database, is_built: bool
) -> None:
    await change(client)
    if is_built:
        await build(database)
    await add_challenge(database, JUNE)
    state = await get_state(client)
    assert (state["first_day"], state["last_day"]) == ("2026-06-01", "2026-06-30")
    assert state["counts_trainer"] is True
    assert state["next_rules"] is None
    boards = {board["slug"]: board for board in state["boards"]}  # type: ignore[attr-defined]
    assert list(boards) == ["running", "cycling", "40-hours", "climb"]
    assert (boards["running"]["metric"], boards["running"]["sport_types"]) == ("moving_time", ["Run"])
    assert {name: boards["climb"][name] for name in CLIMB} == CLIMB
