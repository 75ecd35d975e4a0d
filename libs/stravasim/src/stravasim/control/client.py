"""A Python client of the control API."""

from collections.abc import Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import httpx


class ControlError(Exception):
    """The control API refused a request; the text has its status and body."""


class ControlClient:
    """Use as `async with ControlClient("http://127.0.0.1:8100") as control`. Every method is one request."""

    def __init__(self, base_url: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._client = httpx.AsyncClient(base_url=base_url, transport=transport, timeout=60, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def list_athletes(self) -> list[dict[str, Any]]:
        """Each athlete: id, firstname, lastname, number of activities, whether connected, number of requests."""
        return await self._list("/athletes")

    async def list_activities(self, athlete_id: int) -> list[dict[str, Any]]:
        """All activities of an athlete, private ones included, newest first."""
        return await self._list(f"/athletes/{athlete_id}/activities")

    async def add_activity(self, athlete_id: int, **fields: object) -> dict[str, Any]:
        """Upload an activity; fields that are not given are generated. An old `start_date` makes it a late upload."""
        return await self._object("POST", f"/athletes/{athlete_id}/activities", fields)

    async def update_activity(self, athlete_id: int, activity_id: int, **changes: object) -> dict[str, Any]:
        """Edit an activity; `visibility="only_me"` hides it."""
        return await self._object("PATCH", f"/athletes/{athlete_id}/activities/{activity_id}", changes)

    async def delete_activity(self, athlete_id: int, activity_id: int) -> None:
        """Delete an activity."""
        await self._request("DELETE", f"/athletes/{athlete_id}/activities/{activity_id}")

    async def revoke(self, athlete_id: int) -> bool:
        """Revoke the application's access as the athlete; returns whether it had any."""
        return bool((await self._request("DELETE", f"/athletes/{athlete_id}/authorization"))["was_connected"])

    async def set_clock(
        self, *, now: datetime | None = None, advance_s: float = 0, frozen: bool | None = None
    ) -> datetime:
        """Set, advance, freeze or release the clock; returns its time."""
        update = {"now": now.isoformat() if now else None, "advance_s": advance_s, "frozen": frozen}
        return datetime.fromisoformat((await self._request("POST", "/clock", update))["now"])

    async def update_settings(self, **settings: object) -> dict[str, Any]:
        """Change settings, such as `inactive=True`, `capacity=1` or `limits={"read_quarter": 5}`; returns all."""
        return await self._object("PATCH", "/settings", settings)

    async def inject_fault(self, kind: str, **rule: object) -> int:
        """Add a fault rule (see `stravasim.fault_injection`); returns its id."""
        return int((await self._request("POST", "/faults", {"kind": kind, **rule}))["id"])

    async def clear_faults(self, fault_id: int | None = None) -> None:
        """Remove one fault rule, or all."""
        await self._request("DELETE", "/faults" if fault_id is None else f"/faults/{fault_id}")

    async def set_network_conditions(self, **conditions: float) -> None:
        """Set loss, duplicates, reordering, delay_s and retry_after_s of webhook deliveries; the rest is reset."""
        await self._request("PUT", "/webhooks/network", conditions)

    async def get_webhooks(self) -> dict[str, Any]:
        """The subscription, and the latest deliveries with their attempts and outcomes."""
        return await self._object("GET", "/webhooks")

    async def get_request_counts(self) -> dict[str, Any]:
        """Requests by path and athlete, those over a rate limit, and the usage of the current windows."""
        return await self._object("GET", "/requests/counts")

    async def list_requests(self, athlete_id: int | None = None) -> list[dict[str, Any]]:
        """The last thousand requests, or an athlete's among them: at, athlete_id, method, path, query, status."""
        return await self._list("/requests" + (f"?athlete_id={athlete_id}" if athlete_id else ""))

    async def clear_requests(self) -> None:
        """Empty the request log and reset the counts; the usage of the rate-limit windows stays."""
        await self._request("DELETE", "/requests")

    async def _object(self, method: str, path: str, body: Mapping[str, object] | None = None) -> dict[str, Any]:
        value: dict[str, Any] = await self._request(method, path, body)
        return value

    async def _list(self, path: str) -> list[dict[str, Any]]:
        value: list[dict[str, Any]] = await self._request("GET", path)
        return value

    async def _request(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Any:
        response = await self._client.request(method, f"/_sim{path}", json=None if body is None else dict(body))
        if not response.is_success:
            raise ControlError(f"{method} {path}: {response.status_code} {response.text[:500]}")
        return response.json() if response.content else None
