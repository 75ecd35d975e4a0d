"""The data API: the athlete and the athlete's activities.

Plain Starlette routes and ready-made bytes: a list call is the hot path of every load test.
"""

import json
from collections.abc import Mapping

from fastapi import FastAPI, Request, Response

from stravasim.activities import page_of, parse_query
from stravasim.faults import NO_ACTIVITY_SCOPE, Fault
from stravasim.profile import profile_of
from stravasim.simulator import Headers, Simulator

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


def add_data_routes(app: FastAPI, simulator: Simulator) -> None:
    """Serve both data calls, under `/api/v3` and, as on the base address announced for 2027, without a prefix."""

    async def athlete(request: Request) -> Response:
        simulator.calls[request.url.path] += 1
        grant, headers = simulator.admit(request.headers.get("authorization", ""))
        if isinstance(grant, Fault):
            return refusal(grant, headers)
        return answer(200, compact(profile_of(grant.athlete_id)), headers)

    async def activities(request: Request) -> Response:
        simulator.calls[request.url.path] += 1
        grant, headers = simulator.admit(request.headers.get("authorization", ""))
        if isinstance(grant, Fault):
            return refusal(grant, headers)
        sees_everything = "activity:read_all" in grant.scopes
        if not sees_everything and "activity:read" not in grant.scopes:
            return refusal(NO_ACTIVITY_SCOPE, headers)
        query = parse_query(request.query_params)
        if isinstance(query, Fault):
            return refusal(query, headers)
        log = simulator.club.log(grant.athlete_id)
        listing = log.everything if sees_everything else log.shared
        return answer(200, page_of(listing, query, short=simulator.settings.short_pages), headers)

    for prefix in ("/api/v3", ""):
        app.add_route(prefix + "/athlete/activities", activities, methods=["GET"])
        app.add_route(prefix + "/athlete", athlete, methods=["GET"])
