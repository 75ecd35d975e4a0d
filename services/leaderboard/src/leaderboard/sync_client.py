"""sync's internal API: how fetching goes."""

import httpx
import structlog
from pydantic import ValidationError

from shared.contracts.sync_api import SyncStatus
from shared.errors import Unavailable

TIMEOUT = httpx.Timeout(4.0, connect=1.0)
AWAY = "sync does not say how fetching goes at the moment. Please try again in a moment."

log = structlog.stdlib.get_logger(__name__)


class SyncClient:
    """Asks sync how fetching goes; `operator_key` is what it lets in."""

    def __init__(self, base_url: str, operator_key: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        headers = {"Authorization": f"Bearer {operator_key}"}
        self._http = httpx.AsyncClient(base_url=base_url, timeout=TIMEOUT, headers=headers, transport=transport)

    async def get_status(self) -> SyncStatus:
        """Budget, open jobs, webhooks and nightly runs. Raises Unavailable."""
        try:
            response = await self._http.get("/status")
            response.raise_for_status()
            return SyncStatus.model_validate_json(response.content)
        except httpx.HTTPStatusError as error:
            log.warning("sync refuses", status=error.response.status_code)
        except httpx.HTTPError as error:
            log.warning("sync away", error=type(error).__name__)
        except ValidationError as error:
            log.error("answer of sync breaks its contract", errors=error.error_count())
        raise Unavailable(AWAY)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()
