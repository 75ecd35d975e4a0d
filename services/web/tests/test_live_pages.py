"""What open pages are told of a challenge, and what it costs when they ask for their content again."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from leaderboard_helpers import add_challenge
from web_club import Club, member
from web_fakes import user_id

from shared.contracts.leaderboard_api import ChallengeInfo
from testkit.databases import execute
from testkit.events import recorded, sync_finished
from web.clients.leaderboard import LeaderboardClient
from web.live.changes import CHECK_INTERVAL_S, INTERVAL_S, OWN_DELAY_S, RETRY_INTERVAL_S, TOLD_PER_S, Changes
from web.live.messages import PING

ELA, FILIP = 4, 5
PROFILE = f"/c/main/p/{user_id(ELA)}"
PAGES = ("/c/main/milestones", "/c/main/milestones/40-hours", "/c/main/teams", PROFILE)


@pytest.fixture
async def spring(club: Club) -> Club:
    day = datetime.now(UTC).date()
    await add_challenge(club.leaderboard, (day - timedelta(days=9), day + timedelta(days=4)), "Spring")
    await club.hear(member(ELA, "Ela N."), member(FILIP, "Filip J."))
    return club


async def happen(club: Club, number: int, who: int = FILIP) -> None:
    """Somebody did something today."""
    start = datetime.combine(datetime.now(UTC).date(), datetime.min.time()) + timedelta(hours=number)
    await club.hear(recorded(number, user_id=user_id(who), local_start=start, start_at=start.replace(tzinfo=UTC)))


class Questions:
    """How often leaderboard is asked, and whether it is away."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.paths: list[str] = []
        self.away = False
        send = httpx.AsyncClient.send

        async def count(client: httpx.AsyncClient, request: httpx.Request, **options: Any) -> httpx.Response:
            if request.url.host == "leaderboard":
                self.paths.append(request.url.path)
                if self.away:
                    raise httpx.ConnectError("away")
            return await send(client, request, **options)

        monkeypatch.setattr(httpx.AsyncClient, "send", count)


@pytest.fixture
def questions(monkeypatch: pytest.MonkeyPatch) -> Questions:
    return Questions(monkeypatch)


class Clock:
    """A clock and pauses that the test moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)


async def find_challenge(club: Club) -> ChallengeInfo:
    app = club.client.app  # type: ignore[attr-defined]
    challenge = await app.state.challenges.find("main")
    assert isinstance(challenge, ChallengeInfo)
    return challenge


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def changes(spring: Club, clock: Clock) -> Changes:
    """Those of another replica, which hears of nothing but what a test tells it."""
    app = spring.client.app  # type: ignore[attr-defined]
    return Changes(LeaderboardClient(app.state.context.leaderboard), clock, clock.pause)


async def begin(changes: Changes, club: Club, known: str, who: int | None = None) -> Any:
    """A stream after its first bytes, which say nothing."""
    stream = changes.stream(await find_challenge(club), known, user_id(who) if who else None)
    assert await anext(stream) == PING
    return stream


async def test_a_page_is_told_of_a_revision_that_it_does_not_have(changes: Changes, spring: Club) -> None:
    revision = await changes.find_revision(await find_challenge(spring))
    stream = await begin(changes, spring, str(revision - 1))
    assert (await anext(stream)).decode() == f"id: {revision}\r\nevent: challenge-changed\r\n\r\n"
    await stream.aclose()


async def test_a_page_that_has_the_revision_is_told_nothing_until_an_event_was_missed(
    changes: Changes, spring: Club, clock: Clock
) -> None:
    revision = await changes.find_revision(await find_challenge(spring))
    stream = await begin(changes, spring, str(revision))
    waiting = asyncio.create_task(anext(stream))
    await happen(spring, 1)
    await changes.check()
    await asyncio.sleep(0)
    assert not waiting.done()
    clock.now += CHECK_INTERVAL_S
    await changes.check()
    assert b"challenge-changed" in await waiting
    await stream.aclose()


async def test_pages_are_told_at_different_moments_and_not_too_often(
    changes: Changes, spring: Club, clock: Clock
) -> None:
    await changes.find_revision(await find_challenge(spring))
    crowd = [await begin(changes, spring, "before") for _ in range(4 * TOLD_PER_S)]
    told = [asyncio.create_task(anext(stream)) for stream in crowd]
    await asyncio.gather(*told)
    assert 1 < max(clock.pauses) <= 4
    assert len(set(clock.pauses)) > len(crowd) / 2
    clock.pauses.clear()
    for stream in crowd[1:]:
        await stream.aclose()
    again = asyncio.create_task(anext(crowd[0]))
    await asyncio.sleep(0)
    assert clock.pauses == [INTERVAL_S]
    again.cancel()


async def test_what_is_fetched_of_somebody_is_told_to_their_own_pages(
    changes: Changes, spring: Club, clock: Clock
) -> None:
    known = str(await changes.find_revision(await find_challenge(spring)))
    own, other = [await begin(changes, spring, known, who) for who in (ELA, FILIP)]
    waiting = [asyncio.create_task(anext(stream)) for stream in (own, other)]
    await asyncio.sleep(0)
    await changes.note_fetch(sync_finished(user_id(ELA)))
    assert b"challenge-changed" in await waiting[0]
    assert clock.pauses == [OWN_DELAY_S]
    assert not waiting[1].done()
    waiting[1].cancel()


async def test_own_pages_are_told_now_and_then_though_nothing_is_heard(
    changes: Changes, spring: Club, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.live.changes.OWN_INTERVAL_S", 0.01)
    known = str(await changes.find_revision(await find_challenge(spring)))
    stream = await begin(changes, spring, known, ELA)
    assert known.encode() in await anext(stream)
    await stream.aclose()


async def test_while_leaderboard_is_away_nothing_is_told_and_then_what_was_missed(
    changes: Changes, spring: Club, questions: Questions, clock: Clock
) -> None:
    challenge = await find_challenge(spring)
    questions.away = True
    assert await changes.find_revision(challenge) == 0
    stream = await begin(changes, spring, "7")
    waiting = asyncio.create_task(anext(stream))
    await changes.check()
    assert questions.paths.count("/challenges/main/boards/running") == 1  # no more until a while has passed
    questions.away = False
    clock.now += RETRY_INTERVAL_S
    await changes.check()
    assert b"challenge-changed" in await waiting
    await stream.aclose()


async def test_strangers_who_come_at_once_cost_as_much_as_one(spring: Club, questions: Questions) -> None:
    for number, path in enumerate(PAGES, 1):
        await happen(spring, number)
        questions.paths.clear()
        pages = await asyncio.gather(*(spring.client.get(path) for _ in range(10)))
        assert {page.status_code for page in pages} == {200}
        assert len(questions.paths) == len(set(questions.paths)) > 0


@pytest.mark.parametrize("signed_in", [False, True])
async def test_a_page_that_a_change_is_not_about_is_not_sent_again(spring: Club, signed_in: bool) -> None:
    if signed_in:
        await spring.join(ELA)
    pages = {path: await spring.client.get(path) for path in PAGES}
    await happen(spring, 1)
    for path, page in pages.items():
        again = await spring.client.get(path, headers={"If-None-Match": page.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        whole = await spring.client.get(path)
        known = [int(re.findall(r'known=(\d+)"', text)[0]) for text in (page.text, whole.text)]
        assert 0 < known[0] < known[1]


async def test_a_page_that_a_change_is_about_is_another_one(spring: Club) -> None:
    page = await spring.client.get(PROFILE)
    await happen(spring, 1, ELA)
    again = await spring.client.get(PROFILE, headers={"If-None-Match": page.headers["etag"]})
    assert again.status_code == 200
    assert "10 km together." in again.text


async def test_what_an_address_does_not_mean_is_not_kept(spring: Club) -> None:
    for query in ("", "?board=running", "?board=nothing-like-that", "?said=x&live=1"):
        page = (await spring.client.get(f"{PROFILE}{query}")).text
        kept = "?board=running" if query == "?board=running" else ""
        assert f'hx-get="{PROFILE}{kept}"' in page
        assert f'href="{PROFILE}{kept}{"&amp;" if kept else "?"}live=0">Pause</a>' in page


async def test_who_may_not_see_a_challenge_is_told_nothing_of_it(spring: Club) -> None:
    for visibility, status in (("members", 403), ("hidden", 404)):
        await execute(spring.leaderboard, f"update challenges set visibility = '{visibility}'")
        await spring.settle()
        assert (await spring.client.get("/live/c/main")).status_code == status
    assert (await spring.client.get("/live/c/nothing-like-that")).status_code == 404
