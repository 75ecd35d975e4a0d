"""Reading boards: windows, names and ranges of days, with places as `rank` gives them."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from uuid import UUID

import httpx
import pytest
from board_helpers import BOARD, MAY_1, Person, days_of, fill, read, read_rows, read_window
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leaderboard.challenges.rules import Metric
from leaderboard.standings.queries import RANKED_COLUMNS
from leaderboard.standings.rules.ranking import rank
from leaderboard.standings.rules.scoring import Totals
from leaderboard.standings.rules.windows import DayRange, is_longer_than_rest
from shared.database.engine import Database
from testkit.databases import execute
from testkit.events import ANNA, JAN

FIGURES = ("distance_m", "moving_time_s", "elev_gain_m", "activities", "points")
some_boards = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))


def people_strategy() -> st.SearchStrategy[list[Person]]:
    days = st.dictionaries(st.integers(1, 31), st.integers(0, 3), min_size=1, max_size=4)
    names = st.sampled_from(["Ala", "ala", "Żaneta", "Straße", "STRASSE", "100 % Jan_K\\", "ąć"])
    return st.lists(st.tuples(names, days), max_size=14).map(
        lambda drawn: [Person(number, name, metres) for number, (name, metres) in enumerate(drawn, start=1)]
    )


def ranked(people: Sequence[Person], first: int = 1, last: int = 31) -> list[tuple[int, UUID, float]]:
    """Place, user and metres, by the rule that boards have to follow."""
    sums = [(person, metres) for person in people if (metres := person.sum(first, last)) is not None]
    places = rank((Decimal(metres), person.name.casefold(), (person.id, metres)) for person, metres in sums)
    return [(one.place, *one.competitor) for one in places]


@some_boards
@given(people=people_strategy(), limit=st.integers(1, 6), data=st.data())
async def test_every_window_has_the_places_that_the_whole_board_has(
    client: httpx.AsyncClient, database: Database, people: list[Person], limit: int, data: st.DataObject
) -> None:
    await fill(database, people)
    first, last = sorted(data.draw(st.tuples(st.integers(1, 31), st.integers(1, 31))))
    for days, wanted in (({}, ranked(people)), (days_of(first, last), ranked(people, first, last))):
        answer = await read(client, **days)
        assert answer["participants"] == len(wanted)
        assert await read_rows(client, **days) == wanted
        for offset in range(0, len(wanted) + 2, limit):
            window = (offset, wanted[offset : offset + limit])
            assert await read_window(client, **days, limit=limit, offset=offset) == window
        for position, (_, user_id, _) in enumerate(wanted):
            start = max(0, min(position - limit // 2, len(wanted) - limit))
            window = (start, wanted[start : start + limit])
            assert await read_window(client, **days, around=user_id, limit=limit) == window
        for part in ("A", "ss", "%", "_", "\\", "ż", "nobody"):
            ids = {person.id for person in people if part.casefold() in person.name.casefold()}
            assert await read_window(client, **days, search=part) == (0, [row for row in wanted if row[1] in ids])


async def test_around_somebody_are_eleven_rows_and_at_the_ends_no_fewer(
    client: httpx.AsyncClient, database: Database
) -> None:
    people = [Person(number, f"P{number:02}", {1: 100 - number}) for number in range(1, 31)]
    await fill(database, people)
    for number, first in ((1, 1), (6, 1), (7, 2), (15, 10), (30, 20)):
        rows = await read_rows(client, around=UUID(int=number))
        assert [user_id.int for _, user_id, _ in rows] == list(range(first, first + 11))


async def test_figures_of_a_range_are_those_of_its_days(client: httpx.AsyncClient, database: Database) -> None:
    await fill(database, [Person(1, "Anna", {1: 1000, 2: 300, 31: 70}), Person(2, "Jan", {31: 5})])
    answer = await read(client, first_day="2026-05-02", last_day="2026-05-30")
    [row] = answer["rows"]
    assert {name: row[name] for name in ("place", "movement", *FIGURES)} == {
        "place": 1,
        "movement": None,
        "distance_m": 300,
        "moving_time_s": 60,
        "elev_gain_m": 1,
        "activities": 1,
        "points": 0,
    }
    assert (answer["first_day"], answer["last_day"]) == ("2026-05-02", "2026-05-30")


async def test_an_end_of_a_range_that_is_not_named_is_that_of_the_challenge(
    client: httpx.AsyncClient, database: Database
) -> None:
    await fill(database, [Person(1, "Anna", {1: 1, 20: 10, 31: 100})])
    assert [row[2] for row in await read_rows(client, first_day="2026-05-20")] == [110]
    assert [row[2] for row in await read_rows(client, last_day="2026-05-20")] == [11]
    answer = await read(client, last_day="2026-05-20")
    assert (answer["first_day"], answer["last_day"]) == ("2026-05-01", "2026-05-20")


@pytest.mark.parametrize("first", [1, 14])  # of more than half of the days, and of fewer
@pytest.mark.parametrize("metric", Metric)
async def test_ranges_are_ranked_by_the_metric_of_the_board(
    client: httpx.AsyncClient, database: Database, metric: Metric, first: int
) -> None:
    await fill(database, [Person(1, "Anna", {1: 7, 15: 1}), Person(2, "Jan", {2: 7, 15: 1})])
    column = RANKED_COLUMNS[metric]
    await execute(database, f"update daily_totals set {column} = {column} + 5 where user_id = :id", id=JAN)
    await execute(database, "update board_versions set metric = :metric", metric=metric.value)
    await execute(database, f"update standings set {column} = {column} + 10 where user_id = :id", id=JAN)
    await execute(database, f"update standings set value = {column}")
    rows = (await read(client, **days_of(first, 20)))["rows"]
    assert [(row["place"], row["user_id"]) for row in rows] == [(1, str(JAN)), (2, str(ANNA))]


def test_boards_rank_by_the_column_that_the_rules_name() -> None:
    totals = Totals(Decimal(1), 2, Decimal(3), 4, Decimal(5))
    for metric in Metric:
        assert totals.value(metric) == getattr(totals, RANKED_COLUMNS[metric])


def test_of_a_range_and_the_rest_the_fewer_days_are_summed() -> None:
    may = DayRange(MAY_1, date(2026, 5, 31))
    assert not is_longer_than_rest(DayRange(date(2026, 5, 10), date(2026, 5, 24)), may)
    assert is_longer_than_rest(DayRange(date(2026, 5, 10), date(2026, 5, 25)), may)


async def test_a_search_answers_at_most_fifty_rows(client: httpx.AsyncClient, database: Database) -> None:
    await fill(database, [Person(number, f"Jan {number}", {1: 1}) for number in range(1, 61)])
    assert len(await read_rows(client, search="JAN")) == 50
    assert len(await read_rows(client, search="JAN", limit=500)) == 50
    assert len(await read_rows(client, search="JAN", limit=3)) == 3
    assert len(await read_rows(client, search="JAN", **days_of(1, 2))) == 50


async def test_who_is_not_listed_is_neither_shown_nor_counted_nor_found(
    client: httpx.AsyncClient, database: Database
) -> None:
    await fill(database, [Person(1, "Anna", {1: 10}), Person(2, "Jan", {1: 5}), Person(3, "Ewa", {1: 1, 9: 1})])
    await execute(database, "update standings set listed = false where user_id = :id", id=ANNA)
    for days in ({}, days_of(1, 3), days_of(1, 28)):
        answer = await read(client, **days)
        assert [(row["place"], row["display_name"]) for row in answer["rows"]] == [(1, "Jan"), (2, "Ewa")]
        assert answer["participants"] == 2
        assert (await read(client, **days, search="anna"))["rows"] == []
        response = await client.get(BOARD, params={**days, "around": str(ANNA)})
        assert response.status_code == 404
        assert response.json() == {"code": "not_found", "message": "This participant is not on the board."}
        assert "Anna" not in (await client.get(f"{BOARD}.csv", params=days)).text


async def test_who_has_nothing_in_a_range_is_not_in_it(client: httpx.AsyncClient, database: Database) -> None:
    await fill(database, [Person(1, "Anna", {1: 10, 20: 3}), Person(2, "Jan", {1: 5})])
    for days in (days_of(20, 21), days_of(2, 31)):
        assert [row[1] for row in await read_rows(client, **days)] == [ANNA]
        assert (await client.get(BOARD, params={**days, "around": str(JAN)})).status_code == 404


NONSENSE = [
    ({"limit": "0"}, "limit"),
    ({"limit": "501"}, "limit"),
    ({"limit": "ten"}, "limit"),
    ({"limit": "1", "offset": "-1"}, "offset"),
    ({"limit": "1", "offset": "100001"}, "offset"),
    ({"offset": "3"}, "offset"),
    ({"around": "anna"}, "around"),
    ({"search": ""}, "search"),
    ({"search": "a" * 81}, "search"),
    ({"search": "a", "around": str(ANNA)}, "around"),
    ({"search": "a", "limit": "1", "offset": "0"}, "offset"),
    ({"around": str(ANNA), "limit": "1", "offset": "0"}, "offset"),
    ({"first_day": "2026-05-32"}, "first_day"),
    ({"first_day": "2026-04-30"}, "first_day"),
    ({"last_day": "2026-06-01"}, "last_day"),
    ({"last_day": "0001-01-01"}, "last_day"),
    ({"first_day": "2026-05-09", "last_day": "2026-05-08"}, "last_day"),
]


@pytest.mark.parametrize(("parameters", "field"), NONSENSE)
async def test_what_makes_no_sense_is_refused_with_the_field_and_a_sentence(
    client: httpx.AsyncClient, parameters: dict[str, str], field: str
) -> None:
    response = await client.get(BOARD, params=parameters)
    assert response.status_code == 422
    assert response.json()["code"] == "invalid"
    assert response.json()["message"].startswith(f"query.{field}: ")
    assert len(response.json()["message"]) > len(f"query.{field}: ") + 10


hostile = st.one_of(
    st.sampled_from(
        ["", "-1", "1e9", "9" * 40, "%", "_", "\\", "'", "\x00", "\ud7ff", "2026-05-02", "NaN", str(ANNA)]
    ),
    st.text(max_size=90),
)


@some_boards
@given(
    parameters=st.dictionaries(
        st.sampled_from(["limit", "offset", "around", "search", "first_day", "last_day", "other"]), hostile
    ),
    suffix=st.sampled_from(["", ".csv"]),
)
async def test_no_parameter_causes_an_unhandled_error(
    client: httpx.AsyncClient, parameters: dict[str, str], suffix: str
) -> None:
    encoded = {name: value.encode("utf-8", "surrogatepass") for name, value in parameters.items()}
    response = await client.get(BOARD + suffix, params=httpx.QueryParams(list(encoded.items())))  # type: ignore[arg-type]
    assert response.status_code in {200, 400, 404, 422}


async def test_a_slug_that_no_database_takes_is_no_unhandled_error(client: httpx.AsyncClient) -> None:
    for slug in ("%00", "%ed%a0%80", "%ff", "%f0%9f%9a%b2", "a%0a"):
        for path in (f"/challenges/{slug}/boards/running", f"/challenges/main/boards/{slug}.csv"):
            assert (await client.get(path)).status_code in {400, 404}
