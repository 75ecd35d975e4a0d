"""What leaderboard's routes depend on: who asks, and for whom."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Header, Request
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database.engine import Database
from shared.errors import Forbidden


@dataclass(frozen=True)
class ApiContext:
    """What `main` puts together."""

    database: Database
    web_key: str = field(repr=False)


@dataclass(frozen=True)
class Viewer:
    """Who reads: a user whom web has signed in, an organiser, or a stranger."""

    user_id: UUID | None = None
    is_organiser: bool = False


class Scope(StrEnum):
    """What an API key may be allowed; an organiser in the panel may everything."""

    READ = "read"  # what is hidden from strangers
    CHALLENGES = "challenges"
    PEOPLE = "people"  # participants and their activities
    TEAMS = "teams"
    SYNC = "sync"
    KEYS = "keys"


@dataclass(frozen=True)
class Actor:
    """Who changes something as an organiser: a user, or an API key by its name."""

    name: str
    user_id: UUID | None = None


async def get_context(request: Request) -> ApiContext:
    """The context of the application."""
    context: ApiContext = request.app.state.context
    return context


ContextDep = Annotated[ApiContext, Depends(get_context)]


async def _read_transaction(context: ContextDep) -> AsyncIterator[AsyncSession]:
    """All statements see the database as it was at the first one, so that no answer is half of another version."""
    async with context.database.transaction() as session:
        await session.connection(
            execution_options={"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        )
        yield session


ReadTransaction = Annotated[AsyncSession, Depends(_read_transaction, scope="function")]


def _is_web(context: ApiContext, authorization: str) -> bool:
    return secrets.compare_digest(authorization.encode(), f"Bearer {context.web_key}".encode())


async def get_viewer(
    context: ContextDep,
    authorization: Annotated[str, Header()] = "",
    gruppetto_user: Annotated[UUID | None, Header()] = None,
    gruppetto_organiser: Annotated[bool, Header()] = False,
) -> Viewer:
    """Whom web names, who alone is believed; everybody else is a stranger."""
    return Viewer(gruppetto_user, gruppetto_organiser) if _is_web(context, authorization) else Viewer()


async def require_web(context: ContextDep, authorization: Annotated[str, Header()] = "") -> None:
    """Only web acts for participants, whom it has signed in. Raises Forbidden."""
    if not _is_web(context, authorization):
        raise Forbidden


def require_scope(scope: Scope) -> Callable[..., Awaitable[Actor]]:  # noqa: ARG001
    """A dependency that gives the organiser who asks, if they may do that. Raises Forbidden."""

    async def get_actor(
        context: ContextDep,
        authorization: Annotated[str, Header()] = "",
        gruppetto_user: Annotated[UUID | None, Header()] = None,
        gruppetto_organiser: Annotated[bool, Header()] = False,
    ) -> Actor:
        if gruppetto_user is None or not gruppetto_organiser or not _is_web(context, authorization):
            raise Forbidden
        return Actor(f"user {gruppetto_user}", gruppetto_user)

    return get_actor


ViewerDep = Annotated[Viewer, Depends(get_viewer)]
FOR_WEB = Depends(require_web)
