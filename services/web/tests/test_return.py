"""Signing in leads back to the page that was wanted, and to no other site."""

import re
import warnings
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from web_fakes import FakeAuth, FakeLeaderboard
from web_harness import build
from web_sign_in import complete_sign_in, sign_in, start_sign_in

from shared.database.engine import Database
from testkit.databases import execute
from web.http.local_pages import MAX_LENGTH, find_page, join_path

SITE = "https://club.example"
#: Pages that nobody is led back to: those of signing in, of who has left, and those that stand alone.
ELSEWHERE = {"/join", "/goodbye", "/static/{path}", "/c/{challenge}/{board}/{layout}"}
HOSTILE = [
    *("https://evil.example/settings", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example"),
    *(
        "/\t/evil.example",
        "/\n/evil.example",
        "/settings\r\nLocation: //evil.example",
        "javascript:alert(1)",
        "settings",
    ),
    *(
        "/settings//evil.example",
        "/c//evil.example",
        "/..//evil.example",
        "/c/../join",
        "/settings/..",
        "/@evil.example",
    ),
    *(
        "/settings?next=//evil.example",
        "/settings?\\",
        "/settings#@evil.example",
        "/settings\x00",
        " /settings",
        "/%2f/x",
    ),
    *("/join", "/join?to=/join", "/auth/strava/callback?state=x&code=y", "/sign-out", "/preferences", "/goodbye"),
    *("/live/c/main/running", "/static/site.css", "/c/main/running.csv", "/c/main/running/mine", "/c/main/me/sync"),
    *(
        "/settings/download",
        "/welcome/import",
        "/admin/exports/activities.csv",
        "/sessions",
        "/nowhere",
        "/s\u0435ttings",
    ),
    *("/SETTINGS", "/settings\n", "/c/" + "x" * 81, "/settings?a=" + "x" * MAX_LENGTH, ""),
]
_CHARACTERS = st.sampled_from(
    [*"/\\.:?&=%#@;,+-_~ \t\r\n\0\u2215\uff0f\u202eeé0aZ", "//", "/c/", "/settings", "evil.example"]
)


@pytest.mark.parametrize("address", HOSTILE)
def test_what_is_no_page_of_this_site_leads_nowhere(address: str) -> None:
    assert find_page(address) == ""
    assert join_path(address) == "/join"


@given(st.text() | st.lists(_CHARACTERS).map("".join) | st.lists(_CHARACTERS).map(lambda parts: "/" + "".join(parts)))
@example("/c/main/running?view=teams")
def test_whatever_is_wanted_a_browser_stays_on_pages_of_this_site(address: str) -> None:
    page = find_page(address)
    assert find_page(page) == page
    if page:
        assert len(page) <= MAX_LENGTH
        assert re.fullmatch(r"/(?!/)[\x21-\x7e]*", page)
        assert not set(page) & set("\\#\"'<>;@")
        assert "//" not in page
        assert urljoin(f"{SITE}/auth/strava/callback", page) == SITE + page
        assert page.split("?")[0].split("/")[1] in {"", "c", "admin", "settings", "privacy", "terms", "welcome"}
        assert parse_qs(urlsplit(join_path(page)).query).get("to", ["/"]) == [page]


def test_every_page_can_be_led_back_to(database: Database) -> None:
    fitting, pages = {"user_id": "0193-a", "team_id": "7", "key_id": "7"}, 0
    with warnings.catch_warnings(action="ignore"):  # about duplicate operation ids, which do not matter here
        paths = build(database, FakeLeaderboard(), FakeAuth()).openapi()["paths"]
    for path, methods in paths.items():
        address = re.sub(r"\{(\w+)\}", lambda name: fitting.get(name[1], "some-thing"), path)
        is_page = "head" in methods and path not in ELSEWHERE
        pages += is_page
        if is_page:
            assert find_page(address) == address
        elif "get" in methods:
            assert find_page(address) == ""
    assert pages > 30


@pytest.mark.parametrize(
    ("asked", "page"),
    [
        ("/settings", "/settings"),
        ("/admin", "/admin"),
        ("/c/autumn/me", "/c/autumn/me"),
        ("/c/autumn/me?until=2026-11-01&said=excluded", "/c/autumn/me?until=2026-11-01"),
        ("/admin/activities?person=Zo%C3%AB&sport=Run", "/admin/activities?person=Zo%C3%AB&sport=Run"),
    ],
)
async def test_who_is_known_gets_to_the_page_that_they_wanted(
    client: httpx.AsyncClient, asked: str, page: str
) -> None:
    led = await client.get(asked)
    form = await client.get(led.headers["location"])
    assert "That page is for people who are signed in." in form.text
    [to] = re.findall('<input type="hidden" name="to" value="([^"]*)">', form.text)
    back = await complete_sign_in(client, await start_sign_in(client, to=to.replace("&amp;", "&")))
    assert (back.status_code, back.headers["location"]) == (303, page)


async def test_two_tabs_get_each_to_its_own_page(client: httpx.AsyncClient) -> None:
    first, second = await start_sign_in(client, to="/settings"), await start_sign_in(client, to="/c/autumn/me")
    third = await start_sign_in(client)
    assert (await complete_sign_in(client, second)).headers["location"] == "/c/autumn/me"
    assert (await complete_sign_in(client, first)).headers["location"] == "/settings"
    assert (await complete_sign_in(client, third)).headers["location"] == "/c/autumn/running"


async def test_who_is_new_is_welcomed_first(client: httpx.AsyncClient, auth: FakeAuth) -> None:
    auth.first_time = True
    back = await complete_sign_in(client, await start_sign_in(client, to="/settings"))
    assert back.headers["location"] == "/welcome"


@pytest.mark.parametrize("to", [address for address in HOSTILE if address != "/welcome"])
async def test_an_address_that_somebody_else_made_up_leads_to_the_board(client: httpx.AsyncClient, to: str) -> None:
    assert 'name="to"' not in (await client.get("/join", params={"to": to})).text
    back = await complete_sign_in(client, await start_sign_in(client, to=to))
    assert (back.status_code, back.headers["location"]) == (303, "/c/autumn/running")


async def test_what_comes_back_from_auth_is_looked_at_again(client: httpx.AsyncClient, auth: FakeAuth) -> None:
    state = await start_sign_in(client, to="/settings")
    auth.states[state] = auth.states[state].model_copy(update={"return_to": "//evil.example"})
    assert (await complete_sign_in(client, state)).headers["location"] == "/c/autumn/running"


async def test_who_forgets_the_box_still_gets_to_the_page(client: httpx.AsyncClient) -> None:
    answer = await client.post("/join", data={"to": "/settings"})
    assert answer.status_code == 422
    assert '<input type="hidden" name="to" value="/settings">' in answer.text


async def test_another_language_on_the_way_does_not_lose_the_page(client: httpx.AsyncClient) -> None:
    form = await client.get("/join", params={"to": "/settings", "again": "1"})
    assert '<input type="hidden" name="back" value="/join?to=/settings&amp;again=1">' in form.text
    back = await client.post("/preferences", data={"back": "/join?to=/settings&again=1", "lang": "pl"})
    assert back.headers["location"] == "/join?to=/settings&again=1"


@pytest.mark.parametrize(
    ("page", "to"),
    [
        ("/c/autumn/running", "?to=/c/autumn/running"),
        ("/c/autumn/running?live=0&from=elsewhere", "?to=/c/autumn/running"),
        ("/privacy", "?to=/privacy"),
        ("/", ""),
        ("/nowhere", ""),
    ],
)
async def test_public_pages_lead_to_signing_in_and_back(client: httpx.AsyncClient, page: str, to: str) -> None:
    assert f'<a class="button small" href="/join{to}">Join</a>' in (await client.get(page)).text


async def test_a_challenge_for_participants_leads_them_back_to_it(
    client: httpx.AsyncClient, leaderboard: FakeLeaderboard
) -> None:
    leaderboard.visibility = "members"
    page = await client.get("/c/autumn/cycling")
    assert '<a class="button" href="/join?to=/c/autumn/cycling">Join or sign in</a>' in page.text


async def test_a_form_that_was_sent_too_late_says_so_and_leads_back_to_its_page(client: httpx.AsyncClient) -> None:
    page = "/admin/challenges/autumn/edit?from=2"
    late = await client.post("/admin/challenges/autumn/edit", data={"name": "A"}, headers={"Referer": SITE + page})
    assert late.headers["location"] == "/join?to=/admin/challenges/autumn/edit%3Ffrom%3D2&said=not-saved"
    form = await client.get(late.headers["location"])
    assert "nothing was saved" in form.text
    assert '<input type="hidden" name="to" value="/admin/challenges/autumn/edit?from=2">' in form.text


@pytest.mark.parametrize(
    "referer", [f"{SITE}//evil.example", f"{SITE}/join?to=/admin", "http://[", "about:blank", ""]
)
async def test_a_form_of_an_odd_page_leads_to_the_board(client: httpx.AsyncClient, referer: str) -> None:
    late = await client.post("/settings/name", data={"display_name": "A"}, headers={"Referer": referer})
    assert late.headers["location"] == "/join?said=not-saved"


async def test_a_script_whose_session_has_ended_has_the_whole_page_lead_to_signing_in(
    client: httpx.AsyncClient,
) -> None:
    headers = {"HX-Request": "true", "Referer": f"{SITE}/c/autumn/me?until=2026-11-01"}
    back = "/join?to=/c/autumn/me%3Funtil%3D2026-11-01&said="
    answer = await client.post("/c/autumn/me/activities/1", data={"choice": "exclude"}, headers=headers)
    assert (answer.status_code, answer.text, answer.headers["hx-redirect"]) == (200, "", f"{back}not-saved")
    answer = await client.get("/c/autumn/me/sync?polls=1", headers=headers)
    assert answer.headers["hx-redirect"] == f"{back}sign-in"


async def test_who_disconnected_strava_connects_again_and_is_back_in_the_settings(
    client: httpx.AsyncClient, database: Database
) -> None:
    await sign_in(client)
    await execute(database, "update sessions set strava = 'disconnected'")
    page = (await client.get("/settings")).text
    assert page.count('<a class="button small" href="/join?to=/settings">Connect again</a>') == 2
