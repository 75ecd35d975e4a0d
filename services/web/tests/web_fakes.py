"""Fakes of leaderboard and auth: small applications with a state that tests change."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from shared.contracts.auth_api import (
    AuthorizationRequest,
    AuthorizationResponse,
    AuthorizationStatus,
    AuthorizeOrigin,
    AuthorizeUrl,
    Rename,
    SignedInUser,
    User,
)
from shared.contracts.error_body import ErrorBody
from shared.contracts.leaderboard_api import BoardInfo, BoardMetric, BoardStandings, ChallengeInfo, StandingEntry

# fmt: off
NAMES = [
    "Ania K.", "Bartek W.", "Celina Z.", "Dominik Ś.", "Ela N.", "Filip J.", "Grażyna B.", "Hubert O.",
    "Iza M.", "Janek P.", "Kasia T.", "Łukasz D.", "Magda R.", "Norbert C.", "Ola Ż.", "Paweł G.",
    "Renata S.", "Szymon L.", "Tomek A.", "Ula Ć.", "Wojtek H.", "Zuzanna Konstancja F.", "Żaneta E.",
]
# fmt: on

BOARDS = (
    BoardInfo(slug="running", name="Running", metric=BoardMetric.DISTANCE),
    BoardInfo(slug="cycling", name="Cycling", metric=BoardMetric.DISTANCE),
    BoardInfo(slug="climbing", name="Climbing", metric=BoardMetric.ELEVATION),
)


def user_id(number: int) -> UUID:
    return UUID(int=0x01930000_0000_7000_8000_000000000000 + number)


def entry(number: int, distance_km: float, **changes: Any) -> StandingEntry:
    """A row without its place, which the fake leaderboard gives it."""
    usual: dict[str, Any] = {
        "place": 1,
        "user_id": user_id(number),
        "display_name": NAMES[number % len(NAMES)],
        "distance_m": distance_km * 1000,
        "moving_time_s": int(distance_km * 335),
        "elev_gain_m": distance_km * 9.3,
        "activities": max(1, int(distance_km / 9)),
    }
    return StandingEntry(**{**usual, **changes})


def club(size: int = len(NAMES)) -> list[StandingEntry]:
    return [entry(number, round(412.7 * 0.86**number, 1)) for number in range(size)]


@dataclass
class FakeLeaderboard:
    """Places follow the order of distance, whatever the metric says; that is enough for pages."""

    rows: list[StandingEntry] = field(default_factory=club)
    boards: tuple[BoardInfo, ...] = BOARDS
    name: str = "Autumn Kilometres"
    exists: bool = True
    visibility: str = "public"
    first_day: date = field(default_factory=lambda: datetime.now(UTC).date() - timedelta(days=20))
    last_day: date = field(default_factory=lambda: datetime.now(UTC).date() + timedelta(days=12))
    revision: int = 7
    away: bool = False
    asked: int = 0
    key: str = "key"

    def challenge(self) -> ChallengeInfo:
        return ChallengeInfo(
            slug="autumn",
            name=self.name,
            first_day=self.first_day,
            last_day=self.last_day,
            time_zone="Europe/Warsaw",
            visibility=self.visibility,
            boards=self.boards,
        )

    def standings(self, board: str) -> BoardStandings | None:
        found = [one for one in self.boards if one.slug == board]
        if not (self.exists and found):
            return None
        ranked = sorted(self.rows, key=lambda one: -one.distance_m)
        distances = [one.distance_m for one in ranked]
        return BoardStandings(
            challenge=self.challenge(),
            board=found[0],
            revision=self.revision,
            as_of=datetime(2026, 11, 22, 20, tzinfo=UTC),
            rows=tuple(one.model_copy(update={"place": distances.index(one.distance_m) + 1}) for one in ranked),
        )

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.middleware("http")
        async def away(request: Request, call_next: Any) -> Any:
            self.asked += 1
            return _error(503, "unavailable") if self.away else await call_next(request)

        @app.get("/challenges")
        async def challenges() -> tuple[ChallengeInfo, ...]:
            return (self.challenge(),) if self.exists else ()

        @app.get("/challenges/{slug}/boards/{board}")
        async def board(slug: str, board: str, limit: int, offset: int = 0, around: UUID | None = None) -> Any:
            found = self.standings(board) if slug == "autumn" else None
            if found is None:
                return _error(404, "not_found")
            if around is not None:
                offset = next((at for at, row in enumerate(found.rows) if row.user_id == around), len(found.rows))
            rows = found.rows[offset : offset + limit]
            if around is not None and not rows:
                return _error(404, "not_found")
            return found.model_copy(update={"rows": rows, "offset": offset, "participants": len(found.rows)})

        return app


@dataclass
class FakeAuth:
    """Sends people to `authorize`, and lets in who brings back a state of theirs, unless `refusal` says otherwise."""

    authorize: str = "https://strava.example/oauth/authorize"
    user: UUID = field(default_factory=lambda: user_id(4))
    name: str = "Ela N."
    is_admin: bool = False
    first_time: bool = False
    status: AuthorizationStatus = "authorized"
    scopes: tuple[str, ...] = ("read", "activity:read")
    renamed: list[str] = field(default_factory=list)
    disconnected: list[UUID] = field(default_factory=list)
    erased: list[UUID] = field(default_factory=list)
    refusal: tuple[int, str] | None = None
    begun: list[AuthorizationRequest] = field(default_factory=list)
    answers: list[AuthorizationResponse] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    states: dict[str, AuthorizationRequest] = field(default_factory=dict)

    def sign_in_as(self, number: int, name: str, *, is_admin: bool = False) -> None:
        """The next one who signs in."""
        self.user, self.name, self.is_admin = user_id(number), name, is_admin

    def app(self) -> FastAPI:
        app = FastAPI()
        self._add_users(app)

        @app.get("/authorizations/origin")
        async def origin() -> AuthorizeOrigin:
            return AuthorizeOrigin(origin=self.authorize.partition("/oauth")[0].partition("/test")[0])

        @app.post("/authorizations")
        async def begin(request: Request, wanted: AuthorizationRequest) -> Any:
            self.keys.add(request.headers["authorization"])
            self.begun.append(wanted)
            if self.refusal and self.refusal[0] == 429:
                return _error(*self.refusal)
            state = f"state-{len(self.begun)}"
            self.states[state] = wanted
            return AuthorizeUrl(url=f"{self.authorize}?state={state}")

        @app.post("/sign-ins")
        async def sign_in(answer: AuthorizationResponse) -> Any:
            self.answers.append(answer)
            if self.refusal:
                return _error(*self.refusal)
            begun = self.states.get(answer.state)
            if begun is None or begun.browser != answer.browser:
                return _error(409, "sign_in_expired")
            del self.states[answer.state]
            if answer.error:
                return _error(403, "access_denied")
            return SignedInUser(
                user_id=self.user,
                athlete_id=104,
                display_name=self.name,
                is_admin=self.is_admin,
                first_time=self.first_time,
                return_to=begun.return_to,
            )

        return app

    def _add_users(self, app: FastAPI) -> None:
        @app.get("/users/{user_id}")
        async def user(user_id: UUID) -> Any:
            return _error(*self.refusal) if self.refusal else self._user(user_id)

        @app.patch("/users/{user_id}")
        async def rename(user_id: UUID, wanted: Rename) -> Any:
            if self.refusal:
                return _error(*self.refusal)
            self.renamed.append(wanted.display_name)
            self.name = wanted.display_name.strip()
            return self._user(user_id)

        @app.delete("/users/{user_id}/authorization")
        async def disconnect(user_id: UUID) -> Any:
            if self.refusal:
                return _error(*self.refusal)
            self.disconnected.append(user_id)
            return Response(status_code=204)

        @app.delete("/users/{user_id}")
        async def erase(user_id: UUID) -> Any:
            if self.refusal:
                return _error(*self.refusal)
            self.erased.append(user_id)
            return Response(status_code=204)

    def _user(self, user_id: UUID) -> User:
        joined_at = datetime(2026, 11, 1, 9, tzinfo=UTC)
        return User(
            user_id=user_id,
            athlete_id=104,
            display_name=self.name,
            status=self.status,
            scopes=self.scopes,
            is_admin=self.is_admin,
            joined_at=joined_at,
            authorized_at=joined_at,
            consent_version="2026-11-29",
            consented_at=joined_at,
        )


def transport(app: FastAPI) -> httpx.ASGITransport:
    return httpx.ASGITransport(app)


def _error(status: int, code: str) -> JSONResponse:
    return JSONResponse(ErrorBody(code=code, message="Not now.").model_dump(), status)
