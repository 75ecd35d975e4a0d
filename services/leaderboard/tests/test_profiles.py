"""What is shown of one participant, and days in a row."""

from collections.abc import AsyncIterator
from datetime import date, timedelta
from uuid import UUID

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from leaderboard_helpers import OPERATOR_KEY, WEB_KEY, add_challenge, build, create_app, handle, make_context

from leaderboard.main import configure_api
from leaderboard.profiles.rules import Streaks, find_streaks
from shared.database.engine import Database
from shared.http.api import create_api
from testkit.databases import fetch_rows
from testkit.events import ANNA, JAN, authorized, recorded

WEB = {"Authorization": f"Bearer {WEB_KEY}"}
FIRST = date(2026, 5, 1)


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    await add_challenge(database)
    await handle(database, authorized(), authorized(JAN, "Jan"))
    transport = httpx.ASGITransport(create_app(database), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://board.test", headers=WEB) as client:
        yield client


async def test_a_profile_has_places_days_and_streaks(client: httpx.AsyncClient, database: Database) -> None:
    await handle(database, *(recorded(n, day=n, km=n) for n in (1, 2, 3, 7)), recorded(9, user_id=JAN, km=50.0))
    await handle(database, recorded(10, day=8, sport_type="Ride"))
    profile = (await client.get(f"/challenges/main/participants/{ANNA}")).json()
    assert (profile["display_name"], profile["team"]) == ("Anna K.", None)
    assert [(one["board"], one["place"], one["distance_m"]) for one in profile["boards"]] == [
        ("running", 2, 13_000.0),
        ("cycling", 1, 10_000.0),
    ]
    assert [(one["day"], one["board"]) for one in profile["days"]] == [
        ("2026-05-01", "running"),
        ("2026-05-02", "running"),
        ("2026-05-03", "running"),
        ("2026-05-07", "running"),
        ("2026-05-08", "cycling"),
    ]
    assert (profile["current_streak_days"], profile["longest_streak_days"]) == (0, 3)


async def test_who_is_hidden_is_seen_by_themselves_and_organisers_alone(
    client: httpx.AsyncClient, database: Database
) -> None:
    await handle(database, recorded(1))
    await client.put(f"/participants/{ANNA}/listing", json={"listed": False})
    path = f"/challenges/main/participants/{ANNA}"
    seen = {
        str(viewer): (await client.get(path, headers={**WEB, **headers})).status_code
        for viewer, headers in {
            "stranger": {},
            "other": {"Gruppetto-User": str(JAN)},
            "own": {"Gruppetto-User": str(ANNA)},
            "organiser": {"Gruppetto-Organiser": "true"},
        }.items()
    }
    assert seen == {"stranger": 404, "other": 404, "own": 200, "organiser": 200}
    profile = (await client.get(path, headers={**WEB, "Gruppetto-User": str(ANNA)})).json()
    assert profile["is_hidden"]
    assert [board["place"] for board in profile["boards"]] == [None]


@pytest.mark.parametrize("path", [f"main/participants/{UUID(int=99)}", f"other/participants/{ANNA}"])
async def test_who_is_not_there_is_a_404(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(f"/challenges/{path}")).status_code == 404


@pytest.mark.parametrize(
    ("active", "today", "streaks"),
    [
        ([], 5, Streaks(0, 0)),
        ([5], 5, Streaks(1, 1)),
        ([4], 5, Streaks(1, 1)),
        ([3], 5, Streaks(0, 1)),
        ([1, 2, 3, 5], 5, Streaks(1, 3)),
        ([3, 4, 5], 5, Streaks(3, 3)),
        ([3, 4, 5, 5], 6, Streaks(3, 3)),
    ],
)
def test_a_streak_goes_on_until_a_day_has_passed(active: list[int], today: int, streaks: Streaks) -> None:
    days = [FIRST + timedelta(days=number) for number in active]
    assert find_streaks(days, FIRST + timedelta(days=today)) == streaks


@given(st.sets(st.integers(0, 60)), st.integers(0, 60))
def test_streaks_are_runs_of_days(active: set[int], today: int) -> None:
    runs = [n for n in range(62) if active and any(set(range(first, first + n)) <= active for first in range(61))]
    ends = [today if today in active else today - 1]
    current = next((n for n in range(62) if ends[0] - n not in active), 0)
    streaks = find_streaks([FIRST + timedelta(days=number) for number in active], FIRST + timedelta(days=today))
    assert streaks == Streaks(current, max(runs, default=0))


async def test_operators_see_the_state_of_standings_and_have_them_built_anew(database: Database) -> None:
    await add_challenge(database)
    await handle(database, authorized(), recorded(1))
    internal = create_api("internal")
    configure_api(make_context(database), create_api("leaderboard"), internal)
    headers = {"Authorization": f"Bearer {OPERATOR_KEY}"}
    transport = httpx.ASGITransport(internal, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://board.test") as client:
        assert (await client.get("/standings")).status_code == 403
        assert (await client.post("/standings/rebuild")).status_code == 403
        state = {"live": 3, "building": 0, "retired": 0, "recalculations": 0, "last_drift": None}
        assert (await client.get("/standings", headers=headers)).json() == state
        begun = await client.post("/standings/rebuild", headers=headers)
        assert (begun.status_code, begun.json()) == (202, {**state, "building": 3})
    before = await fetch_rows(database, "select id from board_versions where state = 'live'")
    await build(database)
    after = await fetch_rows(database, "select id from board_versions where state = 'live'")
    assert {row.id for row in before}.isdisjoint(row.id for row in after)
