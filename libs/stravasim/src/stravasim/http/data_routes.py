"""The data API: the athlete, the athlete's activities, and one of them.

Plain Starlette routes and serialized bytes: list requests dominate every load test.
"""

from fastapi import FastAPI, Request, Response

from stravasim.dataset.activity_detail import build_detail
from stravasim.dataset.activity_factory import build_activity, parse_manual_activity
from stravasim.dataset.profiles import build_profile
from stravasim.dependencies import get_simulator
from stravasim.responses import dump_json, error_response, json_response, read_parameters
from stravasim.strava.errors import ACTIVITY_NOT_FOUND, MISSING_READ_SCOPE, MISSING_WRITE_SCOPE, ApiError
from stravasim.strava.listing import is_private, parse_list_query, render_page
from stravasim.strava.oauth import Grant
from stravasim.strava.rate_limits import Headers

_MAX_ID_DIGITS = 19


def add_data_routes(app: FastAPI) -> None:
    """Serve under `/api/v3` and, as on the base address announced for 2027, without a prefix."""
    for prefix in ("/api/v3", ""):
        app.add_route(prefix + "/athlete/activities", list_activities, methods=["GET"])
        app.add_route(prefix + "/athlete", get_athlete, methods=["GET"])
        app.add_route(prefix + "/activities", create_activity, methods=["POST"])
        app.add_route(prefix + "/activities/{id}", get_activity, methods=["GET"])


async def get_athlete(request: Request) -> Response:
    """The athlete of the token."""
    grant, headers = _authenticate(request)
    if isinstance(grant, ApiError):
        return error_response(grant, headers)
    return json_response(200, dump_json(build_profile(grant.athlete_id)), headers)


async def list_activities(request: Request) -> Response:
    """One page of the athlete's activities."""
    grant, headers = _authenticate(request)
    if isinstance(grant, ApiError):
        return error_response(grant, headers)
    if not _can_read(grant):
        return error_response(MISSING_READ_SCOPE, headers)
    query = parse_list_query(request.query_params)
    if isinstance(query, ApiError):
        return error_response(query, headers)
    simulator = get_simulator(request)
    settings = simulator.settings
    page = render_page(
        simulator.dataset.get_index(grant.athlete_id),
        query,
        private=_can_read_private(grant),
        short=settings.short_pages,
        hides_late=settings.hide_after_paging,
        unlisted=simulator.uploaded_within(grant.athlete_id, settings.list_lag_s),
    )
    return json_response(200, page, headers)


async def get_activity(request: Request) -> Response:
    """One activity with its details: the same 404 for hidden, deleted and other athletes' activities."""
    grant, headers = _authenticate(request)
    if isinstance(grant, ApiError):
        return error_response(grant, headers)
    if not _can_read(grant):
        return error_response(MISSING_READ_SCOPE, headers)
    text = request.path_params["id"]
    is_id = text.isascii() and text.isdigit() and len(text) <= _MAX_ID_DIGITS
    simulator = get_simulator(request)
    activity = simulator.dataset.find_activity(grant.athlete_id, int(text)) if is_id else None
    if activity is None or (is_private(activity) and not _can_read_private(grant)):
        return error_response(ACTIVITY_NOT_FOUND, headers)
    if activity["id"] in simulator.uploaded_within(grant.athlete_id, simulator.settings.detail_lag_s):
        return error_response(ACTIVITY_NOT_FOUND, headers)
    return json_response(200, dump_json(build_detail(activity)), headers)


async def create_activity(request: Request) -> Response:
    """A manual activity: the only request here that is not a read."""
    grant, headers = _authenticate(request, read=False)
    if isinstance(grant, ApiError):
        return error_response(grant, headers)
    if "activity:write" not in grant.scopes:
        return error_response(MISSING_WRITE_SCOPE, headers)
    fields = parse_manual_activity(await read_parameters(request))
    if isinstance(fields, ApiError):
        return error_response(fields, headers)
    simulator = get_simulator(request)
    activity = build_activity(simulator.dataset, grant.athlete_id, fields, simulator.clock.now())
    simulator.add_activity(grant.athlete_id, activity)
    return json_response(201, dump_json(build_detail(activity)), headers)


def _authenticate(request: Request, *, read: bool = True) -> tuple[Grant | ApiError, Headers]:
    simulator = get_simulator(request)
    simulator.count_request(request.scope["path"])
    return simulator.authenticate(request.headers.get("authorization", ""), read=read)


def _can_read_private(grant: Grant) -> bool:
    return "activity:read_all" in grant.scopes


def _can_read(grant: Grant) -> bool:
    return not grant.scopes.isdisjoint({"activity:read", "activity:read_all"})
