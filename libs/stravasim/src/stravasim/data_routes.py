"""The data API: the athlete, the athlete's activities, and one of them.

Plain Starlette routes and ready-made bytes: a list call is the hot path of every load test.
"""

import json
from collections.abc import Mapping

from fastapi import FastAPI, Request, Response

from stravasim.activities import page_of, parse_query
from stravasim.additions import complete, manual_activity
from stravasim.details import detail_of
from stravasim.faults import NO_ACTIVITY, NO_ACTIVITY_SCOPE, NO_WRITE_SCOPE, Fault
from stravasim.oauth import Grant
from stravasim.profile import profile_of
from stravasim.simulator import Headers, Simulator
from stravasim.webhooks import is_private

_ID_DIGITS = 19
JSON_TYPE = "application/json; charset=utf-8"


def compact(value: Mapping[str, object]) -> bytes:
    """JSON without blanks, keys in their order."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def answer(status: int, body: bytes, headers: Headers | None = None) -> Response:
    """A JSON answer whose extra headers keep their spelling on the wire."""
    response = Response(body, status_code=status, media_type=JSON_TYPE)
    response.raw_headers.extend(headers or [])
    return response


def refusal(fault: Fault, headers: Headers | None = None) -> Response:
    """A fault as an answer."""
    return answer(fault.status, fault.body(), headers)


class DataRoutes:
    """The data calls of one simulator."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def add_to(self, app: FastAPI) -> None:
        """Serve under `/api/v3` and, as on the base address announced for 2027, without a prefix."""
        for prefix in ("/api/v3", ""):
            app.add_route(prefix + "/athlete/activities", self.activities, methods=["GET"])
            app.add_route(prefix + "/athlete", self.athlete, methods=["GET"])
            app.add_route(prefix + "/activities", self.create, methods=["POST"])
            app.add_route(prefix + "/activities/{id}", self.activity, methods=["GET"])

    async def athlete(self, request: Request) -> Response:
        """The athlete whose token it is."""
        grant, headers = self._admit(request)
        if isinstance(grant, Fault):
            return refusal(grant, headers)
        return answer(200, compact(profile_of(grant.athlete_id)), headers)

    async def activities(self, request: Request) -> Response:
        """One page of the athlete's activities."""
        grant, headers = self._admit(request)
        if isinstance(grant, Fault):
            return refusal(grant, headers)
        if not _may_read(grant):
            return refusal(NO_ACTIVITY_SCOPE, headers)
        query = parse_query(request.query_params)
        if isinstance(query, Fault):
            return refusal(query, headers)
        simulator, settings = self._simulator, self._simulator.settings
        page = page_of(
            simulator.club.log(grant.athlete_id),
            query,
            private=_sees_everything(grant),
            short=settings.short_pages,
            unlisted=simulator.younger_than(grant.athlete_id, settings.list_lag_s),
        )
        return answer(200, page, headers)

    async def activity(self, request: Request) -> Response:
        """One activity with its details: hidden, deleted and other people's look the same."""
        grant, headers = self._admit(request)
        if isinstance(grant, Fault):
            return refusal(grant, headers)
        if not _may_read(grant):
            return refusal(NO_ACTIVITY_SCOPE, headers)
        text = request.path_params["id"]
        known = text.isascii() and text.isdigit() and len(text) <= _ID_DIGITS
        simulator = self._simulator
        found = simulator.club.activity(grant.athlete_id, int(text)) if known else None
        if found is None or (is_private(found) and not _sees_everything(grant)):
            return refusal(NO_ACTIVITY, headers)
        if found["id"] in simulator.younger_than(grant.athlete_id, simulator.settings.detail_lag_s):
            return refusal(NO_ACTIVITY, headers)
        return answer(200, compact(detail_of(found)), headers)

    async def create(self, request: Request) -> Response:
        """A manual activity: the one call here that is no read."""
        grant, headers = self._admit(request, read=False)
        if isinstance(grant, Fault):
            return refusal(grant, headers)
        if "activity:write" not in grant.scopes:
            return refusal(NO_WRITE_SCOPE, headers)
        given = manual_activity(await fields_of(request))
        if isinstance(given, Fault):
            return refusal(given, headers)
        simulator = self._simulator
        activity = complete(simulator.club, grant.athlete_id, given, simulator.clock.now())
        simulator.add(grant.athlete_id, activity)
        return answer(201, compact(detail_of(activity)), headers)

    def _admit(self, request: Request, *, read: bool = True) -> tuple[Grant | Fault, Headers]:
        self._simulator.count(request.scope["path"])
        return self._simulator.admit(request.headers.get("authorization", ""), read=read)


async def fields_of(request: Request) -> Mapping[str, str]:
    """The texts of the form and the query: Strava takes both."""
    form = await request.form()
    return {**request.query_params, **{key: value for key, value in form.items() if isinstance(value, str)}}


def _sees_everything(grant: Grant) -> bool:
    return "activity:read_all" in grant.scopes


def _may_read(grant: Grant) -> bool:
    return not grant.scopes.isdisjoint({"activity:read", "activity:read_all"})
