"""Delivers webhook events: 2 s for the response, three attempts, and simulated network conditions."""

import asyncio
from collections import deque
from dataclasses import dataclass, field

import httpx

from stravasim.clock import Deadline, SimulatedClock
from stravasim.dataset.rng import SeededRandom
from stravasim.strava.webhooks import MAX_ATTEMPTS, RESPONSE_TIMEOUT_S, Subscription, WebhookEvent, sign

_LOG_SIZE = 1_000  # deliveries shown by the control API
_CONCURRENCY = 50  # requests; the 2 s of a delivery begin when it has a slot
_MAX_PORT = 65_535
# ValueError: URLs that can be parsed but not requested, such as http://xn--/.
_REQUEST_ERRORS = (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ValueError)


@dataclass(frozen=True, slots=True)
class NetworkConditions:
    """The simulated network to the callback: probabilities from 0 to 1, times in seconds.

    Observed with Strava: 60 to 120 s between attempts, duplicate creates, and events out of order.
    """

    loss: float = 0.0
    duplicates: float = 0.0
    reordering: float = 0.0
    delay_s: float = 0.0
    retry_after_s: float = 60.0


@dataclass(slots=True)
class Delivery:
    """One event being delivered: its body, the result of each attempt, and the outcome."""

    body: bytes
    outcome: str = "pending"  # then delivered, failed or lost
    attempts: list[str] = field(default_factory=list)


class WebhookDispatcher:
    """Delivers events to the callback, each in its own task, so that a slow delivery does not block others."""

    def __init__(self, clock: SimulatedClock, seed: int, secret: str) -> None:
        self._clock = clock
        self._rng = SeededRandom(f"{seed}:webhooks")
        self._secret = secret
        self._client: httpx.AsyncClient | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(_CONCURRENCY)
        self.network = NetworkConditions()
        self.deliveries: deque[Delivery] = deque(maxlen=_LOG_SIZE)

    def dispatch(self, event: WebhookEvent, subscription: Subscription, *, signed: bool) -> None:
        """Start the delivery of an event."""
        body = event.to_json(subscription.id, int(self._clock.now().timestamp()))
        copies = 2 if self._rng.chance(self.network.duplicates) else 1
        for _ in range(copies):
            reordered = self._rng.chance(self.network.reordering)
            delay_s = self.network.delay_s + (self._rng.uniform(1, 10) if reordered else 0)
            delivery = Delivery(body)
            self.deliveries.append(delivery)
            if self._rng.chance(self.network.loss):
                delivery.outcome = "lost"
                continue
            start = self._clock.deadline(delay_s)
            task = asyncio.create_task(self._deliver(delivery, start, subscription.callback_url, signed=signed))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def request_challenge(self, callback_url: str, verify_token: str, challenge: str) -> httpx.Response | None:
        """The callback's response to the subscription handshake; None without one in time."""
        query = {"hub.mode": "subscribe", "hub.challenge": challenge, "hub.verify_token": verify_token}
        try:
            url = httpx.URL(callback_url).copy_merge_params(query)
            if (url.port or 0) > _MAX_PORT:
                return None
            async with asyncio.timeout(RESPONSE_TIMEOUT_S):
                return await self._http().get(url)
        except _REQUEST_ERRORS:
            return None

    async def close(self) -> None:
        """Cancel all pending deliveries and close the HTTP client."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()

    async def _deliver(self, delivery: Delivery, start: Deadline, callback_url: str, *, signed: bool) -> None:
        await self._clock.sleep_until(start)
        for attempt in range(MAX_ATTEMPTS):
            if attempt:
                await self._clock.sleep_until(self._clock.deadline(self.network.retry_after_s))
            result = await self._post(callback_url, delivery.body, signed=signed)
            delivery.attempts.append(result)
            if result == "200":
                delivery.outcome = "delivered"
                return
        delivery.outcome = "failed"

    async def _post(self, callback_url: str, body: bytes, *, signed: bool) -> str:
        headers = {"Content-Type": "application/json"}
        if signed:
            headers["X-Strava-Signature"] = sign(self._secret, body, int(self._clock.now().timestamp()))
        try:
            async with self._slots, asyncio.timeout(RESPONSE_TIMEOUT_S):
                response = await self._http().post(callback_url, content=body, headers=headers)
        except TimeoutError:
            return "no response within 2 s"
        except _REQUEST_ERRORS as error:
            return type(error).__name__
        return str(response.status_code)

    def _http(self) -> httpx.AsyncClient:
        if self._client is None:
            limits = httpx.Limits(max_connections=None, max_keepalive_connections=_CONCURRENCY)
            self._client = httpx.AsyncClient(timeout=RESPONSE_TIMEOUT_S, limits=limits, trust_env=False)
        return self._client
