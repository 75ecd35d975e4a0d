"""Every contract that crosses services: facts in the past tense, requests in the imperative.

An event carries what its consumers need, so that none of them calls back. A change is additive or a new version
of the topic. Never a token, never a raw Strava payload, never an e-mail address.
"""

from shared.contracts.events.auth import (
    UserAdminChanged,
    UserAuthorized,
    UserDeauthorized,
    UserErased,
    UserReauthorizationNeeded,
    UserRenamed,
)
from shared.contracts.events.base import Event, UserEvent
from shared.contracts.events.ingest import ActivityRecorded, ActivityRemoved, ActivityRevised, ActivityState
from shared.contracts.events.leaderboard import ParticipantExpired, StandingsChanged
from shared.contracts.events.sync import ActivityFetched, AthleteListed, StravaDeauthorizationReported, SyncFinished

EVENTS: tuple[type[Event], ...] = (
    UserAuthorized,
    UserRenamed,
    UserAdminChanged,
    UserReauthorizationNeeded,
    UserDeauthorized,
    UserErased,
    ActivityFetched,
    AthleteListed,
    SyncFinished,
    StravaDeauthorizationReported,
    ActivityRecorded,
    ActivityRevised,
    ActivityRemoved,
    StandingsChanged,
    ParticipantExpired,
)

__all__ = [
    "EVENTS",
    "ActivityFetched",
    "ActivityRecorded",
    "ActivityRemoved",
    "ActivityRevised",
    "ActivityState",
    "AthleteListed",
    "Event",
    "ParticipantExpired",
    "StandingsChanged",
    "StravaDeauthorizationReported",
    "SyncFinished",
    "UserAdminChanged",
    "UserAuthorized",
    "UserDeauthorized",
    "UserErased",
    "UserEvent",
    "UserReauthorizationNeeded",
    "UserRenamed",
]
