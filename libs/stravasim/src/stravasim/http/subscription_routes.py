"""`/push_subscriptions`: create with a handshake, list, delete. No bearer token on any of them."""

from collections.abc import Mapping
from secrets import token_hex

import httpx
from fastapi import FastAPI, Request, Response

from stravasim.dependencies import get_simulator
from stravasim.responses import dump_json, error_response, json_response, read_parameters
from stravasim.simulator import Simulator
from stravasim.strava import rate_limits, webhooks
from stravasim.strava.errors import APPLICATION_INACTIVE, ApiError
from stravasim.strava.oauth import check_credentials
from stravasim.strava.rate_limits import Headers, Usage
from stravasim.strava.webhooks import Subscription


def add_subscription_routes(app: FastAPI) -> None:
    """Serve with and without `/api/v3`."""
    for prefix in ("/api/v3", ""):
        app.add_route(prefix + "/push_subscriptions", create_subscription, methods=["POST"])
        app.add_route(prefix + "/push_subscriptions", list_subscriptions, methods=["GET"])
        app.add_route(prefix + "/push_subscriptions/{id}", delete_subscription, methods=["DELETE"])


async def create_subscription(request: Request) -> Response:
    """Verify the callback with the handshake, then create the subscription."""
    simulator = get_simulator(request)
    parameters = await read_parameters(request)
    error = _check(request, parameters)
    if error is not None:
        return error_response(error, _headers(simulator))
    error = await _verify_callback(simulator, parameters)
    if error is None and simulator.subscription is not None:  # created by a concurrent request
        error = webhooks.SUBSCRIPTION_EXISTS
    if error is not None:
        return error_response(error, _headers(simulator))
    application_id = simulator.settings.application.client_id
    url = parameters["callback_url"]
    simulator.subscription = Subscription(simulator.next_subscription_id, application_id, url, simulator.clock.now())
    simulator.next_subscription_id += 1
    return json_response(201, dump_json(simulator.subscription.to_dict()), _headers(simulator))


async def list_subscriptions(request: Request) -> Response:
    """The list of subscriptions: one or none."""
    simulator = get_simulator(request)
    error = _check(request, await read_parameters(request))
    if error is not None:
        return error_response(error, _headers(simulator))
    subscription = simulator.subscription
    body = b"[]" if subscription is None else b"[" + dump_json(subscription.to_dict()) + b"]"
    return json_response(200, body, _headers(simulator))


async def delete_subscription(request: Request) -> Response:
    """Delete the subscription."""
    simulator = get_simulator(request)
    error = _check(request, await read_parameters(request))
    if error is not None:
        return error_response(error, _headers(simulator))
    subscription = simulator.subscription
    if subscription is None or request.path_params["id"] != str(subscription.id):
        return error_response(webhooks.SUBSCRIPTION_NOT_FOUND, _headers(simulator))
    simulator.subscription = None
    response = Response(status_code=204)
    response.raw_headers.extend(_headers(simulator))
    return response


def _check(request: Request, parameters: Mapping[str, str]) -> ApiError | None:
    simulator = get_simulator(request)
    simulator.count_request(request.scope["path"])
    inactive = APPLICATION_INACTIVE if simulator.settings.inactive else None
    return check_credentials(parameters, simulator.settings.application) or inactive


async def _verify_callback(simulator: Simulator, parameters: Mapping[str, str]) -> ApiError | None:
    url = parameters.get("callback_url", "")
    if not url:
        return webhooks.CALLBACK_MISSING
    if len(url) > webhooks.MAX_CALLBACK_LENGTH:
        return webhooks.CALLBACK_TOO_LONG
    if simulator.subscription is not None:
        return webhooks.SUBSCRIPTION_EXISTS
    challenge = token_hex(8)
    response = await simulator.webhooks.request_challenge(url, parameters.get("verify_token", ""), challenge)
    if response is None or response.status_code != httpx.codes.OK:
        return webhooks.CALLBACK_FAILED
    return None if _parse_challenge(response) == challenge else webhooks.CHALLENGE_MISMATCH


def _headers(simulator: Simulator) -> Headers:
    # Recorded with a usage of 0,0: these requests do not count.
    return rate_limits.build_headers(Usage(), simulator.settings.limits)


def _parse_challenge(response: httpx.Response) -> object:
    try:
        body: object = response.json()
    except (ValueError, RecursionError):
        return None
    return body.get("hub.challenge") if isinstance(body, dict) else None
