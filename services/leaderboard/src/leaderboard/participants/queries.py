"""SQL of participants."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Row, delete, text
from sqlalchemy.ext.asyncio import AsyncSession

from leaderboard.tables import ErasedUserRow, ParticipantRow
from shared.database.bulk import batch_of

# An authorization that comes late does not end an expiry: a newer one was known when it was decided.
_upsert = text(
    """
    insert into participants as t (user_id, athlete_id, display_name, sort_name, joined_at, named_at, authorized_at)
    select cast(:user_id as uuid), cast(:athlete_id as bigint), :display_name, :sort_name,
        cast(:named_at as timestamptz), cast(:named_at as timestamptz), cast(:authorized_at as timestamptz)
    where not exists (select from erased_users where erased_users.user_id = :user_id)
    on conflict (user_id) do update set
        athlete_id = coalesce(excluded.athlete_id, t.athlete_id),
        joined_at = least(t.joined_at, excluded.joined_at),
        named_at = greatest(t.named_at, excluded.named_at),
        display_name = case when t.named_at < excluded.named_at then excluded.display_name else t.display_name end,
        sort_name = case when t.named_at < excluded.named_at then excluded.sort_name else t.sort_name end,
        authorized_at = greatest(t.authorized_at, excluded.authorized_at),
        expired_at = case when t.authorized_at < excluded.authorized_at then null else t.expired_at end
    returning old.display_name is distinct from new.display_name
    """
)
_save_erased = text(
    f"""insert into erased_users (user_id, erased_at)
        select batch.* from {batch_of(ErasedUserRow, ["user_id", "erased_at"])} on conflict do nothing"""  # noqa: S608
)
_STATUS = """case when needs_reconnection then 'needs_reconnection' when failures_in_row > 0 then 'failing'
    else 'ok' end"""
_PARTICIPANTS = f"""select p.user_id, p.display_name, p.sort_name, p.joined_at, p.hidden_by_participant,
        p.hidden_by_organiser, last_success_at, last_attempt_at, last_outcome, last_error_class,
        coalesce(failures_in_row, 0) as failures_in_row, reconnection_reason, requests_used_last,
        {_STATUS} as sync_status
    from participants as p left join sync_health using (user_id)"""  # noqa: S608 - constants
_page = text(
    f"""
    {_PARTICIPANTS}
    where (cast(:after_id as uuid) is null
            or (p.sort_name, p.user_id) > (cast(:after_name as text), cast(:after_id as uuid)))
        and strpos(p.sort_name, :name_part) > 0
        and (cast(:status as text) is null
            or :status = 'hidden' and (p.hidden_by_participant or p.hidden_by_organiser)
            or :status = {_STATUS})
    order by p.sort_name, p.user_id limit :limit
    """
)
_expire = text(
    """
    update participants set expired_at = :now
    where user_id = any(array(
        select user_id from participants where expired_at is null and authorized_at < :authorized_before
        order by user_id limit :batch for update skip locked))
    returning user_id, authorized_at
    """
)


@dataclass(frozen=True)
class Search:
    """Which participants are wanted: those with this in their case-folded name, and those of one status."""

    name_part: str
    status: str | None


@dataclass(frozen=True)
class Place:
    """Behind whom a page begins, by name and then by id."""

    sort_name: str
    user_id: UUID


async def upsert_participant(
    session: AsyncSession,
    *,
    user_id: UUID,
    display_name: str,
    named_at: datetime,
    athlete_id: int | None = None,
    authorized_at: datetime | None = None,
) -> bool:
    """Add a participant who was not erased, or save what is newer; returns whether a board may look different now.

    The athlete and the authorization are unknown where only a name is told.
    """
    saved = await session.execute(
        _upsert,
        {
            "user_id": user_id,
            "athlete_id": athlete_id,
            "display_name": display_name,
            "sort_name": display_name.casefold(),
            "named_at": named_at,
            "authorized_at": authorized_at,
        },
    )
    return bool(saved.scalar_one_or_none())


async def erase_participants(session: AsyncSession, erased_at: Mapping[UUID, datetime]) -> None:
    """Delete these users, given with the time of their erasure, and remember that they were erased."""
    await session.execute(_save_erased, {"user_id": list(erased_at), "erased_at": list(erased_at.values())})
    await session.execute(delete(ParticipantRow).where(ParticipantRow.user_id.in_(list(erased_at))))


async def expire_participants(
    session: AsyncSession, authorized_before: datetime, now: datetime, batch: int
) -> dict[UUID, datetime]:
    """Mark at most so many who last authorized before that moment as expired.

    Returns who was not marked yet, with their last authorization. Rows that another replica is marking are its own.
    """
    expired = await session.execute(_expire, {"authorized_before": authorized_before, "now": now, "batch": batch})
    return {row.user_id: row.authorized_at for row in expired}


async def find_authorization(session: AsyncSession, user_id: UUID) -> datetime | None:
    """When a participant last authorized; None without such a participant."""
    found = await session.scalar(
        text("select authorized_at from participants where user_id = :user_id"), {"user_id": user_id}
    )
    return found if isinstance(found, datetime) else None


async def save_private_choice(session: AsyncSession, user_id: UUID, *, count: bool) -> bool | None:
    """Save whether private activities count; returns whether that is new, None without such a participant."""
    saved = await session.execute(
        text(
            """update participants set private_activities = :count where user_id = :user_id
               returning old.private_activities <> new.private_activities"""
        ),
        {"user_id": user_id, "count": count},
    )
    return saved.scalar_one_or_none()


async def list_private_days(session: AsyncSession, user_id: UUID) -> list[date]:
    """The local days on which a user has private activities."""
    days = await session.execute(
        text(
            """select distinct local_start::date as day from activities
               where user_id = :user_id and private and not removed order by day"""
        ),
        {"user_id": user_id},
    )
    return list(days.scalars())


async def save_sync_request(
    session: AsyncSession, user_id: UUID, now: datetime, interval: timedelta
) -> datetime | None:
    """Note that a participant wants to be synced; returns when they last did if that is within the interval.

    Raises NoResultFound when there is no such participant.
    """
    saved = await session.execute(
        text(
            """update participants
               set sync_requested_at = case when sync_requested_at > :before then sync_requested_at else :now end
               where user_id = :user_id
               returning old.sync_requested_at > :before as is_early, old.sync_requested_at"""
        ),
        {"user_id": user_id, "now": now, "before": now - interval},
    )
    row = saved.one()
    last: datetime | None = row.sync_requested_at
    return last if row.is_early else None


_EXPORTED = {
    "participant": """select athlete_id, display_name, joined_at, authorized_at, private_activities from participants
        where user_id = :user_id""",
    "standings": """select challenges.slug as challenge, boards.slug as board, s.distance_m, s.moving_time_s,
            s.elev_gain_m, s.activities, s.points
        from standings as s join board_versions as v on v.id = s.version_id and v.state = 'live'
        join boards on boards.id = v.board_id join challenges on challenges.id = boards.challenge_id
        where s.user_id = :user_id order by 1, 2""",
    "milestones": """select challenges.slug as challenge, boards.slug as milestone, m.reached_at
        from milestones_reached as m join boards on boards.id = m.board_id
        join challenges on challenges.id = boards.challenge_id where m.user_id = :user_id order by 1, 2""",
    "final_standings": """select challenges.slug as challenge, f.board, f.place, f.participant, f.distance_m,
            f.moving_time_s, f.elev_gain_m, f.activities, f.points
        from final_standings as f join challenges on challenges.id = f.challenge_id
        where f.user_id = :user_id order by 1, 2""",
    "teams": """select challenges.slug as challenge, teams.name, m.joined_at,
            teams.created_by = m.user_id as is_creator
        from team_memberships as m join teams on teams.id = m.team_id
        join challenges on challenges.id = m.challenge_id where m.user_id = :user_id order by 1""",
    "sync": "select * from sync_health where user_id = :user_id",
    "exclusions": """select strava_id, excluded_by, reason, excluded_at from exclusions
        where user_id = :user_id order by 1, 2""",
    "preferred_activities": """select strava_id, preferred_at from preferred_activities
        where user_id = :user_id order by 1""",
}


async def export_participant(session: AsyncSession, user_id: UUID) -> dict[str, Any] | None:
    """What is known of a participant, as JSON, without activities; None when there is no such participant."""
    found: dict[str, Any] = {}
    for name, statement in _EXPORTED.items():
        rows = await session.execute(
            text(f"select coalesce(json_agg(one), '[]') from ({statement}) as one"),  # noqa: S608 - a constant
            {"user_id": user_id},
        )
        found[name] = rows.scalar_one()
    if not found["participant"]:
        return None
    return found | {"participant": found["participant"][0]}


async def export_activities(session: AsyncSession, user_id: UUID, after: int, limit: int) -> list[dict[str, Any]]:
    """The next activities of a user by Strava id, as JSON."""
    rows = await session.execute(
        text(
            """select to_jsonb(a) - '{user_id, version, removed}'::text[] from activities as a
               where user_id = :user_id and not removed and strava_id > :after order by strava_id limit :limit"""
        ),
        {"user_id": user_id, "after": after, "limit": limit},
    )
    return list(rows.scalars())


async def list_participants(
    session: AsyncSession, wanted: Search, after: Place | None, limit: int
) -> Sequence[Row[Any]]:
    """Participants by name, at most so many behind that place, with how fetching goes for them."""
    rows = await session.execute(
        _page,
        {
            "after_name": after and after.sort_name,
            "after_id": after and after.user_id,
            "name_part": wanted.name_part,
            "status": wanted.status,
            "limit": limit,
        },
    )
    return rows.all()


async def find_participant(session: AsyncSession, user_id: UUID) -> Row[Any] | None:
    """A participant with how fetching goes for them."""
    found = await session.execute(text(f"{_PARTICIPANTS} where p.user_id = :user_id"), {"user_id": user_id})
    return found.one_or_none()


async def find_status(session: AsyncSession, user_id: UUID) -> Row[Any] | None:
    """What a participant chose, how fetching goes for them, and how many activities of theirs are on record."""
    found = await session.execute(
        text(
            """select p.user_id, not p.hidden_by_participant as listed, p.hidden_by_organiser, p.private_activities,
                    last_success_at, last_attempt_at, last_outcome,
                    coalesce(needs_reconnection, false) as needs_reconnection, reconnection_reason, sync_requested_at,
                    (select count(*) from activities as a where a.user_id = p.user_id and not a.removed) as activities
               from participants as p left join sync_health using (user_id) where p.user_id = :user_id"""
        ),
        {"user_id": user_id},
    )
    return found.one_or_none()


async def save_hidden(
    session: AsyncSession, user_id: UUID, hidden_by: Literal["participant", "organiser"], *, hidden: bool
) -> bool:
    """Save whether a participant is hidden by organisers or by themselves; false when that is as it was."""
    column = f"hidden_by_{hidden_by}"
    saved = await session.execute(
        text(
            f"""update participants set {column} = :hidden
                where user_id = :user_id and {column} <> :hidden returning user_id"""  # noqa: S608 - one of two names
        ),
        {"user_id": user_id, "hidden": hidden},
    )
    return saved.scalar_one_or_none() is not None
