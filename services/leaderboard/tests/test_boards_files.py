"""Boards as files, and what is said to whoever has the present answer."""

import csv
import io
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
from board_helpers import BOARD, Person, days_of, fill, read
from leaderboard_helpers import WEB_KEY, handle

from leaderboard.spreadsheets import format_csv
from leaderboard.standings.board_queries import WholeBoard, list_page
from leaderboard.standings.use_cases import announce_changes
from leaderboard.versions.use_cases import begin_rebuild, build_next, publish_complete
from shared.database.engine import Database
from testkit.databases import execute, fetch_rows
from testkit.events import ANNA, JAN, authorized, recorded


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

    async def swap_and_list(session: Any, ranked: WholeBoard, *arguments: Any) -> Any:
        assert ranked.version_id == live.version_id
        await execute(database, "delete from standings")
        await execute(database, "update board_versions set state = 'retired'")
        return await list_page(session, ranked, *arguments)

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
    assert response.content.startswith(b"place,name,team,distance_m,moving_time_s,elev_gain_m,activities\r\n")
    assert list(csv.reader(io.StringIO(response.text)))[1:] == [
        ["1", 'Anna "A", K.', "", "1234567.50", "120", "2.00", "2"],
        ["2", "Żaneta", "", "5.00", "60", "1.00", "1"],
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
