"""SQL of teams, of who is in them, and of what they have on boards."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, exists, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from leaderboard.challenges.rules import Metric
from leaderboard.standings.queries import RANKED_COLUMNS
from leaderboard.tables import (
    ChallengeRow,
    ParticipantRow,
    StandingRow,
    TeamMembershipRow,
    TeamRow,
)
from shared.database.bulk import batch_of

_ALL_TEAMS = "pg_advisory_xact_lock{}(hashtextextended('teams', 0))"
_lock_all = text(f"select {_ALL_TEAMS.format('')}")
_lock_some = text(f"select {_ALL_TEAMS.format('_shared')}")
_lock_challenge = text("select pg_advisory_xact_lock(hashtextextended('teams:' || cast(:id as integer), 0))")

_count_members = (
    select(func.count()).where(TeamMembershipRow.team_id == TeamRow.id).correlate(TeamRow).scalar_subquery()
)
_select_teams = select(TeamRow.id, TeamRow.name, TeamRow.created_by, _count_members.label("members"))

_insert_teams = text(
    """insert into teams (challenge_id, name, folded_name)
       select :challenge_id, batch.* from unnest(cast(:names as text[]), cast(:folded_names as text[])) as batch
       on conflict (challenge_id, folded_name) do update set name = excluded.name, created_by = null
       returning id, folded_name"""
)
_save_memberships = text(
    f"""insert into team_memberships as t (challenge_id, team_id, user_id)
        select :challenge_id, batch.* from {batch_of(TeamMembershipRow, ["team_id", "user_id"])}
        on conflict (challenge_id, user_id) do update set team_id = excluded.team_id, joined_at = now()
        where t.team_id <> excluded.team_id"""  # noqa: S608 - made of the names of columns
)
_delete_empty = text(
    """delete from teams where id = any(:ids) and not exists (
         select from team_memberships where team_memberships.team_id = teams.id)"""
)
_list_people = text(
    """select participants.user_id from participants
       left join standings on standings.user_id = participants.user_id
         and standings.version_id = cast(:version_id as bigint) and standings.listed
       where participants.athlete_id is not null and (:everybody or not exists (
         select from team_memberships
         where challenge_id = :challenge_id and team_memberships.user_id = participants.user_id))
       order by standings.value desc nulls last, participants.user_id"""
)
_list_days = {
    metric: text(
        f"""select day, sum(d.{figure}) as value from team_memberships as m
            join standings as s on s.user_id = m.user_id and s.version_id = :version_id and s.listed
            join daily_totals as d on d.user_id = m.user_id and d.version_id = s.version_id
            where m.team_id = :team_id group by day order by day"""  # noqa: S608 - the name of a column
    )
    for metric, figure in RANKED_COLUMNS.items()
}
_forget_creators = text("update teams set created_by = null where created_by = any(:ids)")
_erase_members = text("delete from team_memberships where user_id = any(:ids) returning challenge_id, team_id")

_VALUES = {
    "sum": "sum(value)",
    "average": "round(sum(value) / count(*), 2)",
    "best": "sum(value) filter (where position <= :best)",
}
# The position costs a sort of all members, so that only the mode that needs it has it.
_POSITION = ", row_number() over (partition by team_id order by value desc nulls last) as position"
# A member without a standing has done nothing yet, but is one, unless they are hidden: those are left out altogether.
_rank_teams = {
    mode: text(
        f"""with figures as (
              select team_id, value, activities{_POSITION if mode == "best" else ""}
              from team_memberships left join standings
                on standings.user_id = team_memberships.user_id and standings.version_id = :version_id
              where challenge_id = :challenge_id and (listed or listed is null and team_memberships.user_id not in (
                select user_id from participants where hidden_by_participant or hidden_by_organiser))),
            sums as (
              select team_id, count(*) as members, sum(activities) as activities, {value} as value
              from figures group by team_id having count(value) > 0)
            select rank() over (order by value desc) as place, team_id, name, members, value, activities
            from sums join teams on teams.id = team_id order by value desc, folded_name, team_id"""  # noqa: S608 - made of the texts above
    )
    for mode, value in _VALUES.items()
}
_find_rule = text(
    """select team_mode, team_best, (select count(*) from board_changes where board_id = boards.id) as unannounced
       from boards where id = :board_id"""
)


@dataclass(frozen=True)
class Team:
    """A team, and how many people are in it."""

    id: int
    name: str
    created_by: UUID | None
    members: int


@dataclass(frozen=True)
class TeamRule:
    """What of its members' values a team has on a board: `mode` as the table says, and how many the best are."""

    mode: str
    best: int | None


async def lock_teams(session: AsyncSession, challenge_id: int) -> Row[int, datetime | None] | None:
    """One change of a challenge's teams at a time; returns `team_size` and `closed_at`, None without the challenge.

    The challenge is neither deleted nor closed until the commit. No row is locked before this by whoever changes
    teams, so that nobody waits for each other.
    """
    await session.execute(_lock_some)
    await session.execute(_lock_challenge, {"id": challenge_id})
    challenge = select(ChallengeRow.team_size, ChallengeRow.closed_at).where(ChallengeRow.id == challenge_id)
    return (await session.execute(challenge.with_for_update(read=True, key_share=True))).one_or_none()


async def is_participant(session: AsyncSession, user_id: UUID) -> bool:
    """Whether this user takes part; one of whom only a name is known does not yet."""
    is_known = exists().where(ParticipantRow.user_id == user_id, ParticipantRow.athlete_id.is_not(None))
    return bool((await session.execute(select(is_known))).scalar_one())


async def find_team(session: AsyncSession, challenge_id: int, team_id: int) -> Team | None:
    """This team, if it is one of the challenge."""
    found = await session.execute(_select_teams.where(TeamRow.challenge_id == challenge_id, TeamRow.id == team_id))
    row = found.one_or_none()
    return Team(*row) if row else None


async def find_team_of(session: AsyncSession, challenge_id: int, user_id: UUID) -> Team | None:
    """The team that this user is in."""
    own = select(TeamMembershipRow.team_id).where(
        TeamMembershipRow.challenge_id == challenge_id, TeamMembershipRow.user_id == user_id
    )
    row = (await session.execute(_select_teams.where(TeamRow.id == own.scalar_subquery()))).one_or_none()
    return Team(*row) if row else None


async def list_challenges_of(session: AsyncSession, user_id: UUID) -> list[int]:
    """The challenges in which this user is in a team."""
    own = select(TeamMembershipRow.challenge_id).where(TeamMembershipRow.user_id == user_id)
    return list((await session.execute(own)).scalars())


async def list_teams(session: AsyncSession, challenge_id: int, limit: int, offset: int) -> list[Team]:
    """Some of the challenge's teams, by name."""
    teams = _select_teams.where(TeamRow.challenge_id == challenge_id).order_by(TeamRow.folded_name, TeamRow.id)
    return [Team(*row) for row in await session.execute(teams.limit(limit).offset(offset))]


async def list_teams_by_id(session: AsyncSession, team_ids: Collection[int]) -> dict[int, Team]:
    """These teams."""
    teams = _select_teams.where(TeamRow.id.in_(team_ids))
    return {row.id: Team(*row) for row in await session.execute(teams)}


async def count_teams(session: AsyncSession, challenge_id: int) -> int:
    """How many teams the challenge has."""
    teams = select(func.count()).select_from(TeamRow).where(TeamRow.challenge_id == challenge_id)
    return (await session.execute(teams)).scalar_one()


async def list_names(session: AsyncSession, challenge_id: int) -> dict[str, int]:
    """The ids of the challenge's teams by folded name."""
    names = select(TeamRow.folded_name, TeamRow.id).where(TeamRow.challenge_id == challenge_id)
    return {row.folded_name: row.id for row in await session.execute(names)}


async def find_team_named(session: AsyncSession, challenge_id: int, folded_name: str) -> int | None:
    """The id of the challenge's team with that name."""
    named = select(TeamRow.id).where(TeamRow.challenge_id == challenge_id, TeamRow.folded_name == folded_name)
    return (await session.execute(named)).scalar_one_or_none()


async def list_members(session: AsyncSession, team_id: int) -> Sequence[ParticipantRow]:
    """Who is in the team and not hidden, by name."""
    members = (
        select(ParticipantRow)
        .join(TeamMembershipRow, TeamMembershipRow.user_id == ParticipantRow.user_id)
        .where(
            TeamMembershipRow.team_id == team_id,
            ~ParticipantRow.hidden_by_participant,
            ~ParticipantRow.hidden_by_organiser,
        )
        .order_by(ParticipantRow.sort_name, ParticipantRow.user_id)
    )
    return (await session.execute(members)).scalars().all()


async def list_figures(
    session: AsyncSession, user_ids: Collection[UUID], version_ids: Collection[int]
) -> Sequence[StandingRow]:
    """What these users have on these versions, where they are listed there."""
    figures = select(StandingRow).where(
        StandingRow.user_id.in_(user_ids), StandingRow.version_id.in_(version_ids), StandingRow.listed
    )
    return (await session.execute(figures)).scalars().all()


async def list_days(session: AsyncSession, team_id: int, version_id: int, metric: Metric) -> Sequence[Row[Any]]:
    """What the listed members of a team have together on each day on this version, in order."""
    days = await session.execute(_list_days[metric], {"team_id": team_id, "version_id": version_id})
    return days.all()


async def find_rule(session: AsyncSession, board_id: int) -> tuple[TeamRule, int]:
    """What a team has on this board, and how many of its changes nobody was told of yet."""
    found = (await session.execute(_find_rule, {"board_id": board_id})).one()
    return TeamRule(found.team_mode, found.team_best), found.unannounced


async def rank_teams(session: AsyncSession, challenge_id: int, version_id: int, rule: TeamRule) -> Sequence[Row[Any]]:
    """The teams that have something on this version of a board, from the highest place on."""
    best = {"best": rule.best} if rule.mode == "best" else {}
    parameters = {"challenge_id": challenge_id, "version_id": version_id, **best}
    return (await session.execute(_rank_teams[rule.mode], parameters)).all()


async def insert_team(session: AsyncSession, challenge_id: int, name: str, folded_name: str, created_by: UUID) -> int:
    """Create a team, whose name is not taken, without members; returns its id."""
    row = TeamRow(challenge_id=challenge_id, name=name, folded_name=folded_name, created_by=created_by)
    session.add(row)
    await session.flush()
    return row.id


async def insert_teams(session: AsyncSession, challenge_id: int, names: Mapping[str, str]) -> dict[str, int]:
    """Create teams by folded name, or take those that have these names; they are nobody's. Returns the ids."""
    columns = {"folded_names": list(names), "names": list(names.values())}
    rows = await session.execute(_insert_teams, {"challenge_id": challenge_id, **columns})
    return {row.folded_name: row.id for row in rows}


async def rename_team(session: AsyncSession, team_id: int, name: str, folded_name: str) -> None:
    """Give a team another name, which is not taken."""
    await session.execute(update(TeamRow).where(TeamRow.id == team_id).values(name=name, folded_name=folded_name))


async def delete_team(session: AsyncSession, team_id: int) -> None:
    """Delete a team; its members are in none then."""
    await session.execute(delete(TeamRow).where(TeamRow.id == team_id))


async def delete_empty(session: AsyncSession, team_ids: Collection[int]) -> None:
    """Delete those of these teams that nobody is in."""
    await session.execute(_delete_empty, {"ids": list(team_ids)})


async def save_memberships(session: AsyncSession, challenge_id: int, teams: Mapping[UUID, int]) -> None:
    """Put users into teams, each out of the one that they were in."""
    columns = {"user_id": list(teams), "team_id": list(teams.values())}
    await session.execute(_save_memberships, {"challenge_id": challenge_id, **columns})


async def delete_membership(session: AsyncSession, challenge_id: int, user_id: UUID) -> None:
    """Take a user out of their team."""
    await session.execute(
        delete(TeamMembershipRow).where(
            TeamMembershipRow.challenge_id == challenge_id, TeamMembershipRow.user_id == user_id
        )
    )


async def list_people(
    session: AsyncSession, challenge_id: int, version_id: int | None, *, everybody: bool
) -> list[UUID]:
    """Participants who are in no team, or all, from the highest value on this version of a board to the lowest."""
    parameters = {"challenge_id": challenge_id, "version_id": version_id, "everybody": everybody}
    return list((await session.execute(_list_people, parameters)).scalars())


async def erase_members(session: AsyncSession, user_ids: Collection[UUID]) -> list[tuple[int, int]]:
    """Take these users out of all teams and forget which ones they created; returns challenge and team of each.

    Nobody else changes any team until the commit.
    """
    await session.execute(_lock_all)
    ids = {"ids": list(user_ids)}
    await session.execute(_forget_creators, ids)
    return [(row.challenge_id, row.team_id) for row in await session.execute(_erase_members, ids)]
