"""The organisers' panel over the real leaderboard."""

from datetime import UTC, datetime, timedelta

import pytest
from leaderboard_helpers import add_challenge
from web_club import Club, member
from web_fakes import user_id

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
