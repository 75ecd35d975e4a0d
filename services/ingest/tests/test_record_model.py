"""Whatever happens at Strava and on the way from there, the record is what a simple model says it is.

Two athletes upload, edit, hide and delete; they are fetched, listed and asked for one by one. The messages of that
arrive in any order, in any batches, more than once, and in transactions that fail. People are erased and join again.
"""

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from ingest_helpers import ZONE, delete_all, newest_events
from sqlalchemy.ext.asyncio import AsyncSession

from ingest.main import QUEUE, make_handlers
from ingest.recording.handlers import lock_people
from ingest.retention.use_cases import purge
from shared.contracts.events import (
    ActivityFetched,
    ActivityVanished,
    AthleteListed,
    Event,
    FetchedActivity,
    ParticipantPrivacyChanged,
    RetentionAdvanced,
    UserErased,
)
from shared.database.engine import Database, create_engine
from shared.messaging.decoding import Delivery
from shared.messaging.inbox import DeliveryHandler, Handlers, InboxProcessor
from testkit.databases import fetch_rows
from testkit.handling import emitted

DAY = datetime(2026, 5, 1, tzinfo=UTC)


class CrashedError(Exception):
    """The transaction failed."""


@dataclass(frozen=True)
class Upload:
    """An activity at Strava."""

    owner: int  # athlete
    start_at: datetime
    minutes: int
    distance: float
    hidden: bool = False
    sport_type: str = "Run"

    def fields(self) -> dict[str, Any]:
        return {
            "sport_type": self.sport_type,
            "start_date": f"{self.start_at:%Y-%m-%dT%H:%M:%SZ}",
            "start_date_local": f"{self.start_at:%Y-%m-%dT%H:%M:%SZ}",
            "distance": self.distance,
            "elapsed_time": self.minutes * 60,
            "visibility": "only_me" if self.hidden else "everyone",
        }


@dataclass
class Model:
    """What has arrived, each message once."""

    contents: list[tuple[ActivityFetched, FetchedActivity]] = field(default_factory=list)
    vanished: list[ActivityVanished] = field(default_factory=list)
    listings: list[AthleteListed] = field(default_factory=list)
    erased: set[UUID] = field(default_factory=set)
    choices: dict[UUID, tuple[datetime, bool]] = field(default_factory=dict)
    #: Private activities that came while their owner had them recorded; forgotten with the next choice against it.
    welcome: set[tuple[int, int]] = field(default_factory=set)
    kept_from: datetime = DAY - timedelta(days=100)

    def arrive(self, event: Event) -> None:
        match event:
            case ActivityFetched():
                for activity in event.activities:
                    self.contents.append((event, activity))
                    if self.choices.get(event.user_id, (DAY, False))[1]:
                        self.welcome.add((activity.id, event.fetch_seq))
            case ActivityVanished():
                self.vanished.append(event)
            case AthleteListed():
                self.listings.append(event)
            case UserErased():
                self.erased.add(event.user_id)
            case RetentionAdvanced():
                self.kept_from = max(self.kept_from, event.before)
            case ParticipantPrivacyChanged():
                if event.changed_at > self.choices.get(event.user_id, (DAY - timedelta(days=900), False))[0]:
                    self.choices[event.user_id] = event.changed_at, event.private_activities
                    if not event.private_activities:
                        owned = {(a.id, f.fetch_seq) for f, a in self.contents if f.user_id == event.user_id}
                        self.welcome -= owned

    def record(self) -> dict[int, tuple[UUID, FetchedActivity]]:
        """What must be on record."""
        newest: dict[int, tuple[ActivityFetched, FetchedActivity]] = {}
        for fetch, activity in sorted(self.contents, key=lambda one: one[0].fetch_seq):
            if fetch.user_id not in self.erased:
                newest[activity.id] = fetch, activity
        return {
            strava_id: (fetch.user_id, activity)
            for strava_id, (fetch, activity) in newest.items()
            if self._is_present(fetch, activity)
        }

    def _is_present(self, fetch: ActivityFetched, activity: FetchedActivity) -> bool:
        start_at = datetime.fromisoformat(str(activity.start_date))
        gone = any(
            one.strava_id == activity.id and one.fetch_seq > fetch.fetch_seq and one.user_id not in self.erased
            for one in self.vanished
        )
        unlisted = any(
            one.user_id == fetch.user_id
            and one.fetch_seq > fetch.fetch_seq
            and (one.after is None or start_at >= one.after + timedelta(minutes=1))
            and start_at <= one.before - timedelta(minutes=1)
            for one in self.listings
        )
        readable = (activity.distance or 0) >= 0
        private = activity.visibility == "only_me" and (activity.id, fetch.fetch_seq) not in self.welcome
        return readable and not (gone or unlisted or private or start_at < self.kept_from)


def overlaps(record: dict[int, tuple[UUID, FetchedActivity]]) -> dict[int, set[int]]:
    """Which share more than three minutes with which of the same user."""
    found: dict[int, set[int]] = {strava_id: set() for strava_id in record}
    for (one, (user, a)), (other, (other_user, b)) in itertools.combinations(record.items(), 2):
        starts = [datetime.fromisoformat(str(each.start_date)) for each in (a, b)]
        ends = [start + timedelta(seconds=each.elapsed_time or 0) for start, each in zip(starts, (a, b), strict=True)]
        if user == other_user and min(ends) - max(starts) > timedelta(minutes=3):
            found[one].add(other)
            found[other].add(one)
    return found


class RecordMachine(RuleBasedStateMachine):
    """Strava, the messages on their way, ingest on a real database, and the model."""

    run: Callable[[Coroutine[Any, Any, Any]], Any]
    database: Database

    @initialize()
    def begin(self) -> None:
        self.run(delete_all(self.database))
        self.run(fetch_rows(self.database, "select 1"))
        self.model = Model()
        self.strava: dict[int, Upload] = {}
        self.users = {1: UUID(int=1), 2: UUID(int=2)}
        self.seq = itertools.count(1)
        self.ids = itertools.count(2**40)
        self.clock = DAY + timedelta(days=40)
        self.inflight: dict[UUID, Event] = {}
        self.handled: dict[UUID, Event] = {}
        self.ever: dict[int, int] = {}  # activity -> athlete

    def _new_id(self) -> UUID:
        return UUID(int=next(self.seq) << 64)  # no random one: examples are run again

    def send(self, event: Event) -> None:
        self.inflight[self._new_id()] = event

    @rule(
        owner=st.sampled_from([1, 2]),
        hour=st.integers(0, 60),
        minutes=st.sampled_from([1, 20, 90, 3000]),
        hidden=st.booleans(),
        at_once=st.booleans(),
    )
    def upload(self, owner: int, hour: int, minutes: int, hidden: bool, at_once: bool) -> None:
        strava_id = next(self.ids)
        self.strava[strava_id] = Upload(owner, DAY + timedelta(hours=hour), minutes, float(strava_id % 7_000), hidden)
        self.ever[strava_id] = owner
        if at_once:
            self._fetch(strava_id)

    @precondition(lambda self: self.strava)
    @rule(data=st.data(), change=st.sampled_from(["distance", "start", "longer", "hide", "unreadable", "sport"]))
    def edit(self, data: st.DataObject, change: str) -> None:
        strava_id = data.draw(st.sampled_from(sorted(self.strava)))
        one = self.strava[strava_id]
        changes: dict[str, Any] = {
            "distance": {"distance": abs(one.distance) + 1.5},
            "start": {"start_at": DAY + timedelta(hours=data.draw(st.integers(0, 60)))},
            "longer": {"minutes": one.minutes + 45},
            "hide": {"hidden": not one.hidden},
            "unreadable": {"distance": -1.0},
            "sport": {"sport_type": "Ride" if one.sport_type == "Run" else "Run"},
        }
        self.strava[strava_id] = replace(one, **changes[change])
        if data.draw(st.booleans()):
            self._fetch(strava_id)

    @precondition(lambda self: self.strava)
    @rule(data=st.data(), told=st.booleans())
    def delete(self, data: st.DataObject, told: bool) -> None:
        strava_id = data.draw(st.sampled_from(sorted(self.strava)))
        user_id = self.users[self.strava.pop(strava_id).owner]
        if told:
            self.send(
                ActivityVanished(user_id=user_id, strava_id=strava_id, fetch_seq=next(self.seq), reason="deleted")
            )

    @precondition(lambda self: self.ever)
    @rule(data=st.data())
    def fetch_one(self, data: st.DataObject) -> None:
        self._fetch(data.draw(st.sampled_from(sorted(self.ever))))

    def _fetch(self, strava_id: int) -> None:
        seq, user_id = next(self.seq), self.users[self.ever[strava_id]]
        if strava_id in self.strava:
            self.send(self._page(user_id, seq, [strava_id]))
        else:
            self.send(ActivityVanished(user_id=user_id, strava_id=strava_id, fetch_seq=seq, reason="not_found"))

    def _page(self, user_id: UUID, seq: int, strava_ids: list[int]) -> ActivityFetched:
        activities = tuple(FetchedActivity(id=one, **self.strava[one].fields()) for one in strava_ids)
        return ActivityFetched(
            user_id=user_id, athlete_id=7, fetch_seq=seq, fetched_at=self.clock, activities=activities
        )

    @rule(athlete=st.sampled_from([1, 2]), since_hour=st.none() | st.integers(0, 50), per_page=st.integers(1, 3))
    def relist(self, athlete: int, since_hour: int | None, per_page: int) -> None:
        seq, user_id = next(self.seq), self.users[athlete]
        after = None if since_hour is None else DAY + timedelta(hours=since_hour)
        shown = [
            strava_id
            for strava_id, one in self.strava.items()
            if one.owner == athlete and (after is None or one.start_at >= after)
        ]
        for at in range(0, len(shown), per_page):
            self.send(self._page(user_id, seq, shown[at : at + per_page]))
        self.send(
            AthleteListed(user_id=user_id, fetch_seq=seq, after=after, before=self.clock, strava_ids=tuple(shown))
        )

    @rule(athlete=st.sampled_from([1, 2]), private_activities=st.booleans())
    def choose_privacy(self, athlete: int, private_activities: bool) -> None:
        self.clock += timedelta(minutes=1)
        self.send(
            ParticipantPrivacyChanged(
                user_id=self.users[athlete], private_activities=private_activities, changed_at=self.clock
            )
        )

    @rule(hours=st.integers(1, 30))
    def advance_retention(self, hours: int) -> None:
        self.clock += timedelta(minutes=1)
        latest = [one.before for one in self._sent(RetentionAdvanced)]
        before = max(latest, default=DAY - timedelta(hours=40)) + timedelta(hours=hours)
        self.send(RetentionAdvanced(before=before, advanced_at=self.clock))

    def _sent(self, kind: type[Any]) -> list[Any]:
        return [one for one in [*self.inflight.values(), *self.handled.values()] if isinstance(one, kind)]

    @rule(athlete=st.sampled_from([1, 2]))
    def erase(self, athlete: int) -> None:
        """They join again at once, as somebody new."""
        self.send(
            UserErased(user_id=self.users[athlete], athlete_id=athlete, reason="requested", erased_at=self.clock)
        )
        self.users[athlete] = self._new_id()

    @precondition(lambda self: self.inflight)
    @rule(data=st.data(), one_by_one=st.booleans())
    def deliver(self, data: st.DataObject, one_by_one: bool) -> None:
        some = data.draw(st.lists(st.sampled_from(sorted(self.inflight)), min_size=1, max_size=8, unique=True))
        self._deliver([(key, self.inflight[key]) for key in some], one_by_one=one_by_one)

    @precondition(lambda self: self.handled)
    @rule(data=st.data())
    def deliver_again(self, data: st.DataObject) -> None:
        """By a broker that did not get the acknowledgement, or as another message of the same."""
        key = data.draw(st.sampled_from(sorted(self.handled)))
        event = self.handled[key]
        private = isinstance(event, ActivityFetched) and any(one.visibility == "only_me" for one in event.activities)
        again = key if private or data.draw(st.booleans()) else self._new_id()
        self.run(self._process([Delivery(again, event)], make_handlers(ZONE)))

    @precondition(lambda self: self.inflight)
    @rule(data=st.data())
    def crash(self, data: st.DataObject) -> None:
        """The transaction ends without a commit."""
        some = data.draw(st.lists(st.sampled_from(sorted(self.inflight)), min_size=1, max_size=8, unique=True))
        deliveries = [Delivery(key, self.inflight[key]) for key in some]
        outcomes = self.run(self._process(deliveries, make_handlers(ZONE), crashing=True))
        assert all(isinstance(outcome, CrashedError) for outcome in outcomes)

    @rule()
    def purge(self) -> None:
        self.run(purge(self.database))

    @rule(data=st.data())
    def everything_arrives(self, data: st.DataObject) -> None:
        keys = data.draw(st.permutations(sorted(self.inflight)))
        self._deliver([(key, self.inflight[key]) for key in keys], one_by_one=data.draw(st.booleans()))
        self.check()

    def teardown(self) -> None:
        if hasattr(self, "inflight"):
            self._deliver(list(self.inflight.items()), one_by_one=False)
            self.check()

    def _deliver(self, some: list[tuple[UUID, Event]], *, one_by_one: bool) -> None:
        deliveries = [Delivery(key, event) for key, event in some]
        for batch in [[one] for one in deliveries] if one_by_one else [deliveries]:
            outcomes = self.run(self._process(batch, make_handlers(ZONE)))
            for outcome in outcomes:
                if outcome is not None:
                    raise outcome
        for key, event in some:
            del self.inflight[key]
            self.handled[key] = event
            self.model.arrive(event)

    async def _process(
        self, deliveries: list[Delivery], handlers: Handlers, *, crashing: bool = False
    ) -> list[Exception | None]:
        crash = {kind: DeliveryHandler(_crash) for kind in handlers} if crashing else {}
        return await InboxProcessor(QUEUE, self.database, {**handlers, **crash}, lock_people).process(deliveries)

    def check(self) -> None:
        """The record, and what others know of it, are what the model says."""
        self.run(purge(self.database))
        wanted = self.model.record()
        neighbours = overlaps(wanted)
        rows = self.run(fetch_rows(self.database, "select * from activities where state = 'recorded'"))
        found = {row.strava_id: row for row in rows}
        assert found.keys() == wanted.keys()
        events = self.run(emitted(self.database))
        told = {
            strava_id: event
            for strava_id, event in newest_events(events).items()
            if UUID(event["user_id"]) not in self.model.erased
            and datetime.fromisoformat(event["start_at"]) >= self.model.kept_from
        }
        assert told.keys() == wanted.keys()
        for strava_id, (user_id, activity) in wanted.items():
            row, event = found[strava_id], told[strava_id]
            start_at = datetime.fromisoformat(str(activity.start_date))
            assert (row.user_id, row.sport_type, row.start_at) == (user_id, activity.sport_type, start_at)
            assert (float(row.distance_m), row.elapsed_time_s) == (activity.distance, activity.elapsed_time)
            assert set(row.overlaps_with) == neighbours[strava_id]
            assert (event["version"], event["distance_m"]) == (row.version, activity.distance)
            assert (event["user_id"], event["sport_type"]) == (str(user_id), activity.sport_type)
            assert set(event["overlaps_with"]) == neighbours[strava_id]
        self._check_histories(events)

    def _check_histories(self, events: list[tuple[str, dict[str, Any]]]) -> None:
        """Every version that was published of what is still known is in its history, and no other."""
        query = """select strava_id, version from activities where version is not null
                   union all select strava_id, version from activity_versions"""
        kept = sorted((row.strava_id, row.version) for row in self.run(fetch_rows(self.database, query)))
        known = {strava_id for strava_id, _ in kept}
        published = sorted((one["strava_id"], one["version"]) for _, one in events if one["strava_id"] in known)
        assert len(published) == len(set(published))
        assert set(kept) <= set(published)
        latest = dict(published)
        assert dict(kept) == latest


async def _crash(_deliveries: Any, _session: AsyncSession) -> None:
    raise CrashedError


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("examples", [25, pytest.param(1500, marks=pytest.mark.long)])
def test_the_record_is_what_the_model_says_whatever_arrives_when(
    database_url_for: Callable[[str], str], ingest_database: Database, examples: int
) -> None:
    with asyncio.Runner() as runner:
        database = Database(create_engine(database_url_for("ingest"), "model"))

        class Machine(RecordMachine):
            run = staticmethod(runner.run)

        Machine.database = database
        try:
            run_state_machine_as_test(
                Machine,
                settings=settings(
                    max_examples=examples,
                    stateful_step_count=40,
                    deadline=None,
                    phases=[Phase.generate],  # to make such a sequence shorter takes minutes
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            runner.run(database.engine.dispose())
