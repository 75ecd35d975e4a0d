"""The OAuth routes: consent page, token requests, revocation."""

from base64 import b64decode
from collections.abc import Mapping

from fastapi import FastAPI, Request, Response
from fastapi.datastructures import FormData
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, Template

from stravasim.dataset.profiles import build_profile
from stravasim.dependencies import get_simulator
from stravasim.responses import dump_json, error_response, json_response, read_parameters
from stravasim.simulator import Simulator
from stravasim.strava.errors import ApiError, bad_request
from stravasim.strava.oauth import (
    AuthorizationRequest,
    Grant,
    build_approval_redirect,
    build_denial_redirect,
    parse_authorization_request,
    parse_bearer,
)

_SCOPE_DESCRIPTIONS = {
    "read": "View your public profile",
    "read_all": "View your private routes and profile",
    "profile:read_all": "View your complete profile",
    "profile:write": "Change your profile",
    "activity:read": "View your activities, without Only You ones",
    "activity:read_all": "View all your activities, Only You included",
    "activity:write": "Upload activities for you",
}


def add_oauth_routes(app: FastAPI) -> None:
    """Serve the page under its web and mobile paths, and the API routes mostly with and without `/api/v3`."""
    app.add_route("/oauth/authorize", show_consent, methods=["GET"])
    app.add_route("/oauth/mobile/authorize", show_consent, methods=["GET"])
    app.add_route("/oauth/authorize", submit_consent, methods=["POST"])
    app.add_route("/oauth/token", request_token, methods=["POST"])
    app.add_route("/api/v3/oauth/token", request_token, methods=["POST"])
    app.add_route("/oauth/revoke", revoke, methods=["POST"])
    app.add_route("/oauth/deauthorize", deauthorize, methods=["POST"])
    app.add_route("/api/v3/oauth/deauthorize", deauthorize, methods=["POST"])


async def show_consent(request: Request) -> Response:
    """The consent page, or the redirect for an athlete who has granted exactly these scopes before."""
    simulator = get_simulator(request)
    simulator.count_request(request.scope["path"])
    parameters = request.query_params
    consent_request = parse_authorization_request(parameters, simulator.settings.application)
    if isinstance(consent_request, ApiError):
        return error_response(consent_request)
    selected = _find_athlete(simulator, parameters.get("athlete_id", ""))
    if selected is not None and not consent_request.force and _has_approved(simulator, selected, consent_request):
        return _approve(request, selected, consent_request, frozenset(consent_request.scopes))
    return HTMLResponse(
        _template(request, "authorize.html").render(
            query={
                key: parameters[key]
                for key in ("client_id", "redirect_uri", "response_type", "scope", "state")
                if key in parameters
            },
            client_id=simulator.settings.application.client_id,
            scopes=[(scope, _SCOPE_DESCRIPTIONS[scope]) for scope in consent_request.scopes],
            athletes=[build_profile(athlete_id) for athlete_id in _list_choices(simulator, selected)],
            selected=selected,
        )
    )


async def submit_consent(request: Request) -> Response:
    """The submitted consent form: redirects to the application with a code, or with access_denied."""
    simulator = get_simulator(request)
    simulator.count_request(request.scope["path"])
    form = await request.form()
    consent_request = parse_authorization_request(_text_fields(form), simulator.settings.application)
    if isinstance(consent_request, ApiError):
        return error_response(consent_request)
    if form.get("decision") != "authorize":
        return RedirectResponse(build_denial_redirect(consent_request), status_code=302)
    athlete_id = _find_athlete(simulator, str(form.get("athlete_id", "")))
    if athlete_id is None:
        return error_response(bad_request("Athlete", "athlete_id"))
    granted = {str(scope) for scope in form.getlist("granted")}
    return _approve(request, athlete_id, consent_request, frozenset(granted) & frozenset(consent_request.scopes))


async def request_token(request: Request) -> Response:
    """Both grant types, parameters in the form or the query; no rate-limit headers, as recorded."""
    simulator = get_simulator(request)
    simulator.count_request(request.scope["path"])
    parameters = await read_parameters(request)
    result = simulator.tokens.handle_token_request(parameters, simulator.now(), simulator.settings.rotation)
    if isinstance(result, ApiError):
        return error_response(result)
    athlete = None if result.athlete_id is None else build_profile(result.athlete_id)
    return json_response(200, dump_json(result.to_dict(athlete)))


async def revoke(request: Request) -> Response:
    """Revoke an authorization by either of its tokens: 200 without a body, even for an unknown token."""
    simulator = get_simulator(request)
    simulator.count_request(request.scope["path"])
    application = simulator.settings.application
    if _parse_basic(request) != (str(application.client_id), application.client_secret):
        return json_response(401, dump_json({"message": "Authorization Error", "errors": []}))
    token = str((await request.form()).get("token", ""))
    if not token:
        return error_response(bad_request("Token", "token", "missing"))
    athlete_id = simulator.tokens.find_athlete_id(token)
    if athlete_id is not None:
        simulator.revoke(athlete_id, by_application=True)
    return Response(status_code=200)


async def deauthorize(request: Request) -> Response:
    """The older revocation with the access token itself; counted as a read, as recorded."""
    simulator = get_simulator(request)
    simulator.count_request(request.scope["path"])
    authorization = request.headers.get("authorization", "")
    grant, headers = simulator.authenticate(authorization)
    if isinstance(grant, ApiError):
        return error_response(grant, headers)
    simulator.revoke(grant.athlete_id, by_application=True)
    return json_response(200, dump_json({"access_token": parse_bearer(authorization)}), headers)


def _find_athlete(simulator: Simulator, text: str) -> int | None:
    if not (text.isascii() and text.isdigit() and len(text) <= 19):
        return None
    return int(text) if int(text) in simulator.dataset.athletes else None


def _list_choices(simulator: Simulator, selected: int | None) -> list[int]:
    # A page with thousands of athletes is slow, and not needed when one is preselected.
    athletes = list(simulator.dataset.athletes)
    return athletes if selected is None or len(athletes) <= 200 else [selected]


def _has_approved(simulator: Simulator, athlete_id: int, consent_request: AuthorizationRequest) -> bool:
    return simulator.tokens.scopes.get(athlete_id) == frozenset(consent_request.scopes)


def _approve(
    request: Request, athlete_id: int, consent_request: AuthorizationRequest, scopes: frozenset[str]
) -> Response:
    simulator = get_simulator(request)
    capacity = simulator.settings.capacity
    if not simulator.tokens.has_capacity(athlete_id, capacity):
        return HTMLResponse(_template(request, "capacity_exceeded.html").render(capacity=capacity), status_code=403)
    code = simulator.tokens.approve(Grant(athlete_id, scopes), simulator.now())
    return RedirectResponse(build_approval_redirect(consent_request, code, scopes), status_code=302)


def _template(request: Request, name: str) -> Template:
    templates: Environment = request.app.state.templates
    return templates.get_template(name)


def _parse_basic(request: Request) -> tuple[str, str] | None:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, _, password = b64decode(value, validate=True).decode().partition(":")
    except ValueError:
        return None
    return name, password


def _text_fields(form: FormData) -> Mapping[str, str]:
    return {key: value for key, value in form.items() if isinstance(value, str)}
