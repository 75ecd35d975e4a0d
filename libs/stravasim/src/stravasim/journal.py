"""Notes each call and how it was answered: an ASGI layer around everything that plays Strava."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stravasim.accidents import PLAYED, token_of
from stravasim.simulator import Call, Simulator


class Journal:
    """Passes calls on to the application and keeps the latest of them."""

    def __init__(self, app: ASGIApp, simulator: Simulator) -> None:
        self._app = app
        self._simulator = simulator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One call."""
        if scope["type"] != "http" or not scope["path"].startswith(PLAYED):
            await self._app(scope, receive, send)
            return
        status = 0

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        token = token_of(scope)
        athlete_id = self._simulator.tokens.athlete_of(token)  # before the call, which may end the connection
        try:
            await self._app(scope, receive, note)
        finally:
            query = scope["query_string"].decode("latin-1") if token else ""
            at = self._simulator.clock.now()
            self._simulator.latest.append(Call(at, athlete_id, scope["method"], scope["path"], query, status))
