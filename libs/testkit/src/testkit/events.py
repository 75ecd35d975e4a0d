"""Builders of events: each has usual values for what a test does not give."""

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any, Literal
from uuid import UUID

from shared.contracts.events import (
    ActivityFetched,
    ActivityRecorded,
    ActivityRemoved,
    ActivityRevised,
    ActivityVanished,
    AthleteListed,
    Event,
    FetchedActivity,
    ParticipantPrivacyChanged,
    RetentionAdvanced,
    SyncFinished,
    UserAuthorized,
    UserDeauthorized,
    UserErased,
    UserReauthorizationNeeded,
    UserRenamed,
)

ANNA, JAN = UUID(int=1), UUID(int=2)
AUTHORIZED_AT = datetime(2026, 5, 1, tzinfo=UTC)
FETCHED_AT = datetime(2026, 5, 20, tzinfo=UTC)
SCOPES = ("read", "activity:read", "activity:read_all")
ORDERS = 24


def some_orders(events: Sequence[Event]) -> Iterator[Sequence[Event]]:
    """Up to 24 orders in which the events may come: all of up to four events, other ones of more in each run."""
    orders = list(permutations(events))
    yield from random.sample(orders, min(ORDERS, len(orders)))


def authorized(user_id: UUID = ANNA, name: str = "Anna K.", minute: int = 0, **fields: Any) -> UserAuthorized:
    """`user.authorized`, for the first time at minute 0, and again later."""
    usual: dict[str, Any] = {
        "athlete_id": user_id.int,
        "scopes": SCOPES,
        "is_admin": False,
        "consent_version": "1",
        "authorized_at": AUTHORIZED_AT + timedelta(minutes=minute),
        "first_time": minute == 0,
    }
    return UserAuthorized(user_id=user_id, display_name=name, **{**usual, **fields})


def renamed(user_id: UUID = ANNA, name: str = "Ania", minute: int = 1) -> UserRenamed:
    """`user.renamed`, so many minutes after the first authorization."""
    return UserRenamed(user_id=user_id, display_name=name, renamed_at=AUTHORIZED_AT + timedelta(minutes=minute))


def erased(user_id: UUID = ANNA) -> UserErased:
    """`user.erased`, a month after the first authorization."""
    return UserErased(
        user_id=user_id, athlete_id=user_id.int, reason="requested", erased_at=AUTHORIZED_AT + timedelta(days=31)
    )


def permission_lost(user_id: UUID = ANNA, minute: int = 1) -> UserReauthorizationNeeded:
    """`user.reauthorization_needed`, so many minutes after the first authorization."""
    lost_at = AUTHORIZED_AT + timedelta(minutes=minute)
    return UserReauthorizationNeeded(
        user_id=user_id, athlete_id=user_id.int, reason="refresh_refused", lost_at=lost_at
    )


def disconnected(user_id: UUID = ANNA, minute: int = 1) -> UserDeauthorized:
    """`user.deauthorized`, likewise."""
    at = AUTHORIZED_AT + timedelta(minutes=minute)
    return UserDeauthorized(user_id=user_id, athlete_id=user_id.int, reason="disconnected", deauthorized_at=at)


def sync_finished(user_id: UUID = ANNA, minute: int = 1, error: str | None = None, **fields: Any) -> SyncFinished:
    """`sync.finished`, likewise; with an error it failed."""
    finished_at = AUTHORIZED_AT + timedelta(minutes=minute)
    usual: dict[str, Any] = {
        "reason": "manual",
        "outcome": "succeeded" if error is None else "failed",
        "activities": 3,
        "requests_used": 2,
        "started_at": finished_at - timedelta(seconds=5),
        "finished_at": finished_at,
        "error_class": error,
    }
    return SyncFinished(user_id=user_id, **{**usual, **fields})


def fetched(strava_id: int = 1, fetch_seq: int = 1, user_id: UUID = ANNA, **fields: Any) -> ActivityFetched:
    """`activity.fetched` with one activity; further fields are Strava's."""
    return fetched_page(strava_id, fetch_seq=fetch_seq, user_id=user_id, **fields)


def fetched_page(*strava_ids: int, fetch_seq: int = 1, user_id: UUID = ANNA, **fields: Any) -> ActivityFetched:
    """`activity.fetched` with activities that are alike."""
    usual: dict[str, Any] = {"sport_type": "Run", "start_date": "2026-05-01T06:00:00Z", "distance": 1000.0}
    return ActivityFetched(
        user_id=user_id,
        athlete_id=7,
        fetch_seq=fetch_seq,
        fetched_at=FETCHED_AT,
        activities=tuple(FetchedActivity(id=strava_id, **{**usual, **fields}) for strava_id in strava_ids),
    )


def vanished(
    strava_id: int = 1, fetch_seq: int = 2, user_id: UUID = ANNA, reason: Literal["deleted", "not_found"] = "deleted"
) -> ActivityVanished:
    """`activity.vanished`."""
    return ActivityVanished(user_id=user_id, strava_id=strava_id, fetch_seq=fetch_seq, reason=reason)


def listed(
    *strava_ids: int, fetch_seq: int = 1, after: datetime | None = None, user_id: UUID = ANNA
) -> AthleteListed:
    """`athlete.listed`, until FETCHED_AT."""
    return AthleteListed(user_id=user_id, fetch_seq=fetch_seq, after=after, before=FETCHED_AT, strava_ids=strava_ids)


def privacy_changed(user_id: UUID = ANNA, minute: int = 1, *, private_activities: bool) -> ParticipantPrivacyChanged:
    """`participant.privacy_changed`, so many minutes after the first authorization."""
    return ParticipantPrivacyChanged(
        user_id=user_id, private_activities=private_activities, changed_at=AUTHORIZED_AT + timedelta(minutes=minute)
    )


def retention_advanced(before: datetime, minute: int = 1) -> RetentionAdvanced:
    """`retention.advanced`, likewise."""
    return RetentionAdvanced(before=before, advanced_at=AUTHORIZED_AT + timedelta(minutes=minute))


def recorded(
    strava_id: int = 1, version: int = 1, user_id: UUID = ANNA, day: int = 1, km: float = 10.0, **fields: Any
) -> ActivityRecorded:
    """`activity.recorded`, of a run on that day of May 2026."""
    return ActivityRecorded(user_id=user_id, strava_id=strava_id, version=version, **_facts(day, km, fields))


def revised(
    strava_id: int = 1, version: int = 2, user_id: UUID = ANNA, day: int = 1, km: float = 20.0, **fields: Any
) -> ActivityRevised:
    """`activity.revised`, likewise."""
    return ActivityRevised(user_id=user_id, strava_id=strava_id, version=version, **_facts(day, km, fields))


def removed(strava_id: int = 1, version: int = 2, user_id: UUID = ANNA) -> ActivityRemoved:
    """`activity.removed`."""
    return ActivityRemoved(user_id=user_id, strava_id=strava_id, version=version, reason="not_listed")


def _facts(day: int, km: float, fields: dict[str, Any]) -> dict[str, Any]:
    local_start = datetime(2026, 5, 1, 8) + timedelta(days=day - 1)  # noqa: DTZ001 a wall clock
    usual: dict[str, Any] = {
        "reason": "fetched",
        "sport_type": "Run",
        "start_at": local_start.replace(tzinfo=UTC) - timedelta(hours=2),
        "local_start": local_start,
        "distance_m": km * 1000,
        "moving_time_s": 3000,
        "elapsed_time_s": 3600,
        "elev_gain_m": 10.1,
        "trainer": False,
        "commute": False,
        "manual": False,
        "visibility": "everyone",
    }
    return {**usual, **fields}
