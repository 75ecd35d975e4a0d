"""The control side from Python: what a test says to a running simulator."""

from collections.abc import Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import httpx


class ControlError(Exception):
    """The simulator refused; the text says what it answered."""


class Control:
    """Use as `async with Control("http://127.0.0.1:8100") as strava`. Every method is one call to `/_sim`."""

    def __init__(self, base_url: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._client = httpx.AsyncClient(base_url=base_url, transport=transport, timeout=60, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _where: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def athletes(self) -> list[dict[str, Any]]:
        """The club: id, firstname, lastname, number of activities, whether connected, calls made."""
        return await self._list("GET", "/athletes")

    async def activities(self, athlete_id: int) -> list[dict[str, Any]]:
        """Everything that an athlete has, private ones included, newest first."""
        return await self._list("GET", f"/activities/{athlete_id}")

    async def upload(self, athlete_id: int, **given: object) -> dict[str, Any]:
        """Add an activity; what is not given is invented. An old `start_date` makes it a late upload."""
        return await self._object("POST", f"/athletes/{athlete_id}/activities", given)

    async def edit(self, athlete_id: int, activity_id: int, **changes: object) -> dict[str, Any]:
        """Change an activity; `visibility="only_me"` hides it."""
        return await self._object("PATCH", f"/athletes/{athlete_id}/activities/{activity_id}", changes)

    async def delete(self, athlete_id: int, activity_id: int) -> None:
        """Delete an activity."""
        await self._ask("DELETE", f"/athletes/{athlete_id}/activities/{activity_id}")

    async def revoke(self, athlete_id: int) -> bool:
        """The athlete takes the application's access away; returns whether it had any."""
        return bool((await self._ask("POST", f"/athletes/{athlete_id}/revoke"))["was_connected"])

    async def set_clock(
        self, *, now: datetime | None = None, advance_s: float = 0, frozen: bool | None = None
    ) -> datetime:
        """Set, advance, freeze or release the clock; returns what it shows."""
        wish = {"now": now.isoformat() if now else None, "advance_s": advance_s, "frozen": frozen}
        return datetime.fromisoformat((await self._ask("POST", "/clock", wish))["now"])

    async def configure(self, **settings: object) -> dict[str, Any]:
        """Change settings, such as `inactive=True`, `capacity=1` or `limits={"read_quarter": 5}`."""
        return await self._object("PATCH", "/settings", settings)

    async def break_calls(self, kind: str, **order: object) -> int:
        """Have calls go wrong; see `stravasim.mishaps`. Returns the number to `mend` it with."""
        return int((await self._ask("POST", "/mishaps", {"kind": kind, **order}))["id"])

    async def mend(self, number: int | None = None) -> None:
        """End one such order, or all."""
        await self._ask("DELETE", "/mishaps" if number is None else f"/mishaps/{number}")

    async def set_weather(self, **weather: float) -> None:
        """How webhook events fare: loss, duplicates, reordering, delay_s, retry_after_s."""
        await self._ask("PUT", "/webhooks/weather", weather)

    async def webhooks(self) -> dict[str, Any]:
        """The subscription, and each event with its attempts and its outcome."""
        return await self._object("GET", "/webhooks")

    async def calls(self) -> dict[str, Any]:
        """Calls by path and athlete, refusals, and the usage of the current windows."""
        return await self._object("GET", "/calls")

    async def latest_calls(self, athlete_id: int | None = None) -> list[dict[str, Any]]:
        """The last thousand calls, or those of an athlete among them: at, athlete_id, method, path, query, status."""
        return await self._list("GET", "/calls/latest" + (f"?athlete_id={athlete_id}" if athlete_id else ""))

    async def forget_calls(self) -> None:
        """Count calls and refusals from zero; the usage of the windows stays."""
        await self._ask("DELETE", "/calls")

    async def _object(self, method: str, path: str, body: Mapping[str, object] | None = None) -> dict[str, Any]:
        answer: dict[str, Any] = await self._ask(method, path, body)
        return answer

    async def _list(self, method: str, path: str) -> list[dict[str, Any]]:
        answer: list[dict[str, Any]] = await self._ask(method, path)
        return answer

    async def _ask(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Any:
        answer = await self._client.request(method, f"/_sim{path}", json=None if body is None else dict(body))
        if not answer.is_success:
            raise ControlError(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
        return answer.json() if answer.content else None
