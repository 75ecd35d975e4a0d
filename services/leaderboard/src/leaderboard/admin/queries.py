"""SQL of what organisers do with challenges and boards."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from leaderboard.admin.rules import FinalStanding
from leaderboard.tables import BoardRow, BoardVersionRow, ChallengeRow, FinalStandingRow
from shared.database.bulk import batch_of, to_columns

_FINAL = ["challenge_id", "user_id", *(field.name for field in fields(FinalStanding))]
_insert_final = text(
    f"""insert into final_standings ({", ".join(_FINAL)})
        select batch.* from {batch_of(FinalStandingRow, _FINAL)}"""  # noqa: S608 - made of the names of columns
)


async def lock_challenges(session: AsyncSession) -> None:
    """One organiser at a time changes which challenges there are; held until the commit."""
    await session.execute(text("select pg_advisory_xact_lock(hashtextextended('challenges', 0))"))


async def lock_challenge(session: AsyncSession, slug: str) -> ChallengeRow | None:
    """The challenge with this slug, locked for a change."""
    found = await session.execute(select(ChallengeRow).where(ChallengeRow.slug == slug).with_for_update())
    return found.scalar_one_or_none()


async def list_versions(session: AsyncSession, board_ids: Collection[int]) -> Sequence[BoardVersionRow]:
    """What is shown of these boards, and what is being built to be shown."""
    versions = select(BoardVersionRow).where(
        BoardVersionRow.board_id.in_(board_ids),
        BoardVersionRow.purpose == "publication",
        BoardVersionRow.state != "retired",
    )
    return (await session.execute(versions.order_by(BoardVersionRow.id))).scalars().all()


async def insert_board(session: AsyncSession, challenge_id: int, slug: str, name: str) -> BoardRow:
    """Add a board after the others; it is not shown before it has a version."""
    position = await session.scalar(
        text("select coalesce(max(position), -1) + 1 from boards where challenge_id = :id"), {"id": challenge_id}
    )
    row = BoardRow(challenge_id=challenge_id, slug=slug, name=name, position=position or 0)
    session.add(row)
    await session.flush()
    return row


async def update_challenge(session: AsyncSession, challenge_id: int, values: Mapping[str, Any]) -> None:
    """Change a challenge, and count the change."""
    changed = update(ChallengeRow).where(ChallengeRow.id == challenge_id)
    await session.execute(changed.values(edition=ChallengeRow.edition + 1, **values))


async def delete_board(session: AsyncSession, board_id: int) -> None:
    """Delete a board; what belongs to its versions is deleted in the background."""
    await session.execute(delete(BoardRow).where(BoardRow.id == board_id))


async def delete_challenge(session: AsyncSession, challenge_id: int) -> None:
    """Delete a challenge and its boards, likewise."""
    await session.execute(delete(ChallengeRow).where(ChallengeRow.id == challenge_id))


async def find_preview(session: AsyncSession, board_id: int) -> BoardVersionRow | None:
    """The preview of a board."""
    preview = select(BoardVersionRow).where(
        BoardVersionRow.board_id == board_id,
        BoardVersionRow.purpose == "preview",
        BoardVersionRow.state != "retired",
    )
    return (await session.execute(preview.order_by(BoardVersionRow.id.desc()).limit(1))).scalar_one_or_none()


async def find_new_preview(session: AsyncSession, challenge_id: int, version_id: int) -> BoardVersionRow | None:
    """A preview of a board that does not exist."""
    preview = select(BoardVersionRow).where(
        BoardVersionRow.id == version_id,
        BoardVersionRow.challenge_id == challenge_id,
        BoardVersionRow.state != "retired",
    )
    return (await session.execute(preview)).scalar_one_or_none()


async def is_being_built(session: AsyncSession, challenge_id: int) -> bool:
    """Whether other rules of a challenge are not shown yet, or somebody's standings wait to be computed."""
    waiting = await session.scalar(
        text(
            """select exists (select from board_versions join boards on boards.id = board_id
                              where boards.challenge_id = :id and purpose = 'publication'
                                  and state in ('building', 'built'))
                   or exists (select from recalculations)"""
        ),
        {"id": challenge_id},
    )
    return bool(waiting)


async def retire_unpublished_of(session: AsyncSession, challenge_id: int) -> None:
    """Drop previews and checks of a challenge that is closed."""
    boards = select(BoardRow.id).where(BoardRow.challenge_id == challenge_id)
    await session.execute(
        update(BoardVersionRow)
        .where(
            or_(BoardVersionRow.board_id.in_(boards), BoardVersionRow.challenge_id == challenge_id),
            BoardVersionRow.state.in_(("building", "built")),
        )
        .values(state="retired")
    )


async def list_final_figures(session: AsyncSession, challenge_id: int) -> Sequence[Row[Any]]:
    """Everybody who is listed on the boards of a challenge, with their places, without milestones."""
    rows = await session.execute(
        text(
            """select boards.slug as board, s.user_id,
                      rank() over (partition by s.version_id order by s.value desc) as place,
                      s.distance_m, s.moving_time_s, s.elev_gain_m, s.activities, s.points
               from standings as s
               join board_versions as v on v.id = s.version_id and v.state = 'live' and v.threshold is null
               join boards on boards.id = v.board_id
               where boards.challenge_id = :id and s.listed order by boards.slug, place, s.user_id"""
        ),
        {"id": challenge_id},
    )
    return rows.all()


async def insert_final_standings(
    session: AsyncSession, challenge_id: int, rows: Sequence[tuple[object, FinalStanding]]
) -> None:
    """Keep the rows of a closed challenge, each with the user whose it is."""
    values = [{"challenge_id": challenge_id, "user_id": user_id, **asdict(row)} for user_id, row in rows]
    if values:
        await session.execute(_insert_final, to_columns(values, _FINAL))


async def close_challenge(session: AsyncSession, challenge_id: int, closed_at: datetime, digest: str) -> None:
    """Note that a challenge is closed; nothing of it is scored any more."""
    await update_challenge(session, challenge_id, {"closed_at": closed_at, "digest": digest})


async def list_final_standings(session: AsyncSession, challenge_id: int) -> Sequence[Row[Any]]:
    """The rows of a closed challenge with the names that their people have today, in order."""
    rows = await session.execute(
        text(
            """select f.*, p.display_name
               from final_standings as f left join participants as p on p.user_id = f.user_id
               where challenge_id = :id order by board, place, participant"""
        ),
        {"id": challenge_id},
    )
    return rows.all()
