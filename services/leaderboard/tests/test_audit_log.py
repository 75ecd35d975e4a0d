"""The audit log, as organisers read and download it."""

import csv
import io
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest
from leaderboard_helpers import ORGANISER, create_app, handle

from leaderboard.audit.queries import add_audit_entry
from leaderboard.audit.routes import MAX_PAGE
from leaderboard.dependencies import Actor
from leaderboard.spreadsheets import format_csv
from shared.database.engine import Database
from testkit.databases import execute
from testkit.events import ANNA, JAN, authorized, erased

LOG, CSV, JSON = "/admin/audit-log", "/admin/audit-log.csv", "/admin/audit-log.json"


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(database), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://board.test", headers=ORGANISER) as client:
        yield client


async def note(
    database: Database, action: str = "team.renamed", subject: str = "team-1", user_id: UUID = ANNA, **details: Any
) -> None:
    async with database.transaction() as session:
        await add_audit_entry(session, Actor(f"user {user_id}", user_id), action, subject, details)


async def note_many(database: Database, number: int) -> None:
    await execute(
        database,
        """insert into audit_log (actor, action, subject, details)
           select 'key a', 'team.renamed', 'team-' || n, '{}' from generate_series(1, :number) as n""",
        number=number,
    )


async def download(client: httpx.AsyncClient, **params: str) -> list[list[str]]:
    answer = await client.get(CSV, params=params)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="audit-log.csv"'
    return list(csv.reader(io.StringIO(answer.text, newline="")))


async def test_entries_are_listed_the_latest_first(client: httpx.AsyncClient, database: Database) -> None:
    await note(database, name=["Lions", "Tigers"])
    await note(database, "team.deleted")
    answer = (await client.get(LOG)).json()
    assert answer["next_before_id"] is None
    deleted, renamed = answer["entries"]
    assert (deleted["action"], deleted["id"]) == ("team.deleted", 2)
    assert renamed.pop("at")
    assert renamed == {
        "id": 1,
        "actor": f"user {ANNA}",
        "actor_id": str(ANNA),
        "action": "team.renamed",
        "subject": "team-1",
        "details": {"name": ["Lions", "Tigers"]},
    }


async def test_pages_follow_each_other_without_gap_or_repetition(
    client: httpx.AsyncClient, database: Database
) -> None:
    await note_many(database, 7)
    ids, before = [], None
    while True:
        params = {"limit": 3} | ({} if before is None else {"before_id": before})
        page = (await client.get(LOG, params=params)).json()
        assert len(page["entries"]) <= 3
        ids += [entry["id"] for entry in page["entries"]]
        await note(database, "meanwhile.noted")
        before = page["next_before_id"]
        if before is None:
            break
    assert ids == [7, 6, 5, 4, 3, 2, 1]


async def test_entries_of_one_action_or_about_one_subject_are_found(
    client: httpx.AsyncClient, database: Database
) -> None:
    await note(database, subject="a")
    await note(database, subject="b")
    await note(database, "team.deleted", "b")
    found = {}
    for params in ({"action": "team.renamed"}, {"subject": "b"}, {"action": "team.deleted", "subject": "a"}):
        found[str(params)] = [entry["id"] for entry in (await client.get(LOG, params=params)).json()["entries"]]
    assert list(found.values()) == [[2, 1], [3, 2], []]
    assert [row[0] for row in await download(client, subject="b", action="team.renamed")] == ["id", "2"]


@pytest.mark.parametrize(
    "params",
    [
        {"limit": "0"},
        {"limit": str(MAX_PAGE + 1)},
        {"limit": "many"},
        {"before_id": "0"},
        {"before_id": str(2**63)},
        {"action": "x" * 51},
        {"subject": "x" * 101},
    ],
)
async def test_an_impossible_page_is_refused_with_a_sentence(
    client: httpx.AsyncClient, params: dict[str, str]
) -> None:
    answer = await client.get(LOG, params=params)
    assert answer.status_code == 422
    assert answer.json()["message"]


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({}, 200),
        ({"Authorization": ""}, 403),
        ({"Gruppetto-Organiser": "false"}, 403),
        ({"Gruppetto-User": "nobody"}, 422),
    ],
)
async def test_only_organisers_read_it(client: httpx.AsyncClient, changed: dict[str, str], status: int) -> None:
    for path in (LOG, CSV, JSON):
        assert (await client.get(path, headers=changed)).status_code == status


async def test_the_download_has_everything_in_order_however_many_pages_that_is(
    client: httpx.AsyncClient, database: Database
) -> None:
    await note_many(database, 2 * MAX_PAGE + 1)
    titles, *rows = await download(client)
    assert titles == ["id", "at", "actor", "actor_id", "action", "subject", "details"]
    assert [int(row[0]) for row in rows] == list(range(2 * MAX_PAGE + 1, 0, -1))
    answer = await client.get(JSON)
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="audit-log.json"'
    assert [entry["id"] for entry in answer.json()] == list(range(2 * MAX_PAGE + 1, 0, -1))


async def test_a_json_download_has_what_pages_have(client: httpx.AsyncClient, database: Database) -> None:
    assert (await client.get(JSON)).json() == []
    await note(database, name=["Lions", "Żubry"])
    await note(database, "team.deleted")
    assert (await client.get(JSON)).json() == (await client.get(LOG)).json()["entries"]
    assert [entry["id"] for entry in (await client.get(JSON, params={"action": "team.deleted"})).json()] == [2]


async def test_a_spreadsheet_runs_nothing_of_the_download(client: httpx.AsyncClient, database: Database) -> None:
    for evil in ('=HYPERLINK("http://x")', "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", 'a,"b"', "plain"):
        await note(database, evil, evil, name=evil)
    _, *rows = await download(client)
    cells = [row[4] for row in reversed(rows)]
    assert cells == ['\'=HYPERLINK("http://x")', "'+1", "'-1", "'@SUM(A1)", "'\t=1", "'\r=1", 'a,"b"', "plain"]
    assert [row[5] for row in reversed(rows)] == cells
    assert not any(cell.startswith(tuple("=+-@\t\r")) for row in rows for cell in row)


@pytest.mark.parametrize(("cell", "written"), [(None, ""), (-1, "'-1"), (7, "7"), ("Łódź", "Łódź"), ("a=b", "a=b")])
def test_a_cell_is_written_so_that_it_is_read_as_text(cell: object, written: str) -> None:
    assert format_csv([[cell, "x"]]) == f"{written},x\r\n"


async def test_the_log_forgets_who_was_erased(client: httpx.AsyncClient, database: Database) -> None:
    await handle(database, authorized(), authorized(JAN, "Jan"))
    await note(database)
    await note(database, "participant.hidden", str(ANNA), JAN)
    await handle(database, erased())
    answer = await client.get(LOG)
    hidden, renamed = answer.json()["entries"]
    assert (renamed["actor"], renamed["actor_id"], hidden["subject"]) == ("an erased user", None, "an erased user")
    assert str(ANNA) not in answer.text
    assert str(ANNA) not in str(await download(client))
