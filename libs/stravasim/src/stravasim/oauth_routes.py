"""The consent page and the token call."""

from collections.abc import Mapping

from fastapi import FastAPI, Request, Response
from fastapi.datastructures import FormData
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment

from stravasim.data_routes import answer, compact, refusal
from stravasim.faults import Fault, bad_request
from stravasim.oauth import AuthorizeRequest, Grant, approved_redirect, check_authorize, denied_redirect
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

    def add_to(self, app: FastAPI) -> None:
        """Serve the page under its web and mobile addresses, the token call under both of its."""
        app.add_route("/oauth/authorize", self.page, methods=["GET"])
        app.add_route("/oauth/mobile/authorize", self.page, methods=["GET"])
        app.add_route("/oauth/authorize", self.decide, methods=["POST"])
        app.add_route("/oauth/token", self.token, methods=["POST"])
        app.add_route("/api/v3/oauth/token", self.token, methods=["POST"])

    async def page(self, request: Request) -> Response:
        """The consent page, or at once the redirect for an athlete who has allowed just this before."""
        self._simulator.calls[request.url.path] += 1
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
        self._simulator.calls[request.url.path] += 1
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
        simulator.calls[request.url.path] += 1
        parameters = {**request.query_params, **_texts(await request.form())}
        result = simulator.tokens.answer(parameters, simulator.now())
        if isinstance(result, Fault):
            return refusal(result)
        athlete = None if result.athlete_id is None else profile_of(result.athlete_id)
        return answer(200, compact(result.payload(athlete)))

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
        code = self._simulator.tokens.approve(Grant(athlete_id, scopes), self._simulator.now())
        return RedirectResponse(approved_redirect(wanted, code, scopes), status_code=302)


def _texts(form: FormData) -> Mapping[str, str]:
    return {key: value for key, value in form.items() if isinstance(value, str)}
