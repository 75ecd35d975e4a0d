"""ASGI middleware that records the latest requests of Strava's clients and their statuses."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stravasim.http.fault_middleware import STRAVA_PATHS, read_bearer
from stravasim.simulator import RequestRecord, Simulator


class RequestLogMiddleware:
    """Forwards requests to the application and appends each to `simulator.request_log`."""

    def __init__(self, app: ASGIApp, simulator: Simulator) -> None:
        self._app = app
        self._simulator = simulator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or not scope["path"].startswith(STRAVA_PATHS):
            await self._app(scope, receive, send)
            return
        status = 0

        async def record_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        token = read_bearer(scope)
        athlete_id = self._simulator.tokens.find_athlete_id(token)  # beforehand: the request may revoke the token
        try:
            await self._app(scope, receive, record_status)
        finally:
            query = scope["query_string"].decode("latin-1") if token else ""
            at = self._simulator.clock.now()
            record = RequestRecord(at, athlete_id, scope["method"], scope["path"], query, status)
            self._simulator.request_log.append(record)
