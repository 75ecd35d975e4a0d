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
from shared.contracts.events.leaderboard import (
    ChallengeClosed,
    FetchWindowChanged,
    MilestoneReached,
    ParticipantExpired,
    ParticipantPrivacyChanged,
    RetentionAdvanced,
    StandingsChanged,
    SyncRequested,
)
from shared.contracts.events.sync import (
    ActivityFetched,
    ActivityVanished,
    AthleteListed,
    FetchedActivity,
    JobReleased,
    StravaDeauthorizationReported,
    SyncFinished,
)

EVENTS: tuple[type[Event], ...] = (
    UserAuthorized,
    UserRenamed,
    UserAdminChanged,
    UserReauthorizationNeeded,
    UserDeauthorized,
    UserErased,
    ActivityFetched,
    ActivityVanished,
    AthleteListed,
    SyncFinished,
    JobReleased,
    StravaDeauthorizationReported,
    ActivityRecorded,
    ActivityRevised,
    ActivityRemoved,
    StandingsChanged,
    MilestoneReached,
    ChallengeClosed,
    ParticipantExpired,
    ParticipantPrivacyChanged,
    FetchWindowChanged,
    RetentionAdvanced,
    SyncRequested,
)

__all__ = [
    "EVENTS",
    "ActivityFetched",
    "ActivityRecorded",
    "ActivityRemoved",
    "ActivityRevised",
    "ActivityState",
    "ActivityVanished",
    "AthleteListed",
    "ChallengeClosed",
    "Event",
    "FetchWindowChanged",
    "FetchedActivity",
    "JobReleased",
    "MilestoneReached",
    "ParticipantExpired",
    "ParticipantPrivacyChanged",
    "RetentionAdvanced",
    "StandingsChanged",
    "StravaDeauthorizationReported",
    "SyncFinished",
    "SyncRequested",
    "UserAdminChanged",
    "UserAuthorized",
    "UserDeauthorized",
    "UserErased",
    "UserEvent",
    "UserReauthorizationNeeded",
    "UserRenamed",
]
