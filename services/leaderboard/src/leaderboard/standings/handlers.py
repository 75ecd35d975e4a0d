"""What leaderboard does on events about activities."""

from collections.abc import Sequence
from decimal import Decimal
from typing import TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from leaderboard.activities import queries
from leaderboard.activities.queries import FACTS, Change, RecordedActivity, Removal
from leaderboard.activities.rules import Activity
from leaderboard.standings.use_cases import update_standings
from shared.contracts.events import ActivityRecorded, ActivityRemoved, ActivityRevised, ActivityState, UserEvent
from shared.messaging.inbox import BatchHandler, Handlers

_CARRIED = tuple(name for name in FACTS if name != "private")
#: Strava's word for what only its owner sees.
_ONLY_ME = "only_me"

VersionedT = TypeVar("VersionedT", ActivityState, ActivityRemoved)


async def lock_people(events: Sequence[object], session: AsyncSession) -> None:
    """Whomever a batch tells something about, nobody else scores until it is committed."""
    await queries.lock_people(session, {event.user_id for event in events if isinstance(event, UserEvent)})


async def score_activities(events: Sequence[ActivityState], session: AsyncSession) -> None:
    """Recorded and revised activities."""
    events = await _without_erased(events, session)
    recorded = [
        RecordedActivity(event.user_id, event.version, _to_activity(event), _to_words(event.suspicions))
        for event in _newest(events)
    ]
    changes = await queries.upsert_activities(session, recorded)
    await _update_standings(session, {event.user_id for event in events}, changes)


async def remove_activities(events: Sequence[ActivityRemoved], session: AsyncSession) -> None:
    """Removed activities."""
    events = await _without_erased(events, session)
    removals = [Removal(event.strava_id, event.user_id, event.version) for event in _newest(events)]
    changes = await queries.mark_activities_removed(session, removals)
    await _update_standings(session, {event.user_id for event in events}, changes)


async def _update_standings(session: AsyncSession, locked: set[UUID], changes: Sequence[Change]) -> None:
    """Those of the former owners, too, whom no event of the batch names."""
    if others := {change.user_id for change in changes} - locked:
        await queries.lock_people(session, others)
    await update_standings(session, changes)


async def _without_erased(events: Sequence[VersionedT], session: AsyncSession) -> list[VersionedT]:
    """What is late about somebody who was erased says nothing; of their activities others may have newer versions."""
    erased = await queries.list_erased(session, {event.user_id for event in events})
    return [event for event in events if event.user_id not in erased]


def _newest(events: Sequence[VersionedT]) -> list[VersionedT]:
    """The newest version of each activity, in the order in which every writer locks them."""
    newest = {event.strava_id: event for event in sorted(events, key=lambda event: event.version)}
    return sorted(newest.values(), key=lambda event: event.strava_id)


def _to_words(suspicions: Sequence[str]) -> tuple[str, ...]:
    """Such as an array of words can have, whatever an event says."""
    return tuple(word for word in suspicions if word.isidentifier())


def _to_activity(event: ActivityState) -> Activity:
    facts = {name: getattr(event, name) for name in _CARRIED}
    facts["private"] = event.visibility == _ONLY_ME
    for name in ("distance_m", "elev_gain_m"):
        facts[name] = Decimal(str(facts[name]))  # the shortest text of the float, so that 0.1 is 0.1
    return Activity(**facts)


ACTIVITY_HANDLERS: Handlers = {
    ActivityRecorded: BatchHandler(score_activities),
    ActivityRevised: BatchHandler(score_activities),
    ActivityRemoved: BatchHandler(remove_activities),
}
