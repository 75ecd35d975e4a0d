"""Strava's API of webhook subscriptions. An application has one, for all athletes; the calls are not counted."""

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Any

import httpx

from shared.errors import AppError, Unavailable

#: Strava asks our address back before it answers.
TIMEOUT_S = 15.0


class SubscriptionRefused(AppError):
    """Strava does not accept the subscription."""

    status = 502
    code = "subscription_refused"


@dataclass(frozen=True)
class RemoteSubscription:
    """The subscription that Strava has."""

    id: int
    callback_url: str = field(repr=False)


class SubscriptionClient:
    """The subscriptions of one application. All methods raise Unavailable and SubscriptionRefused."""

    def __init__(self, client: httpx.AsyncClient, base_url: str, client_id: int, client_secret: str) -> None:
        self._client = client
        self._address = f"{base_url.rstrip('/')}/push_subscriptions"
        self._credentials = {"client_id": str(client_id), "client_secret": client_secret}

    async def find(self) -> RemoteSubscription | None:
        """The one that there is."""
        # Strava takes the credentials from the query alone.
        found = self._parse(await self._request("GET", self._address, params=self._credentials), 200)
        if not isinstance(found, list):
            raise Unavailable("Strava's answer is not a list")
        return self._subscription(found[0]) if found else None

    async def create(self, callback_url: str, verify_token: str) -> int:
        """Subscribe; Strava verifies the address before it answers. Returns the id."""
        form = {**self._credentials, "callback_url": callback_url, "verify_token": verify_token}
        created = self._parse(await self._request("POST", self._address, data=form), 201, 200)
        return self._subscription({"callback_url": callback_url, **(created if isinstance(created, dict) else {})}).id

    async def delete(self, subscription_id: int) -> None:
        """End a subscription; one that does not exist is ended already."""
        address = f"{self._address}/{subscription_id}"
        response = await self._request("DELETE", address, params=self._credentials)
        if response.status_code not in (200, 204, 404):
            raise _refusal(response)

    async def _request(self, method: str, address: str, **content: Any) -> httpx.Response:
        try:
            return await self._client.request(method, address, timeout=TIMEOUT_S, **content)
        except httpx.RequestError as error:  # not chained: its request holds the client's secret
            raise Unavailable(f"Strava does not answer ({type(error).__name__})") from None

    def _parse(self, response: httpx.Response, *expected: int) -> Any:
        if response.status_code not in expected:
            raise _refusal(response)
        try:
            return response.json()
        except (ValueError, RecursionError):
            raise Unavailable("Strava's answer is not JSON") from None

    def _subscription(self, found: object) -> RemoteSubscription:
        match found:
            case {"id": int(number), "callback_url": str(url)}:
                return RemoteSubscription(number, url)
            case {"id": int(number)}:
                return RemoteSubscription(number, "")
        raise Unavailable("Strava's answer is not a subscription")


@dataclass(frozen=True)
class Webhooks:
    """Where Strava sends its events, and the secret that makes the address unguessable."""

    url: str
    secret: str = field(repr=False)
    client: SubscriptionClient = field(repr=False)

    @property
    def callback_url(self) -> str:
        """The whole address."""
        return f"{self.url.rstrip('/')}/strava/webhook/{self.secret}"

    @property
    def verify_token(self) -> str:
        """What Strava shows when it verifies the address; derived, so that one secret is enough."""
        return hmac.new(self.secret.encode(), b"verify_token", hashlib.sha256).hexdigest()[:32]


def _refusal(response: httpx.Response) -> AppError:
    if response.status_code >= 500:
        return Unavailable(f"Strava answered {response.status_code}")
    try:
        errors = response.json()["errors"]
        reasons = [" ".join(str(error[part]) for part in ("resource", "field", "code")) for error in errors]
    except (ValueError, KeyError, TypeError, RecursionError):
        reasons = []
    why = "; ".join(reasons)[:200]
    return SubscriptionRefused(f"Strava answered {response.status_code}" + (f": {why}" if why else ""))
