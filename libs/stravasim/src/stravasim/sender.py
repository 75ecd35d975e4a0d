"""Sends webhook events: 2 s for the answer, three attempts, and whatever the weather does to them."""

import asyncio
from collections import deque
from dataclasses import dataclass, field

import httpx

from stravasim.clock import SimulatedClock, Wait
from stravasim.dice import Dice
from stravasim.webhooks import ANSWER_WITHIN_S, ATTEMPTS, News, Subscription, Weather, signature

_KEPT = 1_000  # deliveries that the control side can look at
_AT_A_TIME = 50  # deliveries; what waits for its turn has not begun its 2 s
_LAST_PORT = 65_535
# ValueError: addresses that can be written but not called, such as http://xn--/.
_NO_ANSWER = (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ValueError)


@dataclass(slots=True)
class Delivery:
    """One event on its way: what each attempt met, and how it ended so far."""

    body: bytes
    outcome: str = "waiting"  # then delivered, dropped or lost
    attempts: list[str] = field(default_factory=list)


class Sender:
    """Delivers to the callback; each delivery is a task of its own, so a slow one holds up no other."""

    def __init__(self, clock: SimulatedClock, seed: int, secret: str) -> None:
        self._clock = clock
        self._dice = Dice(f"{seed}:webhooks")
        self._secret = secret
        self._client: httpx.AsyncClient | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._free = asyncio.Semaphore(_AT_A_TIME)
        self.weather = Weather()
        self.deliveries: deque[Delivery] = deque(maxlen=_KEPT)

    def tell(self, news: News, subscription: Subscription, *, signed: bool) -> None:
        """Begin to deliver an event."""
        now = self._clock.now()
        body = news.payload(subscription.id, int(now.timestamp()))
        copies = 2 if self._dice.chance(self.weather.duplicates) else 1
        for _ in range(copies):
            overtaken = self._dice.chance(self.weather.reordering)
            delay_s = self.weather.delay_s + (self._dice.uniform(1, 10) if overtaken else 0)
            delivery = Delivery(body)
            self.deliveries.append(delivery)
            if self._dice.chance(self.weather.loss):
                delivery.outcome = "lost"
                continue
            wait = self._clock.passing(delay_s)
            task = asyncio.create_task(self._deliver(delivery, wait, subscription.callback_url, signed=signed))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def challenge(self, callback_url: str, verify_token: str, challenge: str) -> httpx.Response | None:
        """What the callback answers to the handshake; None when it does not answer in time."""
        query = {"hub.mode": "subscribe", "hub.challenge": challenge, "hub.verify_token": verify_token}
        try:
            url = httpx.URL(callback_url).copy_merge_params(query)
            if (url.port or 0) > _LAST_PORT:
                return None
            async with asyncio.timeout(ANSWER_WITHIN_S):
                return await self._http().get(url)
        except _NO_ANSWER:
            return None

    async def close(self) -> None:
        """Give up what is on its way."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()

    async def _deliver(self, delivery: Delivery, wait: Wait, callback_url: str, *, signed: bool) -> None:
        await wait()
        for attempt in range(ATTEMPTS):
            if attempt:
                await self._clock.passing(self.weather.retry_after_s)()
            met = await self._post(callback_url, delivery.body, signed=signed)
            delivery.attempts.append(met)
            if met == "200":
                delivery.outcome = "delivered"
                return
        delivery.outcome = "dropped"

    async def _post(self, callback_url: str, body: bytes, *, signed: bool) -> str:
        headers = {"Content-Type": "application/json"}
        if signed:
            headers["X-Strava-Signature"] = signature(self._secret, body, int(self._clock.now().timestamp()))
        try:
            async with self._free, asyncio.timeout(ANSWER_WITHIN_S):
                answer = await self._http().post(callback_url, content=body, headers=headers)
        except TimeoutError:
            return "no answer within 2 s"
        except _NO_ANSWER as error:
            return type(error).__name__
        return str(answer.status_code)

    def _http(self) -> httpx.AsyncClient:
        if self._client is None:
            limits = httpx.Limits(max_connections=None, max_keepalive_connections=_AT_A_TIME)
            self._client = httpx.AsyncClient(timeout=ANSWER_WITHIN_S, limits=limits, trust_env=False)
        return self._client
