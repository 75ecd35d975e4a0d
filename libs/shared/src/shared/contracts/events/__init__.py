"""Every contract that crosses services: facts in the past tense, requests in the imperative.

An event carries what its consumers need, so that none of them calls back. A change is additive or a new version
of the topic. Never a token, never a raw Strava payload, never an e-mail address.
"""

from shared.contracts.events.auth import UserAuthorized
from shared.contracts.events.base import Event, UserEvent
from shared.contracts.events.ingest import ActivityRecorded, ActivityRemoved, ActivityRevised, ActivityState
from shared.contracts.events.leaderboard import StandingsChanged
from shared.contracts.events.sync import ActivityFetched, AthleteListed, SyncFinished

EVENTS: tuple[type[Event], ...] = (
    UserAuthorized,
    ActivityFetched,
    AthleteListed,
    SyncFinished,
    ActivityRecorded,
    ActivityRevised,
    ActivityRemoved,
    StandingsChanged,
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
    "StandingsChanged",
    "SyncFinished",
    "UserAuthorized",
    "UserEvent",
]
