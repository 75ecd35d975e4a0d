"""The OAuth routes: consent page, token requests, revocation."""

from base64 import b64decode
from collections.abc import Mapping

from fastapi import FastAPI, Request, Response
from fastapi.datastructures import FormData
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment

from stravasim.dataset.profiles import build_profile
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
    "profile:read_all": "View your build_activity profile",
    "profile:write": "Change your profile",
    "activity:read": "View your activities, without Only You ones",
    "activity:read_all": "View all your activities, Only You included",
    "activity:write": "Upload activities for you",
}


class OAuthRoutes:
    """The OAuth routes of one simulator."""

    def __init__(self, simulator: Simulator, templates: Environment) -> None:
        self._simulator = simulator
        self._consent_page = templates.get_template("authorize.html")
        self._capacity_exceeded = templates.get_template("capacity_exceeded.html")

    def register(self, app: FastAPI) -> None:
        """Serve the page under its web and mobile paths, and the API routes mostly with and without `/api/v3`."""
        app.add_route("/oauth/authorize", self.show_consent, methods=["GET"])
        app.add_route("/oauth/mobile/authorize", self.show_consent, methods=["GET"])
        app.add_route("/oauth/authorize", self.submit_consent, methods=["POST"])
        app.add_route("/oauth/token", self.request_token, methods=["POST"])
        app.add_route("/api/v3/oauth/token", self.request_token, methods=["POST"])
        app.add_route("/oauth/revoke", self.revoke, methods=["POST"])
        app.add_route("/oauth/deauthorize", self.deauthorize, methods=["POST"])
        app.add_route("/api/v3/oauth/deauthorize", self.deauthorize, methods=["POST"])

    async def show_consent(self, request: Request) -> Response:
        """The consent page, or the redirect for an athlete who has granted exactly these scopes before."""
        self._simulator.count_request(request.scope["path"])
        parameters = request.query_params
        consent_request = parse_authorization_request(parameters, self._simulator.settings.application)
        if isinstance(consent_request, ApiError):
            return error_response(consent_request)
        selected = self._find_athlete(parameters.get("athlete_id", ""))
        if selected is not None and not consent_request.force and self._has_approved(selected, consent_request):
            return self._approve(selected, consent_request, frozenset(consent_request.scopes))
        return HTMLResponse(
            self._consent_page.render(
                query={
                    key: parameters[key]
                    for key in ("client_id", "redirect_uri", "response_type", "scope", "state")
                    if key in parameters
                },
                client_id=self._simulator.settings.application.client_id,
                scopes=[(scope, _SCOPE_DESCRIPTIONS[scope]) for scope in consent_request.scopes],
                athletes=[build_profile(athlete_id) for athlete_id in self._list_choices(selected)],
                selected=selected,
            )
        )

    async def submit_consent(self, request: Request) -> Response:
        """The submitted consent form: redirects to the application with a code, or with access_denied."""
        self._simulator.count_request(request.scope["path"])
        form = await request.form()
        consent_request = parse_authorization_request(_text_fields(form), self._simulator.settings.application)
        if isinstance(consent_request, ApiError):
            return error_response(consent_request)
        if form.get("decision") != "authorize":
            return RedirectResponse(build_denial_redirect(consent_request), status_code=302)
        athlete_id = self._find_athlete(str(form.get("athlete_id", "")))
        if athlete_id is None:
            return error_response(bad_request("Athlete", "athlete_id"))
        granted = {str(scope) for scope in form.getlist("granted")}
        return self._approve(athlete_id, consent_request, frozenset(granted) & frozenset(consent_request.scopes))

    async def request_token(self, request: Request) -> Response:
        """Both grant types, parameters in the form or the query; no rate-limit headers, as recorded."""
        simulator = self._simulator
        simulator.count_request(request.scope["path"])
        parameters = await read_parameters(request)
        result = simulator.tokens.handle_token_request(parameters, simulator.now(), simulator.settings.rotation)
        if isinstance(result, ApiError):
            return error_response(result)
        athlete = None if result.athlete_id is None else build_profile(result.athlete_id)
        return json_response(200, dump_json(result.to_dict(athlete)))

    async def revoke(self, request: Request) -> Response:
        """Revoke an authorization by either of its tokens: 200 without a body, even for an unknown token."""
        simulator = self._simulator
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

    async def deauthorize(self, request: Request) -> Response:
        """The older revocation with the access token itself; counted as a read, as recorded."""
        simulator = self._simulator
        simulator.count_request(request.scope["path"])
        authorization = request.headers.get("authorization", "")
        grant, headers = simulator.authenticate(authorization)
        if isinstance(grant, ApiError):
            return error_response(grant, headers)
        simulator.revoke(grant.athlete_id, by_application=True)
        return json_response(200, dump_json({"access_token": parse_bearer(authorization)}), headers)

    def _find_athlete(self, text: str) -> int | None:
        if not (text.isascii() and text.isdigit() and len(text) <= 19):
            return None
        return int(text) if int(text) in self._simulator.dataset.athletes else None

    def _list_choices(self, selected: int | None) -> list[int]:
        # A page with thousands of athletes is slow, and not needed when one is preselected.
        athletes = list(self._simulator.dataset.athletes)
        return athletes if selected is None or len(athletes) <= 200 else [selected]

    def _has_approved(self, athlete_id: int, consent_request: AuthorizationRequest) -> bool:
        return self._simulator.tokens.scopes.get(athlete_id) == frozenset(consent_request.scopes)

    def _approve(self, athlete_id: int, consent_request: AuthorizationRequest, scopes: frozenset[str]) -> Response:
        capacity = self._simulator.settings.capacity
        if not self._simulator.tokens.has_capacity(athlete_id, capacity):
            return HTMLResponse(self._capacity_exceeded.render(capacity=capacity), status_code=403)
        code = self._simulator.tokens.approve(Grant(athlete_id, scopes), self._simulator.now())
        return RedirectResponse(build_approval_redirect(consent_request, code, scopes), status_code=302)


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
