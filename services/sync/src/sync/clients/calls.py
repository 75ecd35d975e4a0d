"""GET requests with a bearer token, repeated when the connection breaks."""

from collections.abc import Mapping

import httpx
import stamina

#: A connection that broke, as a kept-alive one does when the server closed it: worth another try at once. Not a
#: timeout, which has taken its time already.
BROKEN = (httpx.NetworkError, httpx.RemoteProtocolError)


async def get(
    client: httpx.AsyncClient, address: str, bearer: str, params: Mapping[str, int], *, timeout_s: float
) -> httpx.Response:
    """The response, whatever its status. Raises httpx.RequestError."""
    # Not the decorator: it logs the arguments of what it tries again.
    async for attempt in stamina.retry_context(on=BROKEN, attempts=3, timeout=5, wait_initial=0.05, wait_jitter=0.1):
        with attempt:
            return await client.get(
                address, params=params, headers={"Authorization": f"Bearer {bearer}"}, timeout=timeout_s
            )
    raise AssertionError("the last attempt returns or raises")
