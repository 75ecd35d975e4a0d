"""Changing teams: one change of a challenge's teams at a time, and whoever shows boards hears of it.

Every change that somebody asks for raises Conflict in a challenge that is closed, whose results are final.
"""

import secrets
from collections.abc import Collection
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from leaderboard.challenges.queries import list_boards, list_live_versions
from leaderboard.names import fold_name
from leaderboard.standings.queries import add_board_changes
from leaderboard.teams import queries
from leaderboard.teams.queries import Team
from leaderboard.teams.rules import deal, find_repeated, number_teams, shuffle
from shared.contracts.teams_api import MAX_SEED, DealOrder, TeamDeal, TeamErrorCode
from shared.errors import Conflict, Forbidden, NotFound

_CLOSED = "This challenge is closed, so its teams stay as they are."


async def create_team(session: AsyncSession, challenge_id: int, user_id: UUID, name: str) -> int:
    """A new team, which its creator leaves another one for; returns its id. Raises NotFound, Conflict."""
    await _lock(session, challenge_id)
    await _require_participant(session, user_id)
    await _take_out(session, challenge_id, user_id)
    await _require_free_name(session, challenge_id, name)
    team_id = await queries.insert_team(session, challenge_id, name, fold_name(name), user_id)
    await queries.save_memberships(session, challenge_id, {user_id: team_id})
    await _mark_changed(session, challenge_id)
    return team_id


async def join_team(session: AsyncSession, challenge_id: int, user_id: UUID, team_id: int) -> Team | None:
    """Put somebody into a team that is not full; returns the team that they leave. Raises NotFound, Conflict."""
    size = await _lock(session, challenge_id)
    await _require_participant(session, user_id)
    team = await get_team(session, challenge_id, team_id)
    former = await queries.find_team_of(session, challenge_id, user_id)
    if former is not None and former.id == team_id:
        return former
    if team.members >= size:
        raise Conflict(f"This team is full: a team has at most {size} members.", code=TeamErrorCode.TEAM_FULL)
    await queries.save_memberships(session, challenge_id, {user_id: team_id})
    if former is not None:
        await queries.delete_empty(session, [former.id])
    await _mark_changed(session, challenge_id)
    return former


async def leave_team(session: AsyncSession, challenge_id: int, user_id: UUID) -> Team | None:
    """Take somebody out of their team; returns it, or None if they are in none. Raises NotFound, Conflict."""
    await _lock(session, challenge_id)
    await _require_participant(session, user_id)
    former = await _take_out(session, challenge_id, user_id)
    if former is not None:
        await _mark_changed(session, challenge_id)
    return former


async def rename_team(
    session: AsyncSession, challenge_id: int, team_id: int, name: str, creator: UUID | None = None
) -> Team:
    """Give a team another name, as its creator if one is given; returns what it was. Raises an AppError."""
    await _lock(session, challenge_id)
    before = await _get_team_for(session, challenge_id, team_id, creator)
    await _require_free_name(session, challenge_id, name, team_id)
    await queries.rename_team(session, team_id, name, fold_name(name))
    await _mark_changed(session, challenge_id)
    return before


async def delete_team(session: AsyncSession, challenge_id: int, team_id: int, creator: UUID | None = None) -> Team:
    """Delete a team, as its creator if one is given; returns what it was. Raises an AppError."""
    await _lock(session, challenge_id)
    before = await _get_team_for(session, challenge_id, team_id, creator)
    await queries.delete_team(session, team_id)
    await _mark_changed(session, challenge_id)
    return before


async def deal_people(session: AsyncSession, challenge_id: int, wish: TeamDeal) -> tuple[int | None, list[Team], int]:
    """Deal people out to teams; returns the seed, the teams and how many people. Raises NotFound, Conflict."""
    size = await _lock(session, challenge_id)
    present = await queries.list_names(session, challenge_id)
    names = _choose_names(wish, () if wish.everybody else present)
    versions = await list_live_versions(session, challenge_id)
    strongest = versions[0].id if versions else None
    people = await queries.list_people(session, challenge_id, strongest, everybody=wish.everybody)
    _require_room(len(people), len(names), size)
    seed = None
    if wish.how == DealOrder.RANDOM:
        seed = secrets.randbelow(MAX_SEED + 1) if wish.seed is None else wish.seed
        people = shuffle(people, seed)
    ids = await queries.insert_teams(session, challenge_id, {fold_name(name): name for name in names})
    order = [ids[fold_name(name)] for name in names]
    dealt = zip(order, deal(people, len(order)), strict=True)
    await queries.save_memberships(session, challenge_id, {person: each for each, group in dealt for person in group})
    await queries.delete_empty(session, present.values())
    await _mark_changed(session, challenge_id)
    teams = await queries.list_teams_by_id(session, order)
    return seed, [teams[team_id] for team_id in order], len(people)


async def erase_members(session: AsyncSession, user_ids: Collection[UUID]) -> None:
    """Take erased users out of all teams, also of closed challenges; one that nobody else was in goes with them."""
    left = await queries.erase_members(session, user_ids)
    await queries.delete_empty(session, {team_id for _, team_id in left})
    await _mark_changed(session, *{challenge_id for challenge_id, _ in left})


async def mark_teams_of(session: AsyncSession, user_id: UUID) -> None:
    """Note that the boards changed of all challenges in which somebody is in a team."""
    await _mark_changed(session, *await queries.list_challenges_of(session, user_id))


async def get_team(session: AsyncSession, challenge_id: int, team_id: int) -> Team:
    """This team of the challenge. Raises NotFound."""
    team = await queries.find_team(session, challenge_id, team_id)
    if team is None:
        raise NotFound("There is no such team in this challenge.")
    return team


async def _take_out(session: AsyncSession, challenge_id: int, user_id: UUID) -> Team | None:
    former = await queries.find_team_of(session, challenge_id, user_id)
    if former is not None:
        await queries.delete_membership(session, challenge_id, user_id)
        await queries.delete_empty(session, [former.id])
    return former


async def _get_team_for(session: AsyncSession, challenge_id: int, team_id: int, creator: UUID | None) -> Team:
    if creator is not None:
        await _require_participant(session, creator)
    team = await get_team(session, challenge_id, team_id)
    if creator is not None and team.created_by != creator:
        raise Forbidden("Only whoever created this team can do that.")
    return team


async def _lock(session: AsyncSession, challenge_id: int) -> int:
    """How many people a team takes, while nobody else changes one. Raises NotFound, Conflict."""
    challenge = await queries.lock_teams(session, challenge_id)
    if challenge is None:
        raise NotFound("There is no such challenge.")
    team_size, closed_at = challenge
    if closed_at is not None:
        raise Conflict(_CLOSED, code=TeamErrorCode.CHALLENGE_CLOSED)
    return team_size


async def _require_participant(session: AsyncSession, user_id: UUID) -> None:
    if not await queries.is_participant(session, user_id):
        raise NotFound("There is no such participant.")


async def _require_free_name(session: AsyncSession, challenge_id: int, name: str, of_team: int | None = None) -> None:
    if await queries.find_team_named(session, challenge_id, fold_name(name)) not in (None, of_team):
        raise _taken(name)


def _taken(name: str) -> Conflict:
    return Conflict(f"There is a team of the name “{name}” already.", code=TeamErrorCode.TEAM_NAME_TAKEN)


def _choose_names(wish: TeamDeal, taken: Collection[str]) -> list[str]:
    if isinstance(wish.teams, int):
        return number_teams(wish.label, wish.teams, taken)
    repeated = find_repeated(wish.teams)
    if repeated is not None:
        raise Conflict(f"The name “{repeated}” is given to two teams.", code=TeamErrorCode.TEAM_NAME_TAKEN)
    for name in wish.teams:
        if fold_name(name) in taken:
            raise _taken(name)
    return list(wish.teams)


def _require_room(people: int, teams: int, size: int) -> None:
    if people < teams:
        raise Conflict(f"There are fewer people to deal out ({people}) than teams ({teams}).")
    if people > teams * size:
        raise Conflict(
            f"A team has at most {size} members, so that {people} people need at least {-(-people // size)} teams.",
            code=TeamErrorCode.TEAM_FULL,
        )


async def _mark_changed(session: AsyncSession, *challenge_ids: int) -> None:
    await add_board_changes(session, [board.id for board in await list_boards(session, *challenge_ids)])
