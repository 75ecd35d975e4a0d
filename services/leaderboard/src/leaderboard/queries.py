"""Every SQL statement of leaderboard."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import delete, func, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from leaderboard.domain import Activity, Board, Challenge, Metric, Totals
from leaderboard.tables import ActivityRow, BoardRow, ChallengeRow, ParticipantRow, StandingRow
from shared.contracts.events import ActivityRemoved, ActivityState, UserAuthorized
from shared.database.versions import next_version

BoardUser = tuple[int, UUID]

_FACTS = {
    "strava_id": "bigint",
    "user_id": "uuid",
    "version": "bigint",
    "sport_type": "text",
    "start_at": "timestamptz",
    "local_start": "timestamp",
    "distance_m": "numeric",
    "moving_time_s": "integer",
    "elapsed_time_s": "integer",
    "elev_gain_m": "numeric",
    "trainer": "boolean",
    "commute": "boolean",
    "manual": "boolean",
}
_upsert_facts = text(
    f"""
    insert into activities as t (removed, {", ".join(_FACTS)})
    select false, batch.* from unnest({", ".join(f"cast(:{name} as {kind}[])" for name, kind in _FACTS.items())})
         as batch ({", ".join(_FACTS)})
    on conflict (strava_id) do update set removed = false,
        {", ".join(f"{name} = excluded.{name}" for name in _FACTS if name != "strava_id")}
    where t.version < excluded.version
    returning old.user_id
    """  # noqa: S608 - made of the constants above
)


@dataclass(frozen=True)
class ScoredChallenge:
    """A challenge with its boards, by the ids of their rows."""

    id: int
    slug: str
    rules: Challenge
    boards: Mapping[int, Board]


async def upsert_participant(session: AsyncSession, event: UserAuthorized) -> bool:
    """Add a participant; returns whether a board may look different now. The latest event about one has the name."""
    saved = await session.execute(
        text(
            """insert into participants as t (user_id, athlete_id, display_name, joined_at, named_at)
               values (:user_id, :athlete_id, :display_name, :authorized_at, :authorized_at)
               on conflict (user_id) do update set
                   joined_at = least(t.joined_at, excluded.joined_at),
                   named_at = greatest(t.named_at, excluded.named_at),
                   display_name = case when t.named_at < excluded.named_at
                       then excluded.display_name else t.display_name end
               returning old.display_name is distinct from new.display_name"""
        ),
        event.model_dump(include={"user_id", "athlete_id", "display_name", "authorized_at"}),
    )
    return bool(saved.scalar_one())


async def lock_standings(session: AsyncSession) -> None:
    """One scorer at a time, until its commit.

    All of them meet at the challenge's revision anyway. A lock for each user would be held in the order of the
    messages, and deadlock; and for everybody at once there are not enough locks.
    """
    await session.execute(text("select pg_advisory_xact_lock(hashtextextended('scoring', 0))"))


async def upsert_activities(session: AsyncSession, states: Iterable[ActivityState]) -> set[UUID]:
    """Save recorded and revised activities; an older version changes nothing. Returns whose they were before."""
    newest = {state.strava_id: state for state in sorted(states, key=lambda state: state.version)}
    ordered = sorted(newest.values(), key=lambda state: state.strava_id)
    columns: dict[str, list[Any]] = {name: [getattr(state, name) for state in ordered] for name in _FACTS}
    for name in ("distance_m", "elev_gain_m"):
        columns[name] = [str(value) for value in columns[name]]
    before = await session.execute(_upsert_facts, columns)
    return set(before.scalars()) - {None}


async def mark_activities_removed(session: AsyncSession, removals: Iterable[ActivityRemoved]) -> set[UUID]:
    """Mark activities as removed; a later version of one brings it back. Returns whose they were before.

    One that is not known yet leaves a mark without facts: an earlier version of it may still come.
    """
    newest = {event.strava_id: event for event in sorted(removals, key=lambda event: event.version)}
    before = await session.execute(
        text(
            """insert into activities as t (strava_id, user_id, version, removed, sport_type, start_at, local_start,
                   distance_m, moving_time_s, elapsed_time_s, elev_gain_m, trainer, commute, manual)
               select strava_id, user_id, version, true, 'Unknown', 'epoch', 'epoch', 0, 0, 0, 0, false, false, false
               from unnest(cast(:ids as bigint[]), cast(:users as uuid[]), cast(:versions as bigint[]))
                   as batch (strava_id, user_id, version)
               on conflict (strava_id) do update set removed = true, version = excluded.version
               where t.version < excluded.version
               returning old.user_id"""
        ),
        {
            "ids": list(newest),
            "users": [event.user_id for event in newest.values()],
            "versions": [event.version for event in newest.values()],
        },
    )
    return set(before.scalars()) - {None}


async def list_scored_challenges(session: AsyncSession) -> list[ScoredChallenge]:
    """All challenges with their boards."""
    challenges = (await session.execute(select(ChallengeRow).order_by(ChallengeRow.id))).scalars().all()
    boards: dict[int, dict[int, Board]] = defaultdict(dict)
    for row in (await session.execute(select(BoardRow).order_by(BoardRow.position))).scalars():
        board = Board(row.slug, row.name, Metric(row.metric), frozenset(row.sport_types))
        boards[row.challenge_id][row.id] = board
    return [ScoredChallenge(row.id, row.slug, _rules(row), boards[row.id]) for row in challenges]


def _rules(row: ChallengeRow) -> Challenge:
    return Challenge(row.first_day, row.last_day, row.counts_manual, row.counts_trainer, row.counts_commute)


async def list_activities(
    session: AsyncSession, user_ids: Collection[UUID], first_day: date, last_day: date
) -> dict[UUID, list[Activity]]:
    """The present activities of these users on these local days, by user."""
    rows = await session.execute(
        text(
            """select user_id, strava_id, sport_type, start_at, local_start, distance_m, moving_time_s,
                      elapsed_time_s, elev_gain_m, trainer, commute, manual
               from activities
               where user_id = any(:ids) and not removed and local_start >= :first_day
                 and local_start < cast(:last_day as date) + 1"""
        ),
        {"ids": list(user_ids), "first_day": datetime.combine(first_day, datetime.min.time()), "last_day": last_day},
    )
    found: dict[UUID, list[Activity]] = {user_id: [] for user_id in user_ids}
    for row in rows:
        fields = dict(row._mapping)
        found[fields.pop("user_id")].append(Activity(**fields))
    return found


async def list_user_ids(session: AsyncSession) -> list[UUID]:
    """Everyone who has activities."""
    return list((await session.execute(select(ActivityRow.user_id).distinct().order_by("user_id"))).scalars())


async def get_standings(
    session: AsyncSession, board_ids: Collection[int], user_ids: Collection[UUID]
) -> dict[BoardUser, Totals]:
    """What these users have on these boards."""
    rows = await session.execute(
        select(StandingRow).where(StandingRow.board_id.in_(board_ids), StandingRow.user_id.in_(user_ids))
    )
    return {(row.board_id, row.user_id): _totals(row) for row in rows.scalars()}


async def upsert_standings(session: AsyncSession, standings: Mapping[BoardUser, Totals]) -> None:
    """Save totals; those without activities are deleted."""
    gone = [key for key, totals in standings.items() if not totals.activities]
    if gone:
        await session.execute(delete(StandingRow).where(tuple_(StandingRow.board_id, StandingRow.user_id).in_(gone)))
    kept = [
        {
            "board_id": board_id,
            "user_id": user_id,
            "distance_m": totals.distance_m,
            "moving_time_s": totals.moving_time_s,
            "elev_gain_m": totals.elev_gain_m,
            "activities": totals.activities,
        }
        for (board_id, user_id), totals in sorted(standings.items())
        if totals.activities
    ]
    if kept:
        statement = insert(StandingRow)
        figures = ("distance_m", "moving_time_s", "elev_gain_m", "activities")
        await session.execute(
            statement.on_conflict_do_update(
                index_elements=["board_id", "user_id"], set_={name: statement.excluded[name] for name in figures}
            ),
            kept,
        )


async def next_revision(session: AsyncSession, challenge_id: int, now: datetime) -> int:
    """Count a change of the challenge's standings; held until the commit, so revisions become visible in order."""
    revision = await session.execute(
        update(ChallengeRow)
        .where(ChallengeRow.id == challenge_id)
        .values(revision=text(next_version("challenges.revision")), changed_at=now)
        .returning(ChallengeRow.revision)
    )
    return revision.scalar_one()


async def current_challenge(session: AsyncSession, now: datetime) -> ChallengeRow | None:
    """The challenge running today, where it takes place; else the one that ended last; else the next to begin."""
    rows = (await session.execute(select(ChallengeRow))).scalars().all()
    today = {row.id: now.astimezone(ZoneInfo(row.time_zone)).date() for row in rows}
    running = [row for row in rows if row.first_day <= today[row.id] <= row.last_day]
    ended = [row for row in rows if row.last_day < today[row.id]]
    if running:
        return min(running, key=lambda row: (row.last_day, row.id))
    if ended:
        return max(ended, key=lambda row: (row.last_day, row.id))
    return min(rows, key=lambda row: (row.first_day, row.id), default=None)


async def find_challenge(session: AsyncSession, slug: str) -> ChallengeRow | None:
    """The challenge with this slug."""
    return (await session.execute(select(ChallengeRow).where(ChallengeRow.slug == slug))).scalar_one_or_none()


async def list_boards(session: AsyncSession, challenge_id: int) -> Sequence[BoardRow]:
    """A challenge's boards in their order."""
    return (
        (
            await session.execute(
                select(BoardRow).where(BoardRow.challenge_id == challenge_id).order_by(BoardRow.position)
            )
        )
        .scalars()
        .all()
    )


async def list_standings(session: AsyncSession, board_id: int) -> list[tuple[ParticipantRow, Totals]]:
    """Everyone on a board, unranked."""
    rows = await session.execute(
        select(ParticipantRow, StandingRow)
        .join(StandingRow, StandingRow.user_id == ParticipantRow.user_id)
        .where(StandingRow.board_id == board_id)
        .order_by(ParticipantRow.user_id)  # so that namesakes do not change places from call to call
    )
    return [(participant, _totals(standing)) for participant, standing in rows]


def _totals(row: StandingRow) -> Totals:
    return Totals(row.distance_m, row.moving_time_s, row.elev_gain_m, row.activities)


async def upsert_challenge(
    session: AsyncSession, slug: str, fields: Mapping[str, Any], boards: Sequence[Board]
) -> bool:
    """Create the challenge, or change it to be so; returns whether anything is different now."""
    row = await find_challenge(session, slug)
    if row is not None and all(getattr(row, name) == value for name, value in fields.items()):
        return False
    if row is None:
        row = ChallengeRow(slug=slug, changed_at=func.now())
        session.add(row)
    for name, value in fields.items():
        setattr(row, name, value)
    await session.flush()
    for position, board in enumerate(boards):
        statement = insert(BoardRow).values(
            challenge_id=row.id,
            slug=board.slug,
            name=board.name,
            metric=board.metric.value,
            sport_types=sorted(board.sport_types),
            position=position,
        )
        await session.execute(statement.on_conflict_do_nothing())
    return True
