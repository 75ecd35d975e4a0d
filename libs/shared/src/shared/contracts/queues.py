"""Names on the bus: exchanges, queues and what each durable queue is bound to."""

from shared.contracts import events
from shared.contracts.events import Event

#: Durable queue -> the events that it is bound to. A queue is named `<consumer>.<purpose>`.
QUEUES: dict[str, tuple[type[Event], ...]] = {
    "auth.people": (events.StravaDeauthorizationReported, events.ParticipantExpired),
    "sync.people": (
        events.UserAuthorized,
        events.UserReauthorizationNeeded,
        events.UserDeauthorized,
        events.UserErased,
        events.FetchWindowChanged,
        events.SyncRequested,
    ),
    "sync.jobs": (events.JobReleased,),
    "ingest.activity": (
        events.ActivityFetched,
        events.ActivityVanished,
        events.AthleteListed,
        events.UserErased,
        events.ParticipantPrivacyChanged,
        events.RetentionAdvanced,
    ),
    "leaderboard.people": (
        events.UserAuthorized,
        events.UserRenamed,
        events.UserErased,
        events.SyncFinished,
        events.UserReauthorizationNeeded,
        events.UserDeauthorized,
    ),
    "leaderboard.activity": (events.ActivityRecorded, events.ActivityRevised, events.ActivityRemoved),
    "web.people": (
        events.UserAuthorized,
        events.UserRenamed,
        events.UserAdminChanged,
        events.UserReauthorizationNeeded,
        events.UserDeauthorized,
        events.UserErased,
    ),
}

#: Waits before an unexpected error is tried again, by step, in milliseconds.
RETRY_STEPS = {"10s": 10_000, "1m": 60_000, "10m": 600_000}

ARCHIVE = "ev.archive"


def exchange_name(producer: str) -> str:
    """The topic exchange of a producing service."""
    return f"ev.{producer}"


def dead_letter_queue(queue: str) -> str:
    """Where messages of `queue` wait for a person."""
    return f"{queue}.dlq"


def retry_queue(queue: str, step: str) -> str:
    """Where messages of `queue` wait before they are tried again."""
    return f"{queue}.retry.{step}"
