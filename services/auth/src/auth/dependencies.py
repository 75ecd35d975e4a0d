"""What the routes depend on: the application's context, the callers' keys, rate limits."""

import asyncio
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, Request
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from auth.strava import StravaOAuth
from auth.token_encryption import Keyring
from shared.database.engine import Database
from shared.errors import TooManyRequests
from shared.http.api import require_api_key


@dataclass(frozen=True)
class CallerKeys:
    """What each caller shows to be let in."""

    web: str = field(repr=False)
    sync: str = field(repr=False)
    operator: str = field(repr=False)


@dataclass(frozen=True)
class AuthContext:
    """What `main` puts together for everything that is not pure."""

    database: Database
    strava: StravaOAuth
    keyring: Keyring
    redirect_uri: str
    uses_deauthorize: bool  # instead of oauth/revoke, which not every application has
    admin_athlete_ids: frozenset[int]
    keys: CallerKeys
    revocation_due: asyncio.Event = field(default_factory=asyncio.Event)  # set when one was scheduled
    limiter: FixedWindowRateLimiter = field(default_factory=lambda: FixedWindowRateLimiter(MemoryStorage()))


def _context(request: Request) -> AuthContext:
    context: AuthContext = request.app.state.context
    return context


ContextDep = Annotated[AuthContext, Depends(_context)]
FOR_WEB = Depends(require_api_key(lambda request: _context(request).keys.web))
FOR_SYNC = Depends(require_api_key(lambda request: _context(request).keys.sync))
FOR_OPERATORS = Depends(require_api_key(lambda request: _context(request).keys.operator))


def at_most(per_minute: int, name: str) -> Any:
    """A dependency that bounds the requests of one kind in this process. Raises TooManyRequests."""
    limit = RateLimitItemPerMinute(per_minute)

    def check(request: Request) -> None:
        spend(_context(request), limit, name)

    return Depends(check)


def spend(context: AuthContext, limit: RateLimitItemPerMinute, *what: str) -> None:
    """Count a request for `what`. Raises TooManyRequests when that is beyond the limit."""
    if not context.limiter.hit(limit, *what):
        raise TooManyRequests
