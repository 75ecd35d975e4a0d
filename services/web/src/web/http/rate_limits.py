"""How often one visitor may do what costs something: counted in this process, by user or by address."""

import ipaddress

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from starlette.requests import Request

from shared.errors import TooManyRequests

#: Of one address, which may be a whole office. Behind a proxy uvicorn takes the address from what the proxy says.
FORMS = RateLimitItemPerMinute(300)
READS = RateLimitItemPerMinute(600)  # that leaderboard has to compute
SIGN_INS = RateLimitItemPerMinute(120)
IPV6_NETWORK_BITS = 64  # what one household has


class RateLimits:
    """Fixed windows in memory."""

    def __init__(self) -> None:
        self._limiter = FixedWindowRateLimiter(MemoryStorage())

    def spend(self, request: Request, limit: RateLimitItemPerMinute, kind: str) -> None:
        """Count one. Raises TooManyRequests."""
        if not self._limiter.hit(limit, kind, find_address(request)):
            raise TooManyRequests


def find_address(request: Request) -> str:
    """The address of the visitor; of IPv6 the network, because a household has them all."""
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.version == 4:
        return host
    return str(ipaddress.ip_network((address, IPV6_NETWORK_BITS), strict=False).network_address)
