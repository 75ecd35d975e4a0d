"""auth, sync, ingest and web as operators see them, in this process, and the command line in front of them."""

import json
from dataclasses import dataclass, field
from uuid import UUID

import httpx
from click.testing import Result
from pydantic import BaseModel
from typer.testing import CliRunner

from ops.cli import app
from shared.contracts.auth_api import Admin, AdminList, UnreadableToken, VaultPage
from shared.contracts.error_body import ErrorBody
from shared.contracts.web_api import RevokedSessions, Session, SessionList

AUTH_KEY, SYNC_KEY, INGEST_KEY, LEADERBOARD_KEY, WEB_KEY = (
    f"canary-of-{name}-0123456789" for name in ("auth", "sync", "ingest", "leaderboard", "web")
)
#: With a user and a password, which have to stay out of sight and out of the way.
ENV = {
    "AUTH_URL": "http://somebody:canary-password@auth.test:8001",
    "AUTH_OPERATOR_KEY": AUTH_KEY,
    "SYNC_INTERNAL_URL": "http://somebody:canary-password@sync.test:9002",
    "SYNC_OPERATOR_KEY": SYNC_KEY,
    "INGEST_INTERNAL_URL": "http://somebody:canary-password@ingest.test:9003",
    "INGEST_OPERATOR_KEY": INGEST_KEY,
    "LEADERBOARD_INTERNAL_URL": "http://somebody:canary-password@board.test:9004",
    "LEADERBOARD_OPERATOR_KEY": LEADERBOARD_KEY,
    "WEB_INTERNAL_URL": "http://somebody:canary-password@web.test:9005/",
    "WEB_OPERATOR_KEY": WEB_KEY,
}
NOT_FOUND = "This athlete is no admin."
CONFIGURED = "This admin is named in ADMIN_ATHLETE_IDS. Take the id out there and restart auth."


def gruppetto(transport: httpx.BaseTransport | None, *words: str, **env: str | None) -> Result:
    """The command, run to its end; None takes a setting away. It never shows a secret."""
    done = CliRunner().invoke(app, words, env=ENV | env, obj=transport)
    assert "canary" not in done.output
    return done


def refusal(status: int, code: str, message: str) -> httpx.Response:
    """An error's answer."""
    return httpx.Response(status, content=ErrorBody(code=code, message=message).model_dump_json())


@dataclass
class FakeServer(httpx.BaseTransport):
    """Lets in whoever shows the key; `script` is consumed call by call, None lets the server answer."""

    key: str
    script: list[httpx.Response | BaseException | None] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """One call."""
        self.calls.append(f"{request.method} {request.url.raw_path.decode()}")
        step = self.script.pop(0) if self.script else None
        if isinstance(step, BaseException):
            raise step
        if step is not None:
            return step
        if request.headers.get("Authorization") != f"Bearer {self.key}":
            return refusal(403, "forbidden", "That is not yours to do.")
        return self.answer(request)

    def answer(self, request: httpx.Request) -> httpx.Response:
        """What the server answers to who is let in."""
        raise NotImplementedError


@dataclass
class FakeAuth(FakeServer):
    """auth: admins by athlete id, and a vault with one token in each row."""

    key: str = AUTH_KEY
    active: str = "new"
    admins: dict[int, Admin] = field(default_factory=dict)
    vault: dict[UUID, str] = field(default_factory=dict)  # the key of each row
    altered: set[UUID] = field(default_factory=set)
    encrypted: list[UUID] = field(default_factory=list)

    def answer(self, request: httpx.Request) -> httpx.Response:
        """The routes for operators."""
        match request.method, request.url.path.split("/")[1:]:
            case "GET", ["admins"]:
                admins = tuple(self.admins[athlete_id] for athlete_id in sorted(self.admins))
                return httpx.Response(200, content=AdminList(admins=admins).model_dump_json())
            case "PUT", ["admins", athlete_id]:
                stranger = Admin(athlete_id=int(athlete_id), source="command", user_id=None, display_name=None)
                admin = self.admins.setdefault(int(athlete_id), stranger)
                return httpx.Response(200, content=admin.model_dump_json())
            case "DELETE", ["admins", athlete_id]:
                return self._remove(int(athlete_id))
            case ("GET", ["vault"]) | ("POST", ["vault", "rotate"]):
                limit, after = int(request.url.params["limit"]), request.url.params.get("after")
                page = self._page(limit, UUID(after) if after else None, encrypt=request.method == "POST")
                return httpx.Response(200, content=page.model_dump_json())
            case _:
                return httpx.Response(404, json={"detail": "Not Found"})

    def _remove(self, athlete_id: int) -> httpx.Response:
        admin = self.admins.get(athlete_id)
        if admin is None:
            return refusal(404, "not_found", NOT_FOUND)
        if admin.source == "configuration":
            return refusal(409, "conflict", CONFIGURED)
        del self.admins[athlete_id]
        return httpx.Response(204)

    def _page(self, limit: int, after: UUID | None, *, encrypt: bool) -> VaultPage:
        rows = [row for row in sorted(self.vault) if after is None or row > after][:limit]
        outdated = [row for row in rows if self.vault[row] != self.active and row not in self.altered]
        if encrypt:
            self.encrypted += outdated
            self.vault |= dict.fromkeys(outdated, self.active)
        keys = [self.vault[row] for row in rows]
        return VaultPage(
            rows=len(rows),
            rows_by_key={key: keys.count(key) for key in keys},
            rotated=len(outdated) if encrypt else 0,
            unreadable=tuple(
                UnreadableToken(table="tokens", row=row, column="refresh", key_id=self.vault[row])
                for row in rows
                if row in self.altered
            ),
            next_after=rows[-1] if len(rows) == limit else None,
        )


@dataclass
class FakeWeb(FakeServer):
    """web: sessions by id."""

    key: str = WEB_KEY
    sessions: dict[str, Session] = field(default_factory=dict)

    def answer(self, request: httpx.Request) -> httpx.Response:
        """The routes for operators."""
        user = request.url.params.get("user_id")
        match request.method, request.url.path.split("/")[1:]:
            case "GET", ["sessions"]:
                found = tuple(session for session in self.sessions.values() if str(session.user_id) == user)
                return httpx.Response(200, content=SessionList(sessions=found).model_dump_json())
            case "DELETE", ["sessions"]:
                ended = [session.id for session in self.sessions.values() if str(session.user_id) == user]
            case "DELETE", ["sessions", session_id]:
                ended = [session_id] if session_id in self.sessions else []
            case _:
                return httpx.Response(404, json={"detail": "Not Found"})
        for session_id in ended:
            del self.sessions[session_id]
        return httpx.Response(200, content=RevokedSessions(revoked=len(ended)).model_dump_json())


@dataclass
class FakeSync(FakeServer):
    """sync: what it answers by path."""

    key: str = SYNC_KEY
    answers: dict[str, BaseModel] = field(default_factory=dict)

    def answer(self, request: httpx.Request) -> httpx.Response:
        """The routes for operators; of athletes one page for each `after`."""
        after = request.url.params.get("after", "")
        return httpx.Response(200, content=self.answers[request.url.path + after].model_dump_json())


@dataclass
class FakeIngest(FakeSync):
    """ingest, likewise."""

    key: str = INGEST_KEY


def json_of(done: Result) -> object:
    """The JSON on stdout of a command that succeeded and had nothing else to say."""
    assert (done.exit_code, done.stderr) == (0, "")
    return json.loads(done.stdout)
