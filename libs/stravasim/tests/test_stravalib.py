"""An independent client: stravalib signs in, refreshes, lists, fetches, subscribes and is held back here.

Its models are those of Strava's own schema, so what it can read is what Strava could have said.
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
from live import Callback, consent, serving, until
from requests.adapters import HTTPAdapter
from stravalib import Client, exc
from stravalib.strava_model import ActivityType, SportType
from stravalib.util import limiter

from stravasim.app import create_app
from stravasim.client import Control
from stravasim.club import generate_club
from stravasim.simulator import Settings
from stravasim.sports import SPORT_TYPES

CLIENT_ID, SECRET = 12345, "simulated-secret"
BACK = "http://localhost/back"
SCOPES = ["read", "activity:read", "activity:read_all"]


class ToSimulator(HTTPAdapter):
    """Sends what is meant for Strava's own address to another."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self._address = address

    def send(self, request: requests.PreparedRequest, *rest: Any, **options: Any) -> requests.Response:
        request.url = str(request.url).replace("https://www.strava.com", self._address, 1)
        return super().send(request, *rest, **options)


@dataclass
class Strava:
    """A running simulator of a small club, and stravalib pointed at it."""

    address: str
    control: Control
    athlete_id: int

    def client(self, rate_limiter: Callable[..., None] | None = None) -> Client:
        session = requests.Session()
        session.trust_env = False
        session.mount("https://www.strava.com", ToSimulator(self.address))
        return Client(requests_session=session, rate_limiter=rate_limiter or (lambda _headers, _method: None))

    async def code(self, client: Client, scopes: list[str], granted: list[str]) -> str:
        """What the athlete's browser brings back from where stravalib sends it."""
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
        tokens, athlete = await said(client.exchange_code_for_token, CLIENT_ID, SECRET, code, return_athlete=True)
        assert athlete is not None
        assert athlete.id == self.athlete_id
        client.refresh_token, client.token_expires = tokens["refresh_token"], tokens["expires_at"]
        return client


async def said(call: Callable[..., Any], *given: Any, **named: Any) -> Any:
    """What a call of stravalib answers, which blocks, and so has a thread of its own."""
    return await asyncio.to_thread(call, *given, **named)


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRAVA_CLIENT_ID", str(CLIENT_ID))
    monkeypatch.setenv("STRAVA_CLIENT_SECRET", SECRET)


@asynccontextmanager
async def simulating(**settings: Any) -> AsyncIterator[Strava]:
    now = datetime.now(UTC)
    club = generate_club(athletes=3, days=90, seed=5, until=now.date() - timedelta(days=1), now=now)
    async with (
        serving(create_app(club, settings=Settings(**settings))) as address,
        Control(address) as control,
    ):
        yield Strava(address, control, next(iter(club.members)))


@pytest.fixture
async def strava() -> AsyncIterator[Strava]:
    async with simulating() as running:
        yield running


async def test_it_signs_in_and_reads_the_athlete(strava):
    client = await strava.signed_in()
    athlete = await said(client.get_athlete)
    assert athlete.id == strava.athlete_id
    assert athlete.firstname


async def test_it_refreshes_by_itself_when_the_token_has_run_out(strava):
    await strava.control.set_clock(now=datetime.now(UTC) - timedelta(hours=7))
    client = await strava.signed_in()
    first_access, first_refresh = client.access_token, client.refresh_token
    await strava.control.set_clock(now=datetime.now(UTC))
    assert (await said(client.get_athlete)).id == strava.athlete_id
    assert client.access_token != first_access
    assert client.refresh_token != first_refresh

    stale = strava.client()
    with pytest.raises(exc.Fault, match="RefreshToken"):
        await said(stale.refresh_access_token, CLIENT_ID, SECRET, first_refresh)


async def test_it_lists_everything_there_is_and_reads_every_detail(strava):
    await strava.control.configure(limits={"read_quarter": 10_000, "read_day": 10_000})
    await strava.control.configure(limits={"overall_quarter": 10_000, "overall_day": 10_000})
    for sport in (*SPORT_TYPES, "Orienteering"):
        await strava.control.upload(strava.athlete_id, sport_type=sport)
    client = await strava.signed_in()
    listed = await said(lambda: list(client.get_activities()))
    there = await strava.control.activities(strava.athlete_id)
    assert [activity.id for activity in listed] == [activity["id"] for activity in there]
    assert {activity.sport_type.root for activity in listed} == set(SPORT_TYPES)
    for summary, activity in zip(listed, there, strict=True):
        known = activity["sport_type"] if activity["sport_type"] in SPORT_TYPES else "Workout"
        assert (summary.sport_type.root, summary.type.root) == (known, activity["type"])
        assert summary.start_date == datetime.fromisoformat(activity["start_date"])
        assert float(summary.distance) == activity["distance"]
        detail = await said(client.get_activity, summary.id)
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
    oldest_first = await said(lambda: [it.start_date for it in client.get_activities(after=day)])
    assert oldest_first == sorted(oldest_first)
    newest_first = await said(lambda: [it.start_date for it in client.get_activities(before=day)])
    assert newest_first == sorted(newest_first, reverse=True)
    assert oldest_first
    assert newest_first[0] < day.replace(tzinfo=UTC) < oldest_first[0]


async def test_what_it_may_not_see_is_missing_or_not_found(strava):
    hidden = await strava.control.upload(strava.athlete_id, visibility="only_me")
    client = await strava.signed_in(granted=["read", "activity:read"])
    assert hidden["id"] not in await said(lambda: [it.id for it in client.get_activities()])
    with pytest.raises(exc.ObjectNotFound):
        await said(client.get_activity, hidden["id"])


async def test_a_manual_activity_is_created(strava):
    client = await strava.signed_in(scopes=["activity:write"])
    made = await said(
        client.create_activity,
        name="Pool",
        start_date_local="2026-06-01T07:30:00Z",
        elapsed_time=1800,
        sport_type="Swim",
        distance=1500.0,
    )
    assert (made.manual, made.sport_type.root, float(made.distance)) == (True, "Swim", 1500.0)


async def test_a_webhook_subscription_is_made_listed_heard_and_ended(strava):
    callback = Callback()
    async with serving(callback.app()) as address:
        client = await strava.signed_in()
        made = await said(client.create_subscription, CLIENT_ID, SECRET, f"{address}/hook", "mine")
        assert callback.verify_tokens == ["mine"]
        [listed] = await said(lambda: list(client.list_subscriptions(CLIENT_ID, SECRET)))
        assert (listed.id, listed.callback_url) == (made.id, f"{address}/hook")

        added = await strava.control.upload(strava.athlete_id, name="One")
        await strava.control.edit(strava.athlete_id, added["id"], name="Two", visibility="only_me")
        await strava.control.delete(strava.athlete_id, added["id"])
        await strava.control.revoke(strava.athlete_id)
        await until(lambda: len(callback.events) >= 4)
        heard = [client.handle_subscription_update(event) for event in callback.events]
        assert {(update.aspect_type, update.object_type) for update in heard} == {
            ("create", "activity"),
            ("update", "activity"),
            ("delete", "activity"),
            ("update", "athlete"),
        }
        assert {update.owner_id for update in heard} == {strava.athlete_id}
        with pytest.raises(exc.AccessUnauthorized):
            await said(client.get_athlete)

        await said(client.delete_subscription, made.id, CLIENT_ID, SECRET)
        assert await said(lambda: list(client.list_subscriptions(CLIENT_ID, SECRET))) == []


async def test_it_is_refused_beyond_the_limit_and_reads_the_headers(strava):
    await strava.control.configure(limits={"read_quarter": 3})
    rates = []
    client = await strava.signed_in(
        lambda headers, method: rates.append(limiter.get_rates_from_response_headers(headers, method))
    )
    for _ in range(3):
        await said(client.get_athlete)
    with pytest.raises(exc.Fault, match="429 Client Error"):
        await said(client.get_athlete)
    assert [rate.short_usage for rate in rates] == [1, 2, 3, 4]
    assert {(rate.short_limit, rate.long_limit) for rate in rates} == {(3, 1000)}


async def test_its_own_limiter_waits_for_the_next_quarter_and_is_never_refused(strava, monkeypatch):
    await strava.control.configure(limits={"read_quarter": 3})
    waits: list[float] = []

    def wait(seconds: float) -> None:
        if seconds > 1:  # between two calls there may be none or a rounding error
            waits.append(seconds)
            requests.post(f"{strava.address}/_sim/clock", json={"advance_s": seconds + 1}, timeout=10)

    monkeypatch.setattr(limiter, "time", SimpleNamespace(sleep=wait))
    client = await strava.signed_in(limiter.DefaultRateLimiter("high"))
    # Its windows are those of the real clock, so the simulated one is brought to where a quarter begins.
    now = datetime.now(UTC)
    quarter = now.replace(minute=now.minute // 15 * 15, second=0, microsecond=0)
    monkeypatch.setattr(limiter, "get_seconds_until_next_quarter", lambda: 900)
    await strava.control.set_clock(now=quarter + timedelta(minutes=15), frozen=True)
    for _ in range(7):
        await said(client.get_athlete)
    assert len(waits) == 2
    assert (await strava.control.calls())["refused"] == 0


async def test_an_inactive_application_is_named_as_such(strava):
    client = await strava.signed_in()
    await strava.control.configure(inactive=True)
    with pytest.raises(exc.ApplicationInactive):
        await said(client.get_athlete)
    assert (await said(client.refresh_access_token, CLIENT_ID, SECRET, client.refresh_token))["access_token"]


async def test_it_deauthorizes_itself(strava):
    client = await strava.signed_in()
    await said(client.deauthorize)
    with pytest.raises(exc.AccessUnauthorized):
        await said(client.get_athlete)
    with pytest.raises(exc.Fault, match="RefreshToken"):
        await said(client.refresh_access_token, CLIENT_ID, SECRET, client.refresh_token)


async def test_short_pages_catch_a_client_that_stops_at_the_first_one():
    """stravalib 2.6 does; Strava's documentation says to go on until an empty page."""
    async with simulating(short_pages=True) as strava:
        client = await strava.signed_in()
        there = await strava.control.activities(strava.athlete_id)
        iterator = client.get_activities()
        iterator.per_page = 10
        listed = await said(lambda: list(iterator))
        assert 0 < len(listed) < len(there)
