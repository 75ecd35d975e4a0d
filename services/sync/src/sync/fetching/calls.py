"""Calls to Strava for one job: within the budget, with a token that is refreshed once, and every answer judged."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeAlias

import httpx

from shared.database.engine import Database
from sync import metrics
from sync.budget import rules as budget_rules
from sync.budget import use_cases as budget
from sync.clients.auth import AuthClient
from sync.clients.calls import BROKEN
from sync.clients.errors import AuthorizationLost
from sync.clients.strava import (
    StravaAnswer,
    StravaClient,
    StravaUnavailable,
    is_about_the_application,
    parse_activities,
    parse_activity,
)
from sync.clock import Clock, utc_now
from sync.fetching.rules.listing import ListQuery
from sync.jobs.queries import Job
from sync.jobs.rules import RESERVES

PER_PAGE = 200  # the most that Strava gives

_Send: TypeAlias = Callable[[str], Awaitable[StravaAnswer]]


@dataclass(frozen=True)
class FetchContext:
    """What every fetch of a worker uses; a simulation passes another clock, a test smaller pages."""

    database: Database
    auth: AuthClient
    strava: StravaClient
    clock: Clock = utc_now
    per_page: int = PER_PAGE
    freshness: timedelta = timedelta(minutes=10)  # within which a change is known that Strava tells of


class Calls:
    """The calls of one job; `made` counts them.

    All methods raise OutOfCalls, AuthorizationLost, StravaUnavailable, and Unavailable when auth is away.
    """

    def __init__(self, context: FetchContext, job: Job) -> None:
        self._context = context
        self._job = job
        self._token: str | None = None
        self.made = 0

    async def list_page(self, query: ListQuery) -> list[Any]:
        """The items of one page of the athlete's activities."""
        params = query.to_params(self._context.per_page)
        answer = await self._ask(lambda token: self._context.strava.list_activities(token, params))
        if answer.status != 200:
            raise StravaUnavailable(f"Strava answered {answer.status}")
        return parse_activities(answer)

    async def get_activity(self, strava_id: int) -> dict[str, Any] | None:
        """One activity; None when Strava does not show it to us."""
        answer = await self._ask(lambda token: self._context.strava.get_activity(token, strava_id))
        if answer.status in (403, 404):  # 403 is told of activities that are private; about us, it is OutOfCalls
            return None
        if answer.status != 200:
            raise StravaUnavailable(f"Strava answered {answer.status}")
        return parse_activity(answer)

    async def _ask(self, send: _Send) -> StravaAnswer:
        """An answer that is neither about the token, nor about the budget, nor about the application."""
        if self._token is None:
            self._token = await self._context.auth.access_token(self._job.user_id)
        answer = await self._send(send, self._token)
        if answer.status == 401:
            # auth may hold a token that Strava has revoked; if the permission is gone, auth finds out now.
            self._token = await self._context.auth.access_token(self._job.user_id, fresh=True)
            answer = await self._send(send, self._token)
        if answer.status == 401:
            raise AuthorizationLost
        return answer

    async def _send(self, send: _Send, token: str) -> StravaAnswer:
        for is_last in (False, True):
            permit = await budget.take_permit(self._context.database, RESERVES[self._job.kind], self._context.clock())
            self.made += 1
            try:
                answer = await send(token)
            except BROKEN as error:
                metrics.CALLS.labels("broken").inc()
                if is_last:
                    raise StravaUnavailable("Strava does not answer") from error
                continue
            except (httpx.RequestError, StravaUnavailable) as error:
                metrics.CALLS.labels("broken").inc()
                raise StravaUnavailable("Strava does not answer") from error
            return await self._judge(permit, answer)
        raise AssertionError("the last attempt returns or raises")

    async def _judge(self, permit: budget_rules.Permit, answer: StravaAnswer) -> StravaAnswer:
        figures = budget_rules.parse_figures(answer.headers)
        metrics.CALLS.labels(str(answer.status) if answer.status < 600 else "other").inc()
        now = self._context.clock()
        if answer.status == 429:
            raise await budget.record_refusal(self._context.database, permit, figures, now)
        if answer.status == 403 and is_about_the_application(answer):
            raise await budget.record_inactive(self._context.database, permit, figures, now)
        if answer.status < 500:
            await budget.record_answer(self._context.database, permit, figures, now)
        return answer
