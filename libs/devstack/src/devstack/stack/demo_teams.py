"""The teams of the demo: who is in which, and how they get there, through the pages that people use."""

import asyncio
import re
import time
from collections.abc import Iterator

from devstack.stack.browser import Browser, Page

#: Team -> how many of the club are in it; a team of the default challenge has room for five.
SEATS = {
    "Żwawe Żółwie": 4,
    "Śniadanie Club": 5,
    "Błotni Rycerze": 4,
    "Łódź Night Owls": 3,
    "Wiślane Ważki": 4,
}
SMALLEST_TEAM = 3  # a smaller club has fewer teams
LONER_EVERY = 6  # of the club; the first one is free, too, because visitors sign in as that one
TEAMS_PATH = "/c/main/teams"
JOIN_TIMEOUT_S = 15.0
RETRY_S = 0.25


def choose_teams(athletes: int) -> list[str | None]:
    """The team of each athlete of the club, in its order; None for those who are in none."""
    joining = [number for number in range(athletes) if number % LONER_EVERY]
    count = min(len(SEATS), max(1, len(joining) // SMALLEST_TEAM))
    teams = dict(zip(joining, _list_seats(dict(list(SEATS.items())[:count])), strict=False))
    return [teams.get(number) for number in range(athletes)]


def _list_seats(seats: dict[str, int]) -> Iterator[str]:
    """Each team as often as it has seats, in turn."""
    for taken in range(max(seats.values())):
        yield from (team for team, size in seats.items() if size > taken)


async def join_team(browser: Browser, web_url: str, team: str) -> bool:
    """Join the team of this name, or create it if there is none; whoever is in a team stays there.

    Returns whether they are in a team: this one may be full, and the challenge closed. Raises StackError when a page
    cannot be loaded.
    """
    deadline = time.monotonic() + JOIN_TIMEOUT_S
    while time.monotonic() < deadline:
        page = await browser.open(f"{web_url}{TEAMS_PATH}")
        if page.find_form(f"{TEAMS_PATH}/leave") is not None:
            return True
        address = page.links.get(team)
        path = f"{TEAMS_PATH}/new" if address is None else f"{address}/join"
        form = await browser.open(f"{web_url}{path}") if address is None else page
        if form.find_form(path) is None:
            return False
        if _is_of_team(await browser.submit(form, path, {"name": team} if address is None else {})):
            return True
        # Whoever has just signed in takes part as soon as leaderboard has heard of it.
        await asyncio.sleep(RETRY_S)
    return False


def _is_of_team(page: Page) -> bool:
    return page.status == 200 and re.fullmatch(rf"{TEAMS_PATH}/\d+", page.url.path) is not None
