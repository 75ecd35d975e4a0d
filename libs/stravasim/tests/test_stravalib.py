"""stravalib, an independent client, works with the simulator: OAuth, list, detail, subscription, rate limits.

Its models are those of Strava's own schema, so responses that it can parse could be Strava's.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from live_server import Callback, consent, serve_app
from requests.adapters import HTTPAdapter
from stravalib import Client, exc
from stravalib.strava_model import ActivityType, SportType
from stravalib.util import limiter

from stravasim.app import create_app
from stravasim.control.client import ControlClient
from stravasim.dataset.generator import generate_dataset
from stravasim.simulator import Settings
from stravasim.strava.sport_types import SPORT_TYPES
from testkit.waiting import wait_until

CLIENT_ID, SECRET = 12345, "simulated-secret"
BACK = "http://localhost/back"
SCOPES = ["read", "activity:read", "activity:read_all"]


class ToSimulator(HTTPAdapter):
    """Sends requests for Strava's address to the simulator."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self._address = address

    def send(self, request: requests.PreparedRequest, *rest: Any, **options: Any) -> requests.Response:
        request.url = str(request.url).replace("https://www.strava.com", self._address, 1)
        return super().send(request, *rest, **options)


@dataclass
class Strava:
    """A running simulator with a small dataset, and stravalib clients of it."""

    address: str
    control: ControlClient
    athlete_id: int

    def client(self, rate_limiter: Callable[..., None] | None = None) -> Client:
        session = requests.Session()
        session.trust_env = False
        session.mount("https://www.strava.com", ToSimulator(self.address))
        return Client(requests_session=session, rate_limiter=rate_limiter or (lambda _headers, _method: None))

    async def code(self, client: Client, scopes: list[str], granted: list[str]) -> str:
        """The code that the athlete's browser returns from the authorization URL of stravalib."""
        url = client.authorization_url(CLIENT_ID, BACK, scope=scopes, state="s1")
        query = {key: values[0] for key, values in parse_qs(urlsplit(url).query).items()}
        return await consent(self.address, query, self.athlete_id, granted)

    async def signed_in(
        self,
        rate_limiter: Callable[..., None] | None = None,
        scopes: list[str] = SCOPES,
        granted: list[str] | None = None,
    ) -> Client:
        client = self.client(rate_limiter)
        code = await self.code(client, scopes, granted or scopes)
        tokens, athlete = await call_blocking(
            client.exchange_code_for_token, CLIENT_ID, SECRET, code, return_athlete=True
        )
        assert athlete is not None
        assert athlete.id == self.athlete_id
        client.refresh_token, client.token_expires = tokens["refresh_token"], tokens["expires_at"]
        return client


async def call_blocking(call: Callable[..., Any], *given: Any, **named: Any) -> Any:
    """The result of a blocking call of stravalib, made in a thread."""
    return await asyncio.to_thread(call, *given, **named)


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRAVA_CLIENT_ID", str(CLIENT_ID))
    monkeypatch.setenv("STRAVA_CLIENT_SECRET", SECRET)


@asynccontextmanager
async def simulating(**settings: Any) -> AsyncIterator[Strava]:
    now = datetime.now(UTC)
    dataset = generate_dataset(athletes=3, days=90, seed=5, until=now.date() - timedelta(days=1), now=now)
    async with (
        serve_app(create_app(dataset, settings=Settings(**settings))) as address,
        ControlClient(address) as control,
    ):
        yield Strava(address, control, next(iter(dataset.athletes)))


@pytest.fixture
async def strava() -> AsyncIterator[Strava]:
    async with simulating() as running:
        yield running


async def test_it_signs_in_and_reads_the_athlete(strava):
    client = await strava.signed_in()
    athlete = await call_blocking(client.get_athlete)
    assert athlete.id == strava.athlete_id
    assert athlete.firstname


async def test_it_refreshes_by_itself_when_the_token_has_run_out(strava):
    await strava.control.set_clock(now=datetime.now(UTC) - timedelta(hours=7))
    client = await strava.signed_in()
    first_access, first_refresh = client.access_token, client.refresh_token
    await strava.control.set_clock(now=datetime.now(UTC))
    assert (await call_blocking(client.get_athlete)).id == strava.athlete_id
    assert client.access_token != first_access
    assert client.refresh_token != first_refresh

    stale = strava.client()
    with pytest.raises(exc.Fault, match="RefreshToken"):
        await call_blocking(stale.refresh_access_token, CLIENT_ID, SECRET, first_refresh)


async def test_it_lists_everything_there_is_and_reads_every_detail(strava):
    await strava.control.update_settings(limits={"read_quarter": 10_000, "read_day": 10_000})
    await strava.control.update_settings(limits={"overall_quarter": 10_000, "overall_day": 10_000})
    for sport in (*SPORT_TYPES, "Orienteering"):
        await strava.control.add_activity(strava.athlete_id, sport_type=sport)
    client = await strava.signed_in()
    listed = await call_blocking(lambda: list(client.get_activities()))
    there = await strava.control.list_activities(strava.athlete_id)
    assert [activity.id for activity in listed] == [activity["id"] for activity in there]
    assert {activity.sport_type.root for activity in listed} == set(SPORT_TYPES)
    for summary, activity in zip(listed, there, strict=True):
        known = activity["sport_type"] if activity["sport_type"] in SPORT_TYPES else "Workout"
        assert (summary.sport_type.root, summary.type.root) == (known, activity["type"])
        assert summary.start_date == datetime.fromisoformat(activity["start_date"])
        assert float(summary.distance) == activity["distance"]
        detail = await call_blocking(client.get_activity, summary.id)
        assert (detail.id, detail.name, detail.moving_time) == (summary.id, summary.name, summary.moving_time)


def test_the_sport_types_and_the_older_types_are_those_of_strava_s_own_schema():
    def allowed(kind: Any) -> set[str]:
        return set(kind.model_fields["root"].annotation.__args__)

    assert set(SPORT_TYPES) == allowed(SportType)
    assert set(SPORT_TYPES.values()) <= allowed(ActivityType)
    assert (len(SPORT_TYPES), len(set(SPORT_TYPES.values()))) == (56, 37)


async def test_bounds_order_the_list_as_strava_does(strava):
    client = await strava.signed_in()
    day = datetime.now(UTC).replace(tzinfo=None) - timedelta(days=40)
    oldest_first = await call_blocking(lambda: [it.start_date for it in client.get_activities(after=day)])
    assert oldest_first == sorted(oldest_first)
    newest_first = await call_blocking(lambda: [it.start_date for it in client.get_activities(before=day)])
    assert newest_first == sorted(newest_first, reverse=True)
    assert oldest_first
    assert newest_first[0] < day.replace(tzinfo=UTC) < oldest_first[0]


async def test_what_it_may_not_see_is_missing_or_not_found(strava):
    hidden = await strava.control.add_activity(strava.athlete_id, visibility="only_me")
    client = await strava.signed_in(granted=["read", "activity:read"])
    assert hidden["id"] not in await call_blocking(lambda: [it.id for it in client.get_activities()])
    with pytest.raises(exc.ObjectNotFound):
        await call_blocking(client.get_activity, hidden["id"])


async def test_a_manual_activity_is_created(strava):
    client = await strava.signed_in(scopes=["activity:write"])
    made = await call_blocking(
        client.create_activity,
        name="Pool",
        start_date_local="2026-06-01T07:30:00Z",
        elapsed_time=1800,
        sport_type="Swim",
        distance=1500.0,
    )
    assert (made.manual, made.sport_type.root, float(made.distance)) == (True, "Swim", 1500.0)


async def test_a_webhook_subscription_is_created_listed_notified_and_deleted(strava):
    callback = Callback()
    async with serve_app(callback.app()) as address:
        client = await strava.signed_in()
        made = await call_blocking(client.create_subscription, CLIENT_ID, SECRET, f"{address}/hook", "mine")
        assert callback.verify_tokens == ["mine"]
        [listed] = await call_blocking(lambda: list(client.list_subscriptions(CLIENT_ID, SECRET)))
        assert (listed.id, listed.callback_url) == (made.id, f"{address}/hook")

        added = await strava.control.add_activity(strava.athlete_id, name="One")
        await strava.control.update_activity(strava.athlete_id, added["id"], name="Two", visibility="only_me")
        await strava.control.delete_activity(strava.athlete_id, added["id"])
        await strava.control.revoke(strava.athlete_id)
        await wait_until(lambda: len(callback.events) >= 4)
        received = [client.handle_subscription_update(event) for event in callback.events]
        assert {(update.aspect_type, update.object_type) for update in received} == {
            ("create", "activity"),
            ("update", "activity"),
            ("delete", "activity"),
            ("update", "athlete"),
        }
        assert {update.owner_id for update in received} == {strava.athlete_id}
        with pytest.raises(exc.AccessUnauthorized):
            await call_blocking(client.get_athlete)

        await call_blocking(client.delete_subscription, made.id, CLIENT_ID, SECRET)
        assert await call_blocking(lambda: list(client.list_subscriptions(CLIENT_ID, SECRET))) == []


async def test_it_is_refused_beyond_the_limit_and_reads_the_headers(strava):
    await strava.control.update_settings(limits={"read_quarter": 3})
    rates = []
    client = await strava.signed_in(
        lambda headers, method: rates.append(limiter.get_rates_from_response_headers(headers, method))
    )
    for _ in range(3):
        await call_blocking(client.get_athlete)
    with pytest.raises(exc.Fault, match="429 Client Error"):
        await call_blocking(client.get_athlete)
    assert [rate.short_usage for rate in rates] == [1, 2, 3, 4]
    assert {(rate.short_limit, rate.long_limit) for rate in rates} == {(3, 1000)}


async def test_its_own_limiter_waits_for_the_next_quarter_and_is_never_refused(strava, monkeypatch):
    await strava.control.update_settings(limits={"read_quarter": 3})
    waits: list[float] = []

    def wait(seconds: float) -> None:
        if seconds > 1:  # between two calls there may be none or a rounding error
            waits.append(seconds)
            requests.post(f"{strava.address}/_sim/clock", json={"advance_s": seconds + 1}, timeout=10)

    monkeypatch.setattr(limiter, "time", SimpleNamespace(sleep=wait))
    client = await strava.signed_in(limiter.DefaultRateLimiter("high"))
    # Its windows are those of the real clock, so the simulated one is set to the start of a quarter hour.
    now = datetime.now(UTC)
    quarter = now.replace(minute=now.minute // 15 * 15, second=0, microsecond=0)
    monkeypatch.setattr(limiter, "get_seconds_until_next_quarter", lambda: 900)
    await strava.control.set_clock(now=quarter + timedelta(minutes=15), frozen=True)
    for _ in range(7):
        await call_blocking(client.get_athlete)
    assert len(waits) == 2
    assert (await strava.control.get_request_counts())["rate_limited"] == 0


async def test_an_inactive_application_is_named_as_such(strava):
    client = await strava.signed_in()
    await strava.control.update_settings(inactive=True)
    with pytest.raises(exc.ApplicationInactive):
        await call_blocking(client.get_athlete)
    assert (await call_blocking(client.refresh_access_token, CLIENT_ID, SECRET, client.refresh_token))["access_token"]


async def test_it_deauthorizes_itself(strava):
    client = await strava.signed_in()
    await call_blocking(client.deauthorize)
    with pytest.raises(exc.AccessUnauthorized):
        await call_blocking(client.get_athlete)
    with pytest.raises(exc.Fault, match="RefreshToken"):
        await call_blocking(client.refresh_access_token, CLIENT_ID, SECRET, client.refresh_token)


async def test_short_pages_catch_a_client_that_stops_at_the_first_one():
    """stravalib 2.6 does; Strava's documentation says to continue to an empty page."""
    async with simulating(short_pages=True) as strava:
        client = await strava.signed_in()
        there = await strava.control.list_activities(strava.athlete_id)
        iterator = client.get_activities()
        iterator.per_page = 10
        listed = await call_blocking(lambda: list(iterator))
        assert 0 < len(listed) < len(there)
