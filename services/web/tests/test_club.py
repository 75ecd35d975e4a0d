"""The board pages over the real leaderboard."""

from datetime import UTC, datetime, timedelta

from leaderboard_helpers import add_challenge
from web_club import Club, member
from web_fakes import user_id

from testkit.events import recorded


async def test_a_board_shows_who_ran_and_the_viewer_where_they_are(club: Club) -> None:
    today = datetime.now(UTC).date()
    await add_challenge(club.leaderboard, (today - timedelta(days=3), today + timedelta(days=3)), "Spring")
    await club.join(4)
    await club.hear(
        member(5, "Filip J."),
        recorded(1, user_id=user_id(4), km=5, local_start=datetime.combine(today, datetime.min.time())),
        recorded(2, user_id=user_id(5), km=9, local_start=datetime.combine(today, datetime.min.time())),
    )
    page = await club.client.get("/")
    assert "Spring" in page.text
    assert page.text.index("Filip J.") < page.text.index(f'id="p-{user_id(4)}" class="me"')
    assert "<span>My place:</span> <b>2</b>" in page.text
