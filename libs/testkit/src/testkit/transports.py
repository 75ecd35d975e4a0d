"""HTTP transports for clients under test."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import httpx

#: A response to give, or an error to raise, instead of what the server would answer.
ScriptedAnswer = httpx.Response | Exception


@dataclass
class ScriptedTransport(httpx.AsyncBaseTransport):
    """Passes requests on and records them; answers by itself what the script says for the next calls.

    `script` is consumed call by call, None passes a call on. `before` runs an action before the call of that number,
    from 1.
    """

    inner: httpx.AsyncBaseTransport
    script: list[ScriptedAnswer | None] = field(default_factory=list)
    before: dict[int, Callable[[], Awaitable[object]]] = field(default_factory=dict)
    request_bodies: list[bytes] = field(default_factory=list)
    response_bodies: list[bytes] = field(default_factory=list)

    @property
    def calls(self) -> int:
        """How many requests were made."""
        return len(self.request_bodies)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One call."""
        self.request_bodies.append(await request.aread())
        if action := self.before.pop(self.calls, None):
            await action()
        answer = self.script.pop(0) if self.script else None
        if answer is not None:
            return give(answer)
        response = await self.inner.handle_async_request(request)
        self.response_bodies.append(await response.aread())
        return response


def give(answer: ScriptedAnswer) -> httpx.Response:
    """The scripted response; raises the scripted error."""
    if isinstance(answer, Exception):
        raise answer
    return answer
