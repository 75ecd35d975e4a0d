"""What leaderboard's routes depend on: who asks, and for whom."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Annotated, TypeAlias
from uuid import UUID

from fastapi import Depends, Header, Request
from sqlalchemy.ext.asyncio import AsyncSession

from leaderboard.sync_client import SyncClient
from shared.contracts import organisers_api
from shared.database.engine import Database
from shared.errors import Forbidden
from shared.http.api import require_api_key

Scope: TypeAlias = organisers_api.Scope


@dataclass(frozen=True)
class KeyHolder:
    """Who shows an API key that is valid: its name and what it is allowed."""

    name: str
    scopes: frozenset[Scope]


#: Takes the header `Authorization` and counts the request; None: no valid key is shown. Raises TooManyRequests.
Authenticate: TypeAlias = Callable[[str], Awaitable[KeyHolder | None]]


@dataclass(frozen=True)
class ApiContext:
    """What `main` puts together."""

    database: Database
    web_key: str = field(repr=False)
    operator_key: str = field(repr=False)
    authenticate: Authenticate
    sync: SyncClient | None = None  # None: SYNC_STATUS_URL is not set


@dataclass(frozen=True)
class Viewer:
    """Who reads: a user whom web has signed in, an organiser, or a stranger."""

    user_id: UUID | None = None
    is_organiser: bool = False


@dataclass(frozen=True)
class Actor:
    """Who changes something as an organiser: a user, or an API key by its name. A user may everything."""

    name: str
    user_id: UUID | None = None
    scopes: frozenset[Scope] = frozenset(Scope)


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


async def _find_key_holder(context: ContextDep, authorization: Annotated[str, Header()] = "") -> KeyHolder | None:
    """Who shows an API key; once in a request, whatever depends on it, so that it counts once."""
    return None if _is_web(context, authorization) else await context.authenticate(authorization)


_KeyHolderDep = Annotated[KeyHolder | None, Depends(_find_key_holder)]


async def get_viewer(
    context: ContextDep,
    key_holder: _KeyHolderDep,
    authorization: Annotated[str, Header()] = "",
    gruppetto_user: Annotated[UUID | None, Header()] = None,
    gruppetto_organiser: Annotated[bool, Header()] = False,
) -> Viewer:
    """Whom web names, who alone is believed, or an API key, which sees what organisers do if it may read.

    Everybody else is a stranger.
    """
    if _is_web(context, authorization):
        return Viewer(gruppetto_user, gruppetto_organiser)
    return Viewer(is_organiser=key_holder is not None and Scope.READ in key_holder.scopes)


async def require_web(context: ContextDep, authorization: Annotated[str, Header()] = "") -> None:
    """Only web acts for participants, whom it has signed in. Raises Forbidden."""
    if not _is_web(context, authorization):
        raise Forbidden


def require_scope(scope: Scope) -> Callable[..., Awaitable[Actor]]:
    """A dependency that gives the organiser, or the API key, who asks, if they may do that. Raises Forbidden."""

    async def get_actor(
        context: ContextDep,
        key_holder: _KeyHolderDep,
        authorization: Annotated[str, Header()] = "",
        gruppetto_user: Annotated[UUID | None, Header()] = None,
        gruppetto_organiser: Annotated[bool, Header()] = False,
    ) -> Actor:
        if _is_web(context, authorization):
            if gruppetto_user is None or not gruppetto_organiser:
                raise Forbidden
            return Actor(f"user {gruppetto_user}", gruppetto_user)
        if key_holder is None:
            raise Forbidden("This needs an API key that is valid; this one is not known, or was revoked.")
        if scope not in key_holder.scopes:
            raise Forbidden(f"This API key lacks the scope {scope.value!r}.")
        return Actor(f"key {key_holder.name}", scopes=key_holder.scopes)

    return get_actor


ViewerDep = Annotated[Viewer, Depends(get_viewer)]
FOR_WEB = Depends(require_web)
FOR_OPERATORS = Depends(require_api_key(lambda request: str(request.app.state.context.operator_key)))
