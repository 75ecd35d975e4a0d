"""The organisers' panel over the real leaderboard."""

import html
import re
import warnings
from datetime import UTC, date, datetime, timedelta

import httpx
import pytest
from leaderboard_helpers import SYNC_STATUS, add_challenge
from web_club import Club, RealLeaderboard, member
from web_fakes import FakeAuth, FakeLeaderboard, user_id
from web_harness import build
from web_sign_in import sign_in

from leaderboard.sync_client import SyncClient
from leaderboard.tables import Base as LeaderboardBase
from shared.database.engine import Database
from testkit.databases import empty_tables, execute
from testkit.events import recorded

PAGES = [
    *("", "/challenges", "/new-challenge", "/participants", "/activities", "/data", "/log", "/keys"),
    *("/challenges/main", "/challenges/main/edit", "/challenges/main/clone", "/challenges/main/close"),
    *("/challenges/main/delete", "/challenges/main/teams", "/challenges/main/new-board"),
    *("/challenges/main/new-board?kind=milestone", "/challenges/main/boards/running"),
    *("/challenges/main/boards/running/delete", f"/participants/{user_id(5)}", f"/participants/{user_id(5)}/remove"),
]


@pytest.fixture
async def admin(club: Club) -> Club:
    """An organiser is signed in; a challenge runs, and two people take part."""
    today = datetime.now(UTC).date()
    await add_challenge(club.leaderboard, (today - timedelta(days=3), today + timedelta(days=3)), "Spring")
    await club.join(4, "Ela N.", is_admin=True)
    noon = datetime.combine(today - timedelta(days=1), datetime.min.time()).replace(hour=12)
    await club.hear(
        member(5, "Filip J."),
        recorded(1, user_id=user_id(4), km=5, local_start=noon),
        recorded(2, user_id=user_id(5), km=9, local_start=noon),
    )
    return club


@pytest.mark.parametrize("path", PAGES)
async def test_every_page_of_the_panel_is_shown(admin: Club, path: str) -> None:
    for language in ("en", "pl"):
        page = await admin.client.get(f"/admin{path}", headers={"Accept-Language": language})
        assert page.status_code == 200, page.text
        assert page.text.count("<h1>") == 1


async def test_no_page_of_the_panel_is_for_strangers_or_members(club: Club) -> None:
    with warnings.catch_warnings(action="ignore"):  # about duplicate operation ids, which do not matter here
        paths = club.client.app.openapi()["paths"]  # type: ignore[attr-defined]
    asked = [
        (method, path.format(slug="x", board="x", user_id=user_id(5), team_id=1, strava_id=1, key_id=1, kind="csv"))
        for path, methods in paths.items()
        if path.startswith("/admin")
        for method in methods
    ]
    assert len(asked) > 50
    for expected in ((303, "/join"), (403, None)):
        if expected[0] == 403:
            await club.join(6, "Ola Ż.")
        for method, path in asked:
            answer = await club.client.request(method, path)
            location = answer.headers.get("location")
            assert (answer.status_code, location and location.partition("?")[0]) == expected, (method, path)


NEW = {
    "name": "Zima w Łodzi",
    "first_day": "2027-01-01",
    "last_day": "2027-01-31",
    "time_zone": "Europe/Warsaw",
    "visibility": "hidden",
    "team_size": "4",
    "counts_manual": "yes",
    "announcement": "Hello\r\nthere",
}


async def post(club: Club, path: str, data: dict[str, object], said: str) -> httpx.Response:
    """Send a form that succeeds; the page that it leads to, which says so."""
    answer = await club.client.post(f"/admin{path}", data=data)
    assert answer.status_code == 303, answer.text
    assert f"said={said}" in answer.headers["location"]
    page = await club.client.get(answer.headers["location"])
    assert page.status_code == 200
    assert 'class="done" role="status"></p>' not in page.text, "the page says what was done"
    return page


async def test_a_challenge_is_created_edited_published_copied_and_deleted(admin: Club) -> None:
    page = await post(admin, "/new-challenge", NEW, "challenge-created")
    assert "/admin/challenges/zima-w-lodzi/edit" in page.text
    form = await admin.client.get("/admin/challenges/zima-w-lodzi/edit")
    assert "Hello\nthere" in form.text
    edited = {**NEW, "visibility": "public", "edition": "0", "name": "Zima"}
    await post(admin, "/challenges/zima-w-lodzi/edit", edited, "challenge-saved")
    assert (await admin.client.get("/c/zima-w-lodzi", follow_redirects=False)).status_code in {303, 404}
    copy = {"name": "Luty", "first_day": "2027-02-01", "last_day": "2027-02-28"}
    await post(admin, "/challenges/zima-w-lodzi/clone", copy, "challenge-cloned")
    assert "cannot be taken back" in (await admin.client.get("/admin/challenges/luty/delete")).text
    page = await post(admin, "/challenges/luty/delete", {}, "challenge-deleted")
    assert "Luty" not in page.text


async def test_a_wrong_form_is_shown_again_with_its_input(admin: Club) -> None:
    answer = await admin.client.post("/admin/new-challenge", data={**NEW, "last_day": "2026-01-01"})
    assert answer.status_code == 422
    assert 'id="f-last_day-problem">The last day must not be before the first one.' in answer.text
    assert 'value="Zima w Łodzi"' in answer.text
    assert 'aria-describedby="f-last_day-problem"' in answer.text
    taken = await admin.client.post("/admin/new-challenge", data={**NEW, "slug": "main"})
    assert taken.status_code == 409
    assert 'id="f-slug-problem">There is a challenge with this slug already.' in taken.text


async def test_who_saves_over_another_change_sees_it_first(admin: Club) -> None:
    await post(admin, "/new-challenge", NEW, "challenge-created")
    path = "/challenges/zima-w-lodzi/edit"
    await post(admin, path, {**NEW, "edition": "0", "team_size": "7"}, "challenge-saved")
    late = {**NEW, "edition": "0", "announcement": "Mine"}
    answer = await admin.client.post(f"/admin{path}", data=late)
    assert answer.status_code == 409
    assert "Somebody else has saved this challenge since you opened the form." in answer.text
    assert '<dt>Team size</dt><dd class="lines">7</dd>' in answer.text
    assert "Mine</textarea>" in answer.text
    assert 'name="edition" value="1"' in answer.text
    await post(admin, path, {**late, "edition": "1"}, "challenge-saved")


async def test_a_challenge_that_is_over_is_closed_with_a_digest(admin: Club) -> None:
    early = await admin.client.post("/admin/challenges/main/close")
    assert early.status_code == 409
    assert "The challenge is not over yet." in early.text
    await add_challenge(admin.leaderboard, (date(2026, 5, 1), date(2026, 5, 31)), "Spring")
    page = await post(admin, "/challenges/main/close", {}, "challenge-closed")
    assert "The digest fits the results: nobody has changed them." in page.text
    results = (await admin.client.get("/admin/exports/results/main.json")).json()
    assert results["digest"] in page.text


RUNS = {"metric": "distance", "sport_types": "Run"}
BOARD = {"kind": "board", "name": "Wszystko", "metric": "points", "unit": "distance", "team_mode": "sum"}


async def test_a_board_of_points_is_added_previewed_changed_and_deleted(admin: Club) -> None:
    fields = {**BOARD, "sport_types": ["Run", "Ride"], "per_unit.Run": "2,5", "per_unit.Ride": "1"}
    page = await post(admin, "/challenges/main/new-board", fields, "board-saved")
    assert "being computed" in page.text
    await admin.settle()
    page = await admin.client.get("/admin/challenges/main/boards/wszystko")
    assert 'name="per_unit.Run" value="2.5"' in page.text
    edition = page.text.split('name="edition" value="')[1].split('"')[0]
    path = "/admin/challenges/main/boards/wszystko"
    tried = {**fields, "per_unit.Run": "10", "edition": edition, "position": "2", "do": "preview"}
    answer = await admin.client.post(path, data=tried)
    assert answer.status_code == 303
    address = answer.headers["location"].removesuffix("#preview")
    building = await admin.client.get(address)
    assert "The board is being computed by these rules." in building.text
    assert "hx-trigger" in building.text
    await admin.settle()
    built = await admin.client.get(address)
    assert "This is what the rules below would give." in built.text
    assert ">90.0<" in built.text.replace("\n", "")
    assert 'name="per_unit.Run" value="10"' in built.text, "the input is kept"
    await post(admin, "/challenges/main/boards/wszystko", {**tried, "do": "save"}, "board-saved")
    await post(admin, "/challenges/main/boards/wszystko/delete", {}, "board-deleted")


async def preview(club: Club, path: str, fields: dict[str, object]) -> httpx.Response:
    """Ask for a preview in a form; the page with it, once it is computed."""
    answer = await club.client.post(f"/admin{path}", data={**fields, "do": "preview"})
    assert answer.status_code == 303, answer.text
    address = answer.headers["location"].removesuffix("#preview")
    building = await club.client.get(address)
    assert "The board is being computed by these rules. Nothing of it is shown to others." in building.text
    assert html.unescape(building.text.split('hx-get="')[1].split('"')[0]) == address
    await club.settle()
    built = await club.client.get(address)
    assert "This is what the rules below would give. Nothing is saved yet." in built.text
    assert "Is now" not in built.text, "there is no board to compare it with"
    return built


async def test_a_board_is_previewed_before_it_exists_and_the_input_is_kept(admin: Club) -> None:
    path = "/challenges/main/new-board"
    fields: dict[str, object] = {
        **BOARD,
        "sport_types": ["Run", "Ride"],
        "per_unit.Run": "2,5",
        "per_unit.Ride": "1",
        "daily_cap": "20",
        "slug": "moja-tabela",
        "team_mode": "best",
        "team_best": "3",
    }
    page = await preview(admin, path, fields)
    rows = [part.partition("<")[0] for part in page.text.split('<th scope="row">')[1:]]
    assert rows == ["Filip J.", "Ela N."]
    assert ">20.0<" in page.text.replace("\n", "")
    for kept in ('value="Wszystko"', 'value="moja-tabela"', 'name="per_unit.Run" value="2,5"', 'value="3"'):
        assert kept in page.text
    assert page.text.count(" checked") == 3  # the two sports, and what teams have
    assert '<option value="points" selected>' in page.text
    for shown in ("/admin/challenges/main", "/c/main/running", "/admin"):
        assert "Wszystko" not in (await admin.client.get(shown)).text
    log = await admin.client.get("/admin/log?action=new_board.previewed")
    assert "tried the rules of a new board" in log.text
    await post(admin, path, {**fields, "do": "save"}, "board-saved")
    await admin.settle()
    board = (await admin.client.get("/c/main/moja-tabela")).text.split("<tbody")[1]
    assert board.index("Filip J.") < board.index("Ela N.")


async def test_a_milestone_is_previewed_before_it_exists(admin: Club) -> None:
    fields: dict[str, object] = {
        "kind": "milestone",
        "metric": "distance",
        "sport_types": ["Run"],
        "team_mode": "sum",
    }
    page = await preview(admin, "/challenges/main/new-board", {**fields, "threshold": "7,5"})
    assert "<h1>New milestone</h1>" in page.text
    assert 'value="7,5"' in page.text
    assert page.text.count("<td>yes</td>") == page.text.count("<td>not yet</td>") == 1


async def test_a_preview_of_a_new_board_that_cannot_be_is_told_with_the_input(admin: Club) -> None:
    path = "/admin/challenges/main/new-board"
    fields: dict[str, object] = {**BOARD, "sport_types": ["Run"], "per_unit.Run": "many", "do": "preview"}
    wrong = await admin.client.post(path, data=fields)
    assert wrong.status_code == 422
    assert 'value="Wszystko"' in wrong.text
    assert 'value="many"' in wrong.text
    for unknown in ("999", "0", "x", "9" * 30, "../1"):
        page = await admin.client.get(path, params={"kind": "board", "name": "Wszystko", "preview": unknown})
        assert page.status_code == 200
        assert "The preview is over" in page.text
        assert 'value="Wszystko"' in page.text
    await execute(admin.leaderboard, "update challenges set closed_at = now(), digest = 'x'")
    closed = await admin.client.post(path, data={**fields, "per_unit.Run": "1"})
    assert closed.status_code == 409
    assert "The challenge is closed: its results do not change any more." in closed.text
    assert 'value="Wszystko"' in closed.text


async def test_other_days_of_a_challenge_are_previewed_on_a_board(admin: Club) -> None:
    page = await admin.client.get("/admin/challenges/main/edit")
    assert '<select id="f-preview" name="preview"' in page.text
    tomorrow = (datetime.now(UTC).date() + timedelta(days=1)).isoformat()
    fields = {**NEW, "name": "Spring", "first_day": tomorrow, "edition": "0", "do": "preview", "preview": "running"}
    answer = await admin.client.post("/admin/challenges/main/edit", data=fields)
    assert answer.status_code == 303
    address = answer.headers["location"].removesuffix("#preview")
    assert "The board is being computed by these rules." in (await admin.client.get(address)).text
    await admin.settle()
    built = await admin.client.get(address)
    assert "By these rules nobody would have anything yet." in built.text
    assert f'value="{tomorrow}"' in built.text, "the input is kept"
    none = await admin.client.post("/admin/challenges/main/edit", data={**fields, "preview": "nothing"})
    assert none.status_code == 422


async def test_a_form_that_is_opened_while_rules_are_built_shows_those(admin: Club) -> None:
    fields = {**BOARD, "name": "Running", "metric": "elevation", "sport_types": ["Run"], "edition": "0"}
    await post(admin, "/challenges/main/boards/running", {**fields, "position": "0"}, "board-saved")
    page = await admin.client.get("/admin/challenges/main/boards/running")
    assert '<option value="elevation" selected>' in page.text


async def test_a_milestone_is_entered_in_kilometres(admin: Club) -> None:
    fields = {"kind": "milestone", "name": "Maraton", "metric": "distance", "sport_types": ["Run"]}
    wrong = await admin.client.post("/admin/challenges/main/new-board", data={**fields, "threshold": "far"})
    assert wrong.status_code == 422
    assert 'value="far"' in wrong.text
    await post(admin, "/challenges/main/new-board", {**fields, "threshold": "42,195"}, "board-saved")
    await admin.settle()
    page = await admin.client.get("/admin/challenges/main/boards/maraton")
    assert 'value="42.195"' in page.text


async def test_a_participant_is_hidden_shown_fetched_and_removed(admin: Club) -> None:
    person = f"/participants/{user_id(5)}"
    page = await post(admin, f"{person}/hide", {"back": "search=filip"}, "participant-hidden")
    assert "hidden by organisers" in page.text
    assert "Ela N.</a>" not in page.text.split("<table")[1], "the search is kept"
    await post(admin, f"{person}/show", {"back": "one"}, "participant-shown")
    await post(admin, f"{person}/sync", {"back": "one"}, "sync-requested")
    await post(admin, "/sync", {}, "sync-requested")
    again = await admin.client.post("/admin/sync")
    assert again.status_code == 429
    assert "Everybody was asked for less than 10 minutes ago." in again.text
    assert "everything about them is deleted" in (await admin.client.get(f"/admin{person}/remove")).text
    await post(admin, f"{person}/remove", {}, "participant-removed")


async def test_an_activity_is_excluded_for_a_reason_and_included_again(admin: Club) -> None:
    found = await admin.client.get("/admin/activities", params={"person": "filip", "suspicious": ""})
    assert found.text.count('id="a-') == 1
    empty = await admin.client.post("/admin/activities/2/exclude", data={"reason": " ", "back": "person=filip"})
    assert empty.status_code == 422
    assert '<p class="error" id="f-reason-problem">Please fill this in.' in empty.text
    fields = {"reason": "A car ride", "back": "person=filip"}
    page = await post(admin, "/activities/2/exclude", fields, "activity-excluded")
    assert "Excluded: A car ride" in page.text
    assert '<button class="quiet" autofocus>Include again' in page.text, "what was used is gone"
    page = await post(admin, "/activities/2/include", {"back": ""}, "activity-included")
    assert page.text.count("<summary autofocus>Exclude") == 1
    nobody = await admin.client.get("/admin/activities?person=zenon")
    assert "Nobody who takes part has a name like this." in nobody.text
    several = await admin.client.get("/admin/activities?person=.&sport_type=Run")
    assert several.text.count("sport_type=Run&amp;user_id=") == 2


async def test_activities_are_listed_from_the_newest_on_page_by_page(admin: Club) -> None:
    noon = datetime.combine(datetime.now(UTC).date(), datetime.min.time()).replace(hour=12)
    earlier = (recorded(n, user_id=user_id(4), local_start=noon - timedelta(minutes=n)) for n in range(3, 60))
    await admin.hear(*earlier)

    def listed(page: httpx.Response) -> list[int]:
        assert page.status_code == 200
        return [int(part.partition('"')[0]) for part in page.text.split('<tr id="a-')[1:]]

    first = await admin.client.get("/admin/activities?sport_type=Run")
    assert listed(first) == list(range(3, 53))
    assert "The latest" not in first.text
    older = html.unescape(first.text.split('">Older</a>')[0].rpartition('href="')[2])
    second = await admin.client.get(older)
    assert listed(second) == [*range(53, 60), 2, 1]
    assert '<a href="/admin/activities?sport_type=Run">The latest</a>' in second.text
    assert ">Older<" not in second.text


async def test_figures_that_an_activity_has_none_of_are_left_out(admin: Club) -> None:
    await admin.hear(recorded(3, user_id=user_id(5), km=0, sport_type="Yoga", elev_gain_m=0))
    rows = (await admin.client.get("/admin/activities")).text.split("<tr ")
    assert '<td class="num">0:50 h</td>' in next(row for row in rows if 'id="a-3"' in row)
    assert '<td class="num">9.0 km<br>0:50 h<br>10 m</td>' in next(row for row in rows if 'id="a-2"' in row)


async def test_teams_are_dealt_out_renamed_joined_and_deleted(admin: Club) -> None:
    path = "/challenges/main/teams"
    page = await post(admin, f"{path}/deal", {"count": "2", "how": "random", "seed": "7"}, "teams-dealt")
    assert "The seed of the random order was <strong>7</strong>" in page.text
    team = page.text.split(f'href="/admin{path}/')[1].split('"')[0]
    page = await post(admin, f"{path}/{team}", {"name": "Sowy"}, "team-renamed")
    taken = await admin.client.post(f"/admin{path}/{team}", data={"name": "Team 2"})
    assert taken.status_code == 409
    assert 'value="Team 2"' in taken.text
    page = await post(admin, f"{path}/{team}/add", {"person": "filip j."}, "team-assigned")
    assert "Filip J." in page.text
    page = await post(admin, f"{path}/{team}/take-out/{user_id(5)}", {}, "team-left")
    assert '<p class="done" role="status" tabindex="-1" autofocus>They are in no team now.' in page.text
    fields = {"challenge": "main", "team_id": team}
    page = await post(admin, f"/participants/{user_id(5)}/team", fields, "team-assigned")
    assert f'<option value="{team}" selected>' in page.text
    few = await admin.client.post(
        f"/admin{path}/deal", data={"names": "A\nB\nC", "how": "evenly", "everybody": "yes"}
    )
    assert few.status_code == 409
    assert "fewer people to deal out than teams" in few.text
    for count in ("0", "2001", "123456789x", "٣", "9" * 3_000):
        odd = await admin.client.post(f"/admin{path}/deal", data={"count": count, "how": "evenly"})
        assert odd.status_code == 422
        assert "Enter how many teams, or their names." in odd.text
    await post(admin, f"{path}/{team}/delete", {}, "team-deleted")


async def test_the_teams_of_a_closed_challenge_are_shown_without_forms(admin: Club) -> None:
    path = "/challenges/main/teams"
    page = await post(admin, f"{path}/deal", {"count": "1", "how": "evenly"}, "teams-dealt")
    team = page.text.split(f'href="/admin{path}/')[1].split('"')[0]
    await execute(admin.leaderboard, "update challenges set closed_at = now(), digest = 'x'")
    closed = "This challenge is closed, so its teams stay as they are."
    for shown in (path, f"{path}/{team}"):
        page = await admin.client.get(f"/admin{shown}")
        assert closed in page.text
        assert f'action="/admin{path}' not in page.text
    late = {
        f"{path}/deal": {"count": "1", "how": "evenly"},
        f"{path}/{team}": {"name": "Sowy"},
        f"{path}/{team}/take-out/{user_id(5)}": {},
        f"{path}/{team}/delete": {},
    }
    for form, fields in late.items():
        answer = await admin.client.post(f"/admin{form}", data=fields)
        assert answer.status_code == 409, form
        assert closed in answer.text


async def test_the_overview_and_the_list_of_challenges_count_boards_and_milestones_alike(admin: Club) -> None:
    for path in ("/admin", "/admin/challenges"):
        page = await admin.client.get(path)
        assert "2 boards, 1 milestone" in page.text


async def test_teams_without_names_are_numbered_in_the_organiser_s_language(admin: Club) -> None:
    path = "/challenges/main/teams"
    polish = {"Accept-Language": "pl"}

    async def deal(**fields: str) -> list[str]:
        answer = await admin.client.post(f"/admin{path}/deal", data={"how": "evenly", **fields}, headers=polish)
        assert answer.status_code == 303
        page = (await admin.client.get(f"/admin{path}", headers=polish)).text
        return re.findall(rf'<th scope="row"><a href="/admin{path}/\d+">([^<]+)</a>', page)

    assert await deal(count="2") == ["Drużyna 1", "Drużyna 2"]
    await admin.hear(member(8, "Hubert O."))
    assert await deal(count="1") == ["Drużyna 1", "Drużyna 2", "Drużyna 3"]
    assert await deal(count="1", everybody="yes") == ["Drużyna 1"]
    assert "Drużyna 1, Drużyna 2 i tak dalej" in (await admin.client.get(f"/admin{path}", headers=polish)).text


async def test_a_key_is_shown_once_and_revoked(admin: Club) -> None:
    none = await admin.client.post("/admin/keys", data={"name": "Results"})
    assert none.status_code == 422
    assert 'id="f-scopes-problem"' in none.text
    made = await admin.client.post("/admin/keys", data={"name": "Results", "scopes": ["read", "teams"]})
    assert made.headers["cache-control"] == "no-store"
    assert 'value="gruppetto_1_' in made.text
    assert "gruppetto_1_" not in (await admin.client.get("/admin/keys")).text
    page = await post(admin, "/keys/1/revoke", {}, "key-revoked")
    assert "revoked" in page.text
    again = await admin.client.post("/admin/keys", data={"name": "Results", "scopes": ["read"]})
    assert again.status_code == 409


async def test_a_log_without_entries_says_why(admin: Club) -> None:
    assert "Nothing has been changed yet." in (await admin.client.get("/admin/log")).text
    assert "Nothing fits that." in (await admin.client.get("/admin/log?subject=nothing")).text


async def test_what_organisers_did_is_in_the_log_in_words(admin: Club) -> None:
    await post(admin, f"/participants/{user_id(5)}/hide", {}, "participant-hidden")
    page = await admin.client.get("/admin/log?action=participant.hidden")
    assert "hid a participant" in page.text
    assert f'<a href="/admin/participants/{user_id(5)}">Filip J.</a>' in page.text


@pytest.mark.parametrize(
    ("path", "start"),
    [
        ("boards/main/running.csv", "place"),
        ("boards/main/running.json", "{"),
        ("activities.csv?sport_type=Run", "strava_id"),
        ("activities.json", "["),
        ("audit-log.csv", "id,at"),
        ("audit-log.json?action=board.added", "["),
    ],
)
async def test_files_are_downloaded(admin: Club, path: str, start: str) -> None:
    answer = await admin.client.get(f"/admin/exports/{path}")
    assert answer.status_code == 200
    assert answer.text.removeprefix("\ufeff").casefold().startswith(start)
    assert answer.headers["content-disposition"].startswith("attachment")


async def test_without_sync_the_overview_says_so_and_shows_the_rest(admin: Club) -> None:
    page = await admin.client.get("/admin")
    assert "How fetching goes cannot be told at the moment." in page.text
    assert "Spring" in page.text


async def test_the_budget_of_strava_is_a_gauge(
    database: Database, leaderboard_database: Database, auth: FakeAuth
) -> None:
    await empty_tables(leaderboard_database, LeaderboardBase.metadata)
    answer = httpx.Response(200, text=SYNC_STATUS.model_dump_json())
    sync = SyncClient("http://sync", "key", httpx.MockTransport(lambda _: answer))
    auth.sign_in_as(4, "Ela N.", is_admin=True)
    app = build(database, RealLeaderboard(leaderboard_database, sync=sync), auth)
    headers = {"Sec-Fetch-Site": "same-origin"}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(base_url="https://club.example", transport=transport, headers=headers) as client:
        await sign_in(client)
        page = await client.get("/admin")
    assert page.text.count('<meter min="0" max="100" value="20"') == 2
    assert "<strong>20 of 100 used</strong>, 80 left" in page.text
    await sync.close()


async def test_while_leaderboard_is_away_forms_keep_their_input(
    client: httpx.AsyncClient, leaderboard: FakeLeaderboard, auth: FakeAuth
) -> None:
    auth.sign_in_as(4, "Ela N.", is_admin=True)
    await sign_in(client)
    leaderboard.away = True
    forms = {
        "/new-challenge": NEW,
        "/challenges/main/edit": {**NEW, "edition": "0"},
        "/challenges/main/clone": {"name": "Zima w Łodzi", "first_day": "2027-02-01", "last_day": "2027-02-28"},
        "/challenges/main/new-board": {**BOARD, **RUNS, "name": "Zima w Łodzi"},
        "/challenges/other/new-board": {**BOARD, **RUNS, "do": "preview", "name": "Zima w Łodzi"},
        "/challenges/main/teams/deal": {"names": "Zima w Łodzi", "how": "evenly"},
        "/challenges/main/teams/1": {"name": "Zima w Łodzi"},
        "/keys": {"name": "Zima w Łodzi", "scopes": "read"},
        "/activities/1/exclude": {"reason": "Zima w Łodzi"},
    }
    for path, fields in forms.items():
        page = await client.post(f"/admin{path}", data=fields)
        assert page.status_code == 503, path
        assert "a part of the site is away" in page.text, path
        assert "Zima w Łodzi" in page.text or "exclude" in path, path
    for path in ("/challenges/main/close", "/challenges/main/delete", f"/participants/{user_id(5)}/hide", "/sync"):
        page = await client.post(f"/admin{path}")
        assert page.status_code == 503, path
        assert "a part of the site is away" in page.text, path
    overview = await client.get("/admin")
    assert overview.status_code == 200
    assert "The challenges cannot be read at the moment." in overview.text
