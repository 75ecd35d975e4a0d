"""The site over the real leaderboard: what people did becomes boards as it does in production, step by step."""

from dataclasses import dataclass, field

import httpx
import leaderboard_helpers
from fastapi import FastAPI
from web_fakes import FakeAuth, user_id
from web_sign_in import sign_in

from leaderboard.sync_client import SyncClient
from shared.contracts.events import Event, StandingsChanged, SyncFinished, UserAuthorized
from shared.database.engine import Database
from testkit import handling
from testkit.events import authorized


@dataclass
class RealLeaderboard:
    """leaderboard's own application and handlers on a database; `sync` is how it asks how fetching goes."""

    database: Database
    key: str = leaderboard_helpers.WEB_KEY
    sync: SyncClient | None = None

    def app(self) -> FastAPI:
        return leaderboard_helpers.create_app(self.database, self.sync)


def member(number: int, name: str) -> UserAuthorized:
    """The event that somebody takes part."""
    return authorized(user_id(number), name, athlete_id=100 + number)


@dataclass
class Club:
    """A browser at the site, and what happens behind it. `leaderboard` is leaderboard's own database."""

    client: httpx.AsyncClient
    auth: FakeAuth
    leaderboard: Database
    sites: list[FastAPI] = field(default_factory=list)  # those that hear what leaderboard emits

    def __post_init__(self) -> None:
        self.sites.append(self.client.app)  # type: ignore[attr-defined]

    async def hear(self, *events: Event) -> None:
        """leaderboard hears these events, as far as they are for it, and all boards are current."""
        await leaderboard_helpers.handle(self.leaderboard, *events)
        await self.settle()
        for event in events:
            if isinstance(event, SyncFinished):
                for site in self.sites:
                    await site.state.live_pages.changes.note_fetch(event)

    async def settle(self) -> None:
        """Until everything is shown by the rules of now, and the site has heard of it, and asks anew."""
        await leaderboard_helpers.build(self.leaderboard)
        emitted = await handling.emitted(self.leaderboard, StandingsChanged.topic)
        changes = [StandingsChanged.model_validate(body) for _, body in emitted]
        for site in self.sites:
            site.state.challenges.mark_stale()
            for change in changes:  # again and again, as a broker may
                await site.state.boards.mark_stale(change)
                await site.state.live_pages.changes.note_change(change)

    async def join(self, number: int, name: str = "Ela N.", *, is_admin: bool = False) -> None:
        """Somebody who takes part signs in with this browser."""
        self.auth.sign_in_as(number, name, is_admin=is_admin)
        await self.hear(member(number, name))
        await sign_in(self.client)
