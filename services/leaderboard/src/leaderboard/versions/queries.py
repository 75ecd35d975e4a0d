"""SQL of the versions of boards: making, building, showing and deleting them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, exists, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from leaderboard.challenges.rules import Challenge
from leaderboard.tables import BoardRow, BoardVersionRow, ChallengeRow

_CHALLENGE_RULES = tuple(field.name for field in fields(Challenge))

# Of each challenge all at once, and only what nobody who is recalculated is missing from.
_select_complete = text(
    """
    select boards.challenge_id from board_versions join boards on boards.id = board_id
    where purpose = 'publication' and state in ('building', 'built')
    group by boards.challenge_id
    having bool_and(state = 'built')
        and max(board_versions.id) <= coalesce((select min(version_id) from recalculations), max(board_versions.id))
    order by boards.challenge_id
    """
)
# Whoever reached it by the former rules, too, because by these they may not have.
_look_at_milestones = text(
    """insert into milestone_changes (board_id, user_id)
       select v.board_id, s.user_id from board_versions as v join standings as s on s.version_id = v.id
       where v.id = any(:ids) and v.threshold is not null and s.value >= v.threshold
       union select v.board_id, m.user_id from board_versions as v join milestones_reached as m using (board_id)
       where v.id = any(:ids)"""
)
_delete_rows = {
    table: text(
        f"""delete from {table} where ctid = any(array(
                select ctid from {table} where version_id = :version_id limit :limit))"""  # noqa: S608 - two constants
    )
    for table in ("daily_totals", "standings", "rank_history")
}


def _rows_of(version: str) -> str:
    """The daily totals and the standings of a version of the board, in the same columns."""
    figures = "distance_m, moving_time_s, elev_gain_m, activities, points"
    version_id = f"(select id from board_versions where board_id = :board_id and {version})"  # noqa: S608
    return f"""select user_id, day, {figures} from daily_totals where version_id = {version_id}
        union all select user_id, null, {figures} from standings where version_id = {version_id}"""  # noqa: S608


_LIVE, _CHECK = _rows_of("state = 'live'"), _rows_of("purpose = 'check' and state = 'built'")
_count_differing = text(
    f"""select count(*) from (
            (({_LIVE}) except all ({_CHECK})) union all (({_CHECK}) except all ({_LIVE}))) as differing"""  # noqa: S608
)


@dataclass(frozen=True)
class Drift:
    """How many totals of a board differ from those that the activities give."""

    board_id: int
    totals: int


async def find_versions(session: AsyncSession, board_id: int) -> Sequence[BoardVersionRow]:
    """What is shown of a board, and before that what will be as soon as it is built; at most one of each."""
    versions = select(BoardVersionRow).where(
        BoardVersionRow.board_id == board_id,
        BoardVersionRow.purpose == "publication",
        BoardVersionRow.state != "retired",
    )
    newest_first = versions.order_by((BoardVersionRow.state == "live").asc(), BoardVersionRow.id.desc())
    return (await session.execute(newest_first)).scalars().all()


async def retire_unpublished(session: AsyncSession, board_id: int, purpose: str) -> None:
    """Drop what is being built of a board for that purpose."""
    await session.execute(
        update(BoardVersionRow)
        .where(
            BoardVersionRow.board_id == board_id,
            BoardVersionRow.purpose == purpose,
            BoardVersionRow.state.in_(("building", "built")),
        )
        .values(state="retired")
    )


async def has_previews(session: AsyncSession, before: datetime) -> bool:
    """Whether there are previews that were asked for before then."""
    return bool((await session.execute(select(exists().where(*_are_previews(before))))).scalar_one())


async def retire_previews(session: AsyncSession, before: datetime) -> None:
    """Drop the previews that were asked for before then; the caller holds the lock of scoring."""
    await session.execute(update(BoardVersionRow).where(*_are_previews(before)).values(state="retired"))


def _are_previews(before: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        BoardVersionRow.purpose == "preview",
        BoardVersionRow.state != "retired",
        BoardVersionRow.created_at < before,
    )


async def insert_version(
    session: AsyncSession, board_id: int, rules: Mapping[str, Any], purpose: str, state: str
) -> BoardVersionRow:
    """Create a version of a board; the caller holds the lock of scoring."""
    return await _insert(session, BoardVersionRow(board_id=board_id, purpose=purpose, state=state, **rules))


async def insert_new_preview(session: AsyncSession, challenge_id: int, rules: Mapping[str, Any]) -> BoardVersionRow:
    """Create a preview of a board that does not exist; the caller holds the lock of scoring."""
    row = BoardVersionRow(challenge_id=challenge_id, purpose="preview", state="building", **rules)
    return await _insert(session, row)


async def _insert(session: AsyncSession, row: BoardVersionRow) -> BoardVersionRow:
    session.add(row)
    await session.flush()
    return row


async def list_new_previews(session: AsyncSession, challenge_id: int) -> Sequence[BoardVersionRow]:
    """The previews of boards that do not exist, the one that was asked for last first."""
    previews = select(BoardVersionRow).where(
        BoardVersionRow.challenge_id == challenge_id, BoardVersionRow.state != "retired"
    )
    latest_first = previews.order_by(BoardVersionRow.created_at.desc(), BoardVersionRow.id.desc())
    return (await session.execute(latest_first)).scalars().all()


async def renew(session: AsyncSession, preview: BoardVersionRow) -> None:
    """Keep a preview as long as one that is asked for now."""
    preview.created_at = func.now()
    await session.flush()


async def is_complete(session: AsyncSession, version: BoardVersionRow) -> bool:
    """Whether it is built, and nobody who is recalculated is missing from it."""
    if version.state != "built":
        return False
    missing = text("select exists (select from recalculations where version_id < :id)")
    return not (await session.execute(missing, {"id": version.id})).scalar_one()


async def copy_live(session: AsyncSession, purpose: str) -> int:
    """Begin to build what is live once more, by the same rules; returns how many boards that are."""
    columns = (*_CHALLENGE_RULES, "metric", "sport_types", "points", "threshold")
    made = await session.execute(
        text(
            f"""insert into board_versions (board_id, purpose, state, {", ".join(columns)})
                select board_id, :purpose, 'building', {", ".join(f"v.{name}" for name in columns)}
                from board_versions as v join boards on boards.id = v.board_id
                where v.state = 'live'
                    and not exists (
                        select from challenges where id = boards.challenge_id and closed_at is not null)
                    and not exists (select from board_versions as other where other.board_id = v.board_id
                        and other.purpose = :purpose and other.state in ('building', 'built'))
                order by v.id"""  # noqa: S608 - made of the names of columns
        ),
        {"purpose": purpose},
    )
    return made.rowcount  # type: ignore[attr-defined, no-any-return]


async def get_built_until(session: AsyncSession, version_ids: Collection[int]) -> UUID | None:
    """Up to whom all of these versions are built; None when one of them is not begun."""
    found = await session.execute(
        text(
            """select built_until from board_versions where id = any(:ids)
               order by built_until asc nulls first limit 1"""
        ),
        {"ids": list(version_ids)},
    )
    return found.scalar_one_or_none()


async def save_progress(session: AsyncSession, version_ids: Collection[int], until: UUID | None) -> None:
    """Note up to whom these versions are built; None: up to the last one."""
    await session.execute(
        text(
            """update board_versions
               set built_until = greatest(built_until, cast(:until as uuid)),
                   state = case when cast(:until as uuid) is null then 'built' else state end
               where id = any(:ids) and state = 'building'"""
        ),
        {"ids": sorted(version_ids), "until": until},
    )


async def list_complete_challenges(session: AsyncSession) -> list[int]:
    """The challenges with new versions all of which are complete."""
    return list((await session.execute(_select_complete)).scalars())


async def publish(session: AsyncSession, challenge_id: int) -> list[int]:
    """Show the built versions of a challenge instead of those that were shown; returns the ids of its boards.

    The challenge gets the days and rules by which they were built. The caller holds the lock of scoring.
    """
    boards = select(BoardRow.id).where(BoardRow.challenge_id == challenge_id)
    built = (
        select(BoardVersionRow)
        .where(
            BoardVersionRow.board_id.in_(boards),
            BoardVersionRow.purpose == "publication",
            BoardVersionRow.state == "built",
        )
        .order_by(BoardVersionRow.id)
    )
    versions = (await session.execute(built)).scalars().all()
    await session.execute(
        update(BoardVersionRow)
        .where(
            BoardVersionRow.board_id.in_([version.board_id for version in versions]), BoardVersionRow.state == "live"
        )
        .values(state="retired")
    )
    for version in versions:
        version.state = "live"
    await session.flush()
    await session.execute(_look_at_milestones, {"ids": [version.id for version in versions]})
    await set_challenge_rules(session, challenge_id, {name: getattr(versions[-1], name) for name in _CHALLENGE_RULES})
    return list((await session.execute(boards)).scalars())


async def set_challenge_rules(session: AsyncSession, challenge_id: int, rules: Mapping[str, Any]) -> None:
    """Save a challenge's days and what counts in it."""
    values = {name: rules[name] for name in _CHALLENGE_RULES}
    await session.execute(update(ChallengeRow).where(ChallengeRow.id == challenge_id).values(values))


async def save_check_begun(session: AsyncSession, day: date) -> bool:
    """Note that the check of a day begins; false when it has begun already."""
    begun = await session.execute(
        text("insert into drift_checks (day) values (:day) on conflict do nothing returning day"), {"day": day}
    )
    return begun.scalar_one_or_none() is not None


async def add_drift(session: AsyncSession, totals: int) -> None:
    """Add so many totals that differ to the check that began last."""
    await session.execute(
        text(
            """update drift_checks set totals = coalesce(totals, 0) + :totals
               where day = (select max(day) from drift_checks)"""
        ),
        {"totals": totals},
    )


async def find_last_drift(session: AsyncSession) -> int | None:
    """How many totals differed at the last check that is finished; None without one."""
    found = await session.execute(
        text("select totals from drift_checks where totals is not null order by day desc limit 1")
    )
    return found.scalar_one_or_none()


async def find_checked(session: AsyncSession) -> Sequence[int]:
    """The boards whose check is complete."""
    found = await session.execute(
        text(
            """select board_id from board_versions where purpose = 'check' and state = 'built'
                 and board_id is not null and id <= coalesce((select min(version_id) from recalculations), id)
               order by board_id"""
        )
    )
    return found.scalars().all()


async def measure_drift(session: AsyncSession, board_id: int) -> Drift:
    """Compare what is shown of a board with its check, day by day and in sum; both are of the same activities."""
    counted = await session.execute(_count_differing, {"board_id": board_id})
    return Drift(board_id, counted.scalar_one())


async def replace_with_check(session: AsyncSession, board_id: int) -> None:
    """Show the check of a board instead of what is shown; the caller holds the lock of scoring."""
    live = update(BoardVersionRow).where(BoardVersionRow.board_id == board_id)
    await session.execute(live.where(BoardVersionRow.state == "live").values(state="retired"))
    await session.execute(
        live.where(BoardVersionRow.purpose == "check", BoardVersionRow.state == "built").values(
            state="live", purpose="publication"
        )
    )


async def count_versions(session: AsyncSession) -> Row[Any]:
    """How many versions are in which state, and how many people wait to be recalculated, in one row."""
    counted = await session.execute(
        text(
            """select count(*) filter (where state = 'live' and board_id is not null) as live,
                      count(*) filter (where state in ('building', 'built')
                          and (board_id is not null or challenge_id is not null)) as building,
                      count(*) filter (where state = 'retired'
                          or board_id is null and challenge_id is null) as retired,
                      (select count(*) from recalculations) as recalculations
               from board_versions"""
        )
    )
    return counted.one()


async def delete_retired(session: AsyncSession, limit: int) -> bool:
    """Delete at most so many rows of a version that is not used any more; returns whether there was one."""
    found = await session.execute(
        text(
            """select id from board_versions
               where state = 'retired' or board_id is null and challenge_id is null
               order by id limit 1 for update skip locked"""
        )
    )
    version_id = found.scalar_one_or_none()
    if version_id is None:
        return False
    parameters = {"version_id": version_id, "limit": limit}
    counts = [(await session.execute(statement, parameters)).rowcount for statement in _delete_rows.values()]  # type: ignore[attr-defined]
    if not any(counts):
        await session.execute(text("delete from board_versions where id = :id"), {"id": version_id})
    return True
