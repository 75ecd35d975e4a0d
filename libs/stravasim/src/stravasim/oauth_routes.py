"""The consent page and the token call."""

from base64 import b64decode
from collections.abc import Mapping

from fastapi import FastAPI, Request, Response
from fastapi.datastructures import FormData
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment

from stravasim.data_routes import answer, compact, fields_of, refusal
from stravasim.faults import Fault, bad_request
from stravasim.oauth import (
    AuthorizeRequest,
    Grant,
    approved_redirect,
    bearer_of,
    check_authorize,
    denied_redirect,
)
from stravasim.profile import profile_of
from stravasim.simulator import Simulator

_WORDS = {
    "read": "View your public profile",
    "read_all": "View your private routes and profile",
    "profile:read_all": "View your complete profile",
    "profile:write": "Change your profile",
    "activity:read": "View your activities, without Only You ones",
    "activity:read_all": "View all your activities, Only You included",
    "activity:write": "Upload activities for you",
}


class OAuthPages:
    """The OAuth endpoints of one simulator."""

    def __init__(self, simulator: Simulator, templates: Environment) -> None:
        self._simulator = simulator
        self._page = templates.get_template("authorize.html")
        self._full = templates.get_template("full.html")

    def add_to(self, app: FastAPI) -> None:
        """Serve the page under its web and mobile addresses, and what programs call, mostly under both bases."""
        app.add_route("/oauth/authorize", self.page, methods=["GET"])
        app.add_route("/oauth/mobile/authorize", self.page, methods=["GET"])
        app.add_route("/oauth/authorize", self.decide, methods=["POST"])
        app.add_route("/oauth/token", self.token, methods=["POST"])
        app.add_route("/api/v3/oauth/token", self.token, methods=["POST"])
        app.add_route("/oauth/revoke", self.revoke, methods=["POST"])
        app.add_route("/oauth/deauthorize", self.deauthorize, methods=["POST"])
        app.add_route("/api/v3/oauth/deauthorize", self.deauthorize, methods=["POST"])

    async def page(self, request: Request) -> Response:
        """The consent page, or at once the redirect for an athlete who has allowed just this before."""
        self._simulator.count(request.scope["path"])
        parameters = request.query_params
        wanted = check_authorize(parameters, self._simulator.settings.application)
        if isinstance(wanted, Fault):
            return refusal(wanted)
        chosen = self._athlete(parameters.get("athlete_id", ""))
        if chosen is not None and not wanted.force and self._has_approved(chosen, wanted):
            return self._approve(chosen, wanted, frozenset(wanted.scopes))
        return HTMLResponse(
            self._page.render(
                kept={
                    key: parameters[key]
                    for key in ("client_id", "redirect_uri", "response_type", "scope", "state")
                    if key in parameters
                },
                client_id=self._simulator.settings.application.client_id,
                scopes=[(scope, _WORDS[scope]) for scope in wanted.scopes],
                athletes=[profile_of(athlete_id) for athlete_id in self._offered(chosen)],
                chosen=chosen,
            )
        )

    async def decide(self, request: Request) -> Response:
        """The form's answer: back to the application with a code, or with access_denied."""
        self._simulator.count(request.scope["path"])
        form = await request.form()
        wanted = check_authorize(_texts(form), self._simulator.settings.application)
        if isinstance(wanted, Fault):
            return refusal(wanted)
        if form.get("decision") != "authorize":
            return RedirectResponse(denied_redirect(wanted), status_code=302)
        athlete_id = self._athlete(str(form.get("athlete_id", "")))
        if athlete_id is None:
            return refusal(bad_request("Athlete", "athlete_id"))
        ticked = {str(scope) for scope in form.getlist("granted")}
        return self._approve(athlete_id, wanted, frozenset(ticked) & frozenset(wanted.scopes))

    async def token(self, request: Request) -> Response:
        """Both grants, with fields in the form or the query; recorded token answers have no rate headers."""
        simulator = self._simulator
        simulator.count(request.scope["path"])
        parameters = await fields_of(request)
        result = simulator.tokens.answer(parameters, simulator.now(), simulator.settings.rotation)
        if isinstance(result, Fault):
            return refusal(result)
        athlete = None if result.athlete_id is None else profile_of(result.athlete_id)
        return answer(200, compact(result.payload(athlete)))

    async def revoke(self, request: Request) -> Response:
        """End a connection, named by either of its tokens: 200 without a body, even for a token nobody knows."""
        simulator = self._simulator
        simulator.count(request.scope["path"])
        application = simulator.settings.application
        if _basic(request) != (str(application.client_id), application.client_secret):
            return answer(401, compact({"message": "Authorization Error", "errors": []}))
        token = str((await request.form()).get("token", ""))
        if not token:
            return refusal(bad_request("Token", "token", "missing"))
        athlete_id = simulator.tokens.athlete_of(token)
        if athlete_id is not None:
            simulator.disconnect(athlete_id, by_application=True)
        return Response(status_code=200)

    async def deauthorize(self, request: Request) -> Response:
        """The older way, with the access token itself; counted as a read, as was recorded."""
        simulator = self._simulator
        simulator.count(request.scope["path"])
        authorization = request.headers.get("authorization", "")
        grant, headers = simulator.admit(authorization)
        if isinstance(grant, Fault):
            return refusal(grant, headers)
        simulator.disconnect(grant.athlete_id, by_application=True)
        return answer(200, compact({"access_token": bearer_of(authorization)}), headers)

    def _athlete(self, text: str) -> int | None:
        if not (text.isascii() and text.isdigit() and len(text) <= 19):
            return None
        return int(text) if int(text) in self._simulator.club.members else None

    def _offered(self, chosen: int | None) -> list[int]:
        # A page naming thousands of people would be slow to no purpose once one is chosen.
        members = list(self._simulator.club.members)
        return members if chosen is None or len(members) <= 200 else [chosen]

    def _has_approved(self, athlete_id: int, wanted: AuthorizeRequest) -> bool:
        return self._simulator.tokens.approved.get(athlete_id) == frozenset(wanted.scopes)

    def _approve(self, athlete_id: int, wanted: AuthorizeRequest, scopes: frozenset[str]) -> Response:
        capacity = self._simulator.settings.capacity
        if not self._simulator.tokens.has_room_for(athlete_id, capacity):
            return HTMLResponse(self._full.render(capacity=capacity), status_code=403)
        code = self._simulator.tokens.approve(Grant(athlete_id, scopes), self._simulator.now())
        return RedirectResponse(approved_redirect(wanted, code, scopes), status_code=302)


def _basic(request: Request) -> tuple[str, str] | None:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, _, password = b64decode(value, validate=True).decode().partition(":")
    except ValueError:
        return None
    return name, password


def _texts(form: FormData) -> Mapping[str, str]:
    return {key: value for key, value in form.items() if isinstance(value, str)}
