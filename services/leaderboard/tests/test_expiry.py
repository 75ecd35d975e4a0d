"""Who takes part in nothing any more expires: the rule, and the task on a real database."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from leaderboard_helpers import MAY, add_challenge, clear_outbox, handle

from leaderboard.config import Settings
from leaderboard.main import create_service
from leaderboard.participants import queries
from leaderboard.participants.rules import find_expiry
from leaderboard.participants.use_cases import expire_participants
from shared.database.engine import Database
from shared.service import Service, Step
from testkit.databases import fetch_rows
from testkit.events import ANNA, JAN, authorized, erased, renamed
from testkit.handling import emitted

EXPIRED_AT = datetime(2026, 8, 29, 22, 0, tzinfo=UTC)  # midnight in Warsaw, 90 days after the end of May
USERS = [UUID(int=n) for n in range(1, 6)]


@dataclass(frozen=True)
class Days:
    """When a challenge takes place, and where."""

    id: int
    first_day: date
    last_day: date
    time_zone: str = "Europe/Warsaw"


MAY_IN_WARSAW, APRIL = Days(1, *MAY), Days(2, date(2026, 4, 1), date(2026, 4, 30))
SEPTEMBER = Days(3, date(2026, 9, 1), date(2026, 9, 30))


@pytest.mark.parametrize(
    ("challenges", "now", "expires"),
    [
        ([], "2026-09-15T12:00Z", False),
        ([MAY_IN_WARSAW], "2026-04-15T12:00Z", False),  # upcoming
        ([MAY_IN_WARSAW], "2026-05-15T12:00Z", False),  # open
        ([MAY_IN_WARSAW], "2026-06-15T12:00Z", False),  # kept
        ([MAY_IN_WARSAW], "2026-08-29T21:59:59Z", False),
        ([MAY_IN_WARSAW], "2026-08-29T22:00:00Z", True),  # midnight in Warsaw
        ([Days(1, *MAY, "Pacific/Auckland")], "2026-08-29T11:59:59Z", False),
        ([Days(1, *MAY, "Pacific/Auckland")], "2026-08-29T12:00:00Z", True),
        ([Days(1, *MAY, "America/New_York")], "2026-08-30T03:59:59Z", False),
        ([Days(1, *MAY, "America/New_York")], "2026-08-30T04:00:00Z", True),
        ([APRIL, MAY_IN_WARSAW], "2026-08-15T12:00Z", False),  # the last one decides, whatever the order
        ([MAY_IN_WARSAW, APRIL], "2026-08-15T12:00Z", False),
        ([MAY_IN_WARSAW, APRIL], "2026-08-30T12:00Z", True),
        ([MAY_IN_WARSAW, SEPTEMBER], "2026-08-30T12:00Z", False),  # the next one is upcoming
        ([Days(1, MAY[0], date.max)], "2026-08-30T12:00Z", False),
    ],
)
def test_people_expire_when_the_last_challenge_ended_more_than_90_days_ago(
    challenges: list[Days], now: str, expires: bool
) -> None:
    moment = datetime.fromisoformat(now)
    assert find_expiry(challenges, moment) == (moment - timedelta(days=90) if expires else None)


async def expire_all(database: Database, now: datetime = EXPIRED_AT) -> int:
    """Run the task as long as it says that there may be more; returns how often it ran."""
    runs = 1
    while await expire_participants(database, now):
        runs += 1
    return runs


async def told(database: Database) -> list[UUID]:
    """Whom `participant.expired` named, sorted."""
    return sorted(UUID(event["user_id"]) for _, event in await emitted(database, "participant.expired"))


@pytest.fixture
async def _club(database: Database) -> None:
    """Some people who take part in May."""
    await add_challenge(database)
    await handle(database, *(authorized(user) for user in USERS))
    await clear_outbox(database)


@pytest.mark.usefixtures("_club")
async def test_who_expires_is_told_once_with_the_time(database: Database) -> None:
    await expire_all(database, EXPIRED_AT - timedelta(seconds=1))
    assert await told(database) == []
    await expire_all(database)
    await expire_all(database, EXPIRED_AT + timedelta(days=1))
    assert await told(database) == USERS
    events = [event for _, event in await emitted(database)]
    assert {event["expired_at"] for event in events} == {"2026-08-29T22:00:00Z"}
    known = await fetch_rows(database, "select user_id, authorized_at from participants")
    assert {UUID(event["user_id"]): datetime.fromisoformat(event["authorized_at"]) for event in events} == {
        row.user_id: row.authorized_at for row in known
    }
    rows = await fetch_rows(database, "select distinct expired_at from participants")
    assert [row.expired_at for row in rows] == [EXPIRED_AT]


@pytest.mark.usefixtures("_club")
async def test_the_last_authorization_keeps_somebody_for_90_days_and_a_name_does_not(database: Database) -> None:
    day = 24 * 60
    await handle(database, authorized(ANNA, minute=60 * day), renamed(JAN, minute=60 * day))
    await expire_all(database)
    assert await told(database) == USERS[1:]
    signed_in = authorized(ANNA, minute=60 * day).authorized_at
    await expire_all(database, signed_in + timedelta(days=90))
    assert ANNA not in await told(database)
    await expire_all(database, signed_in + timedelta(days=90, seconds=1))
    assert await told(database) == USERS


async def test_somebody_whose_authorization_has_not_come_yet_does_not_expire(database: Database) -> None:
    await add_challenge(database)
    await handle(database, renamed(ANNA))
    await expire_all(database)
    assert await told(database) == []
    await handle(database, authorized(ANNA))
    await expire_all(database)
    assert await told(database) == [ANNA]


@pytest.mark.usefixtures("_club")
async def test_signing_in_again_ends_the_expiry_and_an_older_sign_in_does_not(database: Database) -> None:
    await expire_all(database)
    again = EXPIRED_AT + timedelta(hours=1)
    await handle(database, authorized(ANNA, minute=0), authorized(JAN, minute=9, authorized_at=again))
    rows = await fetch_rows(database, "select user_id from participants where expired_at is null")
    assert [row.user_id for row in rows] == [JAN]
    await clear_outbox(database)
    await expire_all(database, again + timedelta(days=90))
    assert await told(database) == []
    await expire_all(database, again + timedelta(days=91))
    assert await told(database) == [JAN]


@pytest.mark.usefixtures("_club")
async def test_many_expire_in_batches(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leaderboard.participants.use_cases.EXPIRY_BATCH", 2)
    assert await expire_all(database) == 3
    assert await told(database) == USERS


@pytest.mark.usefixtures("_club")
async def test_replicas_at_once_tell_of_each_once(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leaderboard.participants.use_cases.EXPIRY_BATCH", 2)
    await asyncio.gather(*(expire_all(database) for _ in range(4)))
    await expire_all(database)
    assert await told(database) == USERS


@pytest.mark.usefixtures("_club")
async def test_a_replica_does_not_wait_for_another(database: Database) -> None:
    async with database.transaction() as session:
        marked = await queries.expire_participants(session, EXPIRED_AT, EXPIRED_AT, 2)
        await asyncio.wait_for(expire_all(database), 5)
        assert await told(database) == [user for user in USERS if user not in marked]


@pytest.mark.usefixtures("_club")
async def test_who_could_not_be_told_of_is_not_marked(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("no room")

    with monkeypatch.context() as patched:
        patched.setattr("leaderboard.participants.use_cases.emit", fail)
        with pytest.raises(RuntimeError, match="no room"):
            await expire_all(database)
    await expire_all(database)
    assert await told(database) == USERS


@pytest.mark.usefixtures("_club")
async def test_who_was_erased_does_not_expire(database: Database) -> None:
    await handle(database, erased(ANNA))
    await expire_all(database)
    assert await told(database) == USERS[1:]


async def test_a_challenge_moved_to_later_days_keeps_everybody(database: Database) -> None:
    await add_challenge(database)
    await handle(database, authorized(ANNA))
    await add_challenge(database, (date(2026, 9, 1), date(2026, 9, 30)))
    await expire_all(database)
    assert await told(database) == []


async def test_the_service_looks_every_ten_minutes(
    database: Database, database_url_for: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_challenge(database, (date(2020, 5, 1), date(2020, 5, 31)))
    await handle(database, authorized(ANNA, authorized_at=datetime(2020, 5, 1, tzinfo=UTC)))
    added: list[tuple[Step, float]] = []
    monkeypatch.setattr(Service, "add_periodic_task", lambda _, step, idle_s: added.append((step, idle_s)))
    settings = {
        "database_url": database_url_for("leaderboard"),
        "rabbitmq_url": "amqp://guest:pw@127.0.0.1:1/",
        "leaderboard_api_key": "x" * 16,
        "leaderboard_operator_key": "y" * 16,
        "http_port": 1,
        "internal_port": 2,
    }
    service = create_service(Settings.model_validate(settings))
    [step] = [step for step, idle_s in added if idle_s == 600]
    assert await step() is False
    await service.database.engine.dispose()
    assert await told(database) == [ANNA]
