"""The pages as HTML, over fakes of the other services."""

import httpx
from web_fakes import FakeLeaderboard


async def test_home_shows_the_first_board_of_the_current_challenge(client: httpx.AsyncClient) -> None:
    page = await client.get("/")
    assert page.status_code == 200
    assert "Autumn Kilometres" in page.text
    assert "Ania K." in page.text
    assert "13 days left" in page.text
