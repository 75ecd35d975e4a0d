"""`/push_subscriptions`: create with a handshake, list, delete. No bearer token on any of them."""

from collections.abc import Mapping
from secrets import token_hex

import httpx
from fastapi import FastAPI, Request, Response

from stravasim import limits, webhooks
from stravasim.data_routes import answer, compact, fields_of, refusal
from stravasim.faults import INACTIVE, Fault, bad_request
from stravasim.limits import Usage
from stravasim.oauth import check_application
from stravasim.simulator import Headers, Simulator
from stravasim.webhooks import Subscription

_FIRST_ID = 131_300


class SubscriptionRoutes:
    """The webhook subscription of one simulator."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._next_id = _FIRST_ID

    def add_to(self, app: FastAPI) -> None:
        """Serve under both bases."""
        for prefix in ("/api/v3", ""):
            app.add_route(prefix + "/push_subscriptions", self.create, methods=["POST"])
            app.add_route(prefix + "/push_subscriptions", self.list, methods=["GET"])
            app.add_route(prefix + "/push_subscriptions/{id}", self.delete, methods=["DELETE"])

    async def create(self, request: Request) -> Response:
        """Ask the callback, and keep the subscription when it answers as it has to."""
        parameters = await fields_of(request)
        problem = self._problem(request, parameters)
        if problem is not None:
            return refusal(problem, self._headers())
        problem = await self._handshake(parameters)
        simulator = self._simulator
        if problem is None and simulator.subscription is not None:  # another one was quicker
            problem = webhooks.EXISTS
        if problem is not None:
            return refusal(problem, self._headers())
        application_id = simulator.settings.application.client_id
        url = parameters["callback_url"]
        simulator.subscription = Subscription(self._next_id, application_id, url, simulator.clock.now())
        self._next_id += 1
        return answer(201, compact(simulator.subscription.payload()), self._headers())

    async def list(self, request: Request) -> Response:
        """The subscription, or none."""
        problem = self._problem(request, await fields_of(request))
        if problem is not None:
            return refusal(problem, self._headers())
        subscription = self._simulator.subscription
        body = b"[]" if subscription is None else b"[" + compact(subscription.payload()) + b"]"
        return answer(200, body, self._headers())

    async def delete(self, request: Request) -> Response:
        """End it."""
        problem = self._problem(request, await fields_of(request))
        if problem is not None:
            return refusal(problem, self._headers())
        subscription = self._simulator.subscription
        if subscription is None or request.path_params["id"] != str(subscription.id):
            return refusal(webhooks.UNKNOWN, self._headers())
        self._simulator.subscription = None
        response = Response(status_code=204)
        response.raw_headers.extend(self._headers())
        return response

    def _problem(self, request: Request, parameters: Mapping[str, str]) -> Fault | None:
        simulator = self._simulator
        simulator.count(request.scope["path"])
        inactive = INACTIVE if simulator.settings.inactive else None
        return check_application(parameters, simulator.settings.application) or inactive

    async def _handshake(self, parameters: Mapping[str, str]) -> Fault | None:
        url = parameters.get("callback_url", "")
        if not url:
            return bad_request("PushSubscription", "callback url", "missing")
        if len(url) > webhooks.MAX_CALLBACK_LENGTH:
            return webhooks.TOO_LONG
        if self._simulator.subscription is not None:
            return webhooks.EXISTS
        challenge = token_hex(8)
        response = await self._simulator.sender.challenge(url, parameters.get("verify_token", ""), challenge)
        if response is None or response.status_code != httpx.codes.OK:
            return webhooks.NOT_VERIFIABLE
        return None if _said(response) == challenge else webhooks.NO_CHALLENGE

    def _headers(self) -> Headers:
        # Recorded with a usage of 0,0: these calls do not count.
        return limits.headers(Usage(), self._simulator.settings.limits)


def _said(response: httpx.Response) -> object:
    try:
        said: object = response.json()
    except ValueError:
        return None
    return said.get("hub.challenge") if isinstance(said, dict) else None
