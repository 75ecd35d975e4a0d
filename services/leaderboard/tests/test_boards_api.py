"""Reading boards: windows, names, ranges of days, entity tags and files, with places as `rank` gives them."""

import csv
import io
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from leaderboard_helpers import WEB_KEY, add_challenge, create_app, handle
from sqlalchemy import text

from leaderboard.challenges.rules import Metric
from leaderboard.spreadsheets import format_csv
from leaderboard.standings.board_queries import list_page
from leaderboard.standings.queries import RANKED_COLUMNS
from leaderboard.standings.rules.ranking import rank
from leaderboard.standings.rules.scoring import Totals
from leaderboard.standings.rules.windows import DayRange, is_longer_than_rest
from leaderboard.standings.use_cases import announce_changes
from leaderboard.versions.use_cases import begin_rebuild, build_next, publish_complete
from shared.database.engine import Database
from testkit.databases import execute, fetch_rows
from testkit.events import ANNA, JAN, authorized, recorded

BOARD = "/challenges/main/boards/running"
MAY_1 = date(2026, 5, 1)
FIGURES = ("distance_m", "moving_time_s", "elev_gain_m", "activities", "points")
some_boards = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


@dataclass(frozen=True)
class Person:
    """A participant by number, what they are called, and their metres on days of May."""

    number: int
    name: str
    metres: dict[int, int]

    @property
    def id(self) -> UUID:
        return UUID(int=self.number)

    def sum(self, first: int = 1, last: int = 31) -> int | None:
        own = [metres for day, metres in self.metres.items() if first <= day <= last]
        return sum(own) if own else None


def people_strategy() -> st.SearchStrategy[list[Person]]:
    days = st.dictionaries(st.integers(1, 31), st.integers(0, 3), min_size=1, max_size=4)
    names = st.sampled_from(["Ala", "ala", "Żaneta", "Straße", "STRASSE", "100 % Jan_K\\", "ąć"])
    return st.lists(st.tuples(names, days), max_size=14).map(
        lambda drawn: [Person(number, name, metres) for number, (name, metres) in enumerate(drawn, start=1)]
    )


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    await add_challenge(database)
    transport = httpx.ASGITransport(create_app(database), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://board.test") as client:
        yield client


async def fill(database: Database, people: Sequence[Person]) -> None:
    """Participants with daily totals and standings on the running board, and nobody else."""
    days = [(person.id, MAY_1 + timedelta(days=day - 1), m) for person in people for day, m in person.metres.items()]
    async with database.transaction() as session:
        for table in ("standings", "daily_totals", "participants", "rank_history"):
            await session.execute(text(f"delete from {table}"))
        await session.execute(
            text(
                """insert into participants (user_id, athlete_id, display_name, sort_name, joined_at)
                   select id, 1, name, sort_name, now()
                   from unnest(cast(:ids as uuid[]), cast(:names as text[]), cast(:sorted as text[]))
                       as one (id, name, sort_name)"""
            ),
            {
                "ids": [person.id for person in people],
                "names": [person.name for person in people],
                "sorted": [person.name.casefold() for person in people],
            },
        )
        await session.execute(
            text(
                """insert into daily_totals (version_id, user_id, day, distance_m, moving_time_s, elev_gain_m,
                       activities, points)
                   select board_versions.id, one.id, day, metres, 60, 1, 1, 0
                   from unnest(cast(:ids as uuid[]), cast(:days as date[]), cast(:metres as int[]))
                       as one (id, day, metres)
                   join boards on boards.slug = 'running' join board_versions on board_id = boards.id"""
            ),
            {"ids": [day[0] for day in days], "days": [day[1] for day in days], "metres": [day[2] for day in days]},
        )
        await session.execute(
            text(
                """insert into standings (version_id, user_id, listed, sort_name, value, distance_m, moving_time_s,
                       elev_gain_m, activities, points)
                   select version_id, user_id, true, sort_name, sum(distance_m), sum(distance_m), sum(moving_time_s),
                       sum(elev_gain_m), sum(activities), sum(points)
                   from daily_totals join participants using (user_id) group by version_id, user_id, sort_name"""
            )
        )


def ranked(people: Sequence[Person], first: int = 1, last: int = 31) -> list[tuple[int, UUID, float]]:
    """Place, user and metres, by the rule that boards have to follow."""
    sums = [(person, metres) for person in people if (metres := person.sum(first, last)) is not None]
    places = rank((Decimal(metres), person.name.casefold(), (person.id, metres)) for person, metres in sums)
    return [(one.place, *one.competitor) for one in places]


async def read(client: httpx.AsyncClient, **parameters: Any) -> dict[str, Any]:
    response = await client.get(BOARD, params=parameters)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def read_rows(client: httpx.AsyncClient, **parameters: Any) -> list[tuple[int, UUID, float]]:
    rows = (await read(client, **parameters))["rows"]
    return [(row["place"], UUID(row["user_id"]), row["distance_m"]) for row in rows]


def days_of(first: int, last: int) -> dict[str, str]:
    return {"first_day": f"2026-05-{first:02}", "last_day": f"2026-05-{last:02}"}


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
            assert await read_rows(client, **days, limit=limit, offset=offset) == wanted[offset : offset + limit]
        for position, (_, user_id, _) in enumerate(wanted):
            start = max(0, min(position - limit // 2, len(wanted) - limit))
            assert await read_rows(client, **days, around=user_id, limit=limit) == wanted[start : start + limit]
        for part in ("A", "ss", "%", "_", "\\", "ż", "nobody"):
            ids = {person.id for person in people if part.casefold() in person.name.casefold()}
            assert await read_rows(client, **days, search=part) == [row for row in wanted if row[1] in ids]


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


async def test_a_hidden_board_is_not_found_by_strangers(client: httpx.AsyncClient, database: Database) -> None:
    await fill(database, [Person(1, "Anna", {1: 10})])
    await execute(database, "update challenges set visibility = 'members'")
    tag = (await client.get(BOARD, headers=signed_in(ANNA))).headers["etag"]
    assert (await client.get(BOARD, headers={**signed_in(ANNA), "if-none-match": tag})).status_code == 304
    for headers in ({"if-none-match": tag}, {"if-none-match": "*"}, signed_in(JAN)):
        assert (await client.get(BOARD, headers=headers)).status_code == 404
        assert (await client.get(f"{BOARD}.csv", headers=headers)).status_code == 404


def signed_in(user_id: UUID) -> dict[str, str]:
    return {"authorization": f"Bearer {WEB_KEY}", "gruppetto-user": str(user_id)}


@pytest.mark.parametrize("path", [BOARD, f"{BOARD}.csv", f"{BOARD}?limit=5", f"{BOARD}?last_day=2026-05-03"])
async def test_who_has_the_present_answer_is_told_so(
    client: httpx.AsyncClient, database: Database, path: str
) -> None:
    await handle(database, authorized(), recorded(1))
    first = await client.get(path)
    assert first.headers["cache-control"] == "no-cache"
    tag = first.headers["etag"]
    for sent in (tag, tag.removeprefix("W/"), f'"other", {tag}', "*"):
        again = await client.get(path, headers={"if-none-match": sent})
        assert (again.status_code, again.content) == (304, b"")
        assert (again.headers["etag"], again.headers["cache-control"]) == (tag, "no-cache")
    for sent in ('"other"', "", tag[:-2]):
        assert (await client.get(path, headers={"if-none-match": sent})).status_code == 200
    await handle(database, recorded(2, day=2))
    changed = await client.get(path, headers={"if-none-match": tag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag


async def test_each_question_has_a_tag_of_its_own(client: httpx.AsyncClient, database: Database) -> None:
    await handle(database, authorized(), recorded(1))
    questions = ["", ".csv", "?limit=1", "?limit=2", f"?around={ANNA}", "?search=a", "?first_day=2026-05-01"]
    tags = [(await client.get(BOARD + question)).headers["etag"] for question in questions]
    tags.append((await client.get("/challenges/main/boards/cycling")).headers["etag"])
    assert len(set(tags)) == len(tags)


async def test_a_change_that_no_revision_tells_of_yet_is_read_as_soon_as_one_does(
    client: httpx.AsyncClient, database: Database
) -> None:
    await handle(database, authorized(), recorded(1))
    before = await client.get(BOARD)
    await execute(database, "update standings set activities = 9")
    await execute(database, "insert into board_changes (board_id) select id from boards where slug = 'running'")
    newer = await client.get(BOARD)
    assert newer.headers["etag"] == before.headers["etag"]
    assert newer.json()["rows"][0]["activities"] == 9
    await announce_changes(database, datetime.now(UTC))
    late = await client.get(BOARD, headers={"if-none-match": before.headers["etag"]})
    assert late.status_code == 200
    assert late.json()["rows"][0]["activities"] == 9


async def test_another_version_and_another_name_are_other_answers_before_any_revision(
    client: httpx.AsyncClient, database: Database
) -> None:
    await handle(database, authorized(), recorded(1))
    tag = (await client.get(BOARD)).headers["etag"]
    await begin_rebuild(database)
    while await build_next(database) or await publish_complete(database):
        pass
    rebuilt = await client.get(BOARD, headers={"if-none-match": tag})
    assert rebuilt.status_code == 200
    await execute(database, "update challenges set name = 'June'")
    renamed = await client.get(BOARD, headers={"if-none-match": rebuilt.headers["etag"]})
    assert renamed.json()["challenge"]["name"] == "June"


async def test_an_answer_is_of_one_version_while_versions_are_swapped(
    client: httpx.AsyncClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await handle(database, authorized(), recorded(1))
    [live] = await fetch_rows(
        database,
        """select version_id from standings join board_versions on board_versions.id = version_id
           where state = 'live' and threshold is null""",
    )

    async def swap_and_list(session: Any, version_id: int, *arguments: Any) -> Any:
        assert version_id == live.version_id
        await execute(database, "delete from standings")
        await execute(database, "update board_versions set state = 'retired'")
        return await list_page(session, version_id, *arguments)

    monkeypatch.setattr("leaderboard.standings.board_queries.list_page", swap_and_list)
    answer = await read(client)
    assert (answer["participants"], len(answer["rows"])) == (1, 1)


async def test_a_file_has_the_rows_of_the_board_and_plain_numbers(
    client: httpx.AsyncClient, database: Database
) -> None:
    await fill(database, [Person(1, 'Anna "A", K.', {1: 12345, 20: 1}), Person(2, "Żaneta", {2: 5})])
    await execute(database, "update standings set distance_m = 1234567.5 where user_id = :id", id=ANNA)
    response = await client.get(f"{BOARD}.csv")
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert response.headers["content-disposition"] == 'attachment; filename="main-running.csv"'
    assert response.content.startswith(b"place,name,distance_m,moving_time_s,elev_gain_m,activities\r\n")
    assert list(csv.reader(io.StringIO(response.text)))[1:] == [
        ["1", 'Anna "A", K.', "1234567.50", "120", "2.00", "2"],
        ["2", "Żaneta", "5.00", "60", "1.00", "1"],
    ]
    some = (await client.get(f"{BOARD}.csv", params=days_of(2, 3))).text
    assert [row[1] for row in csv.reader(io.StringIO(some))] == ["name", "Żaneta"]


async def test_a_file_has_points_where_the_board_has(client: httpx.AsyncClient, database: Database) -> None:
    await fill(database, [Person(1, "Anna", {1: 1})])
    await execute(database, "update board_versions set metric = 'points'")
    await execute(database, "update standings set points = 2.5, value = 2.5")
    rows = list(csv.DictReader(io.StringIO((await client.get(f"{BOARD}.csv")).text)))
    assert [row["points"] for row in rows] == ["2.50"]
    assert (await read(client))["rows"][0]["points"] == 2.5


async def test_what_makes_no_sense_gives_no_file(client: httpx.AsyncClient) -> None:
    response = await client.get(f"{BOARD}.csv", params={"first_day": "2026-04-01"})
    assert response.status_code == 422
    assert response.json()["message"] == "query.first_day: The challenge is from 2026-05-01 to 2026-05-31."
    missing = await client.get("/challenges/main/boards/swimming.csv")
    assert missing.json() == {"code": "not_found", "message": "There is no such board."}


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_a_name_that_a_spreadsheet_would_run_is_text(name: str) -> None:
    [[cell], [other]] = csv.reader(io.StringIO(format_csv([[name], [f"a{name}"]]), newline=""))
    assert (cell, other) == (f"'{name}", f"a{name}")


async def test_a_name_that_is_a_formula_is_text_in_the_file(client: httpx.AsyncClient, database: Database) -> None:
    await fill(database, [Person(1, '=HYPERLINK("http://x.example")', {1: 1})])
    [_, row] = csv.reader(io.StringIO((await client.get(f"{BOARD}.csv")).text))
    assert row[1] == '\'=HYPERLINK("http://x.example")'
