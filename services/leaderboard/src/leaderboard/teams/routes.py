"""The API of teams: what everybody reads, what participants do, and what organisers do."""

from collections import defaultdict
from datetime import UTC
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response

from leaderboard.audit.queries import add_audit_entry
from leaderboard.challenges.queries import BoardVersion, ShownChallenge
from leaderboard.challenges.routes import get_challenge, get_shown, to_board_info, to_challenge_info
from leaderboard.dependencies import (
    FOR_WEB,
    Actor,
    ReadTransaction,
    Scope,
    Viewer,
    ViewerDep,
    require_scope,
)
from leaderboard.entity_tags import NOT_MODIFIED, Tags, caching, is_current, make_tag, not_modified
from leaderboard.tables import ChallengeRow
from leaderboard.teams import queries, use_cases
from leaderboard.teams.queries import Team
from leaderboard.teams.rankings import TeamRankings
from leaderboard.teams.use_cases import get_team
from shared.contracts.error_body import ErrorBody
from shared.contracts.teams_api import (
    MAX_ROW_ID,
    DealtTeams,
    MemberFigures,
    OwnTeam,
    TeamAssignment,
    TeamBoard,
    TeamDay,
    TeamDeal,
    TeamDetails,
    TeamDraft,
    TeamErrorCode,
    TeamInfo,
    TeamMember,
    TeamMode,
    TeamPage,
    TeamStanding,
)
from shared.errors import Conflict, NotFound
from shared.http.api import Transaction, documented_errors

MAX_PAGE = 200
MAX_OFFSET = 1_000_000
#: Of every route that changes a team.
_CHANGE: dict[int | str, dict[str, Any]] = {
    409: {
        "model": ErrorBody,
        "description": "The challenge is closed, so its teams stay as they are (`challenge_closed`), or teams do not"
        " allow it, as `message` says.",
    }
}

TeamsActor = Annotated[Actor, Depends(require_scope(Scope.TEAMS))]
TeamId = Annotated[int, Path(ge=1, le=MAX_ROW_ID)]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE)]
Offset = Annotated[int, Query(ge=0, le=MAX_OFFSET)]


async def _get_visible(slug: str, session: Transaction, viewer: ViewerDep) -> ChallengeRow:
    return await get_challenge(session, slug, viewer)


async def _get_own(user_id: UUID, slug: str, session: Transaction) -> ChallengeRow:
    return await get_challenge(session, slug, Viewer(user_id))


async def _get_organised(slug: str, session: Transaction, actor: TeamsActor) -> ChallengeRow:
    return await get_challenge(session, slug, Viewer(actor.user_id, is_organiser=True))


async def _get_rankings(request: Request) -> TeamRankings:
    rankings: TeamRankings = request.app.state.team_rankings
    return rankings


RankingsDep = Annotated[TeamRankings, Depends(_get_rankings)]
VisibleChallenge = Annotated[ChallengeRow, Depends(_get_visible)]
OwnChallenge = Annotated[ChallengeRow, Depends(_get_own)]
OrganisedChallenge = Annotated[ChallengeRow, Depends(_get_organised)]

_reading = APIRouter(responses=documented_errors(404))
_own = APIRouter(
    prefix="/participants/{user_id}/challenges/{slug}",
    dependencies=[FOR_WEB],
    responses=documented_errors(404),
)
_organising = APIRouter(prefix="/admin/challenges/{slug}/teams", responses=documented_errors(404))


@_reading.get("/challenges/{slug}/teams")
async def list_teams(
    session: Transaction, challenge: VisibleChallenge, limit: Limit = 50, offset: Offset = 0
) -> TeamPage:
    """The teams of a challenge, by name."""
    teams = await queries.list_teams(session, challenge.id, limit, offset)
    return TeamPage(
        team_size=challenge.team_size,
        total=await queries.count_teams(session, challenge.id),
        teams=tuple(map(_to_info, teams)),
    )


@_reading.get("/challenges/{slug}/teams/{team_id}")
async def show_team(slug: str, session: Transaction, viewer: ViewerDep, team_id: TeamId) -> TeamDetails:
    """A team, its members, and what each of them has on the challenge's boards where they are listed."""
    shown = await get_shown(session, slug, viewer)
    team = await get_team(session, shown.row.id, team_id)
    members = await queries.list_members(session, team.id)
    figures: dict[UUID, dict[int, MemberFigures]] = defaultdict(dict)
    slugs = {version.id: version.board.slug for version in shown.versions}
    for row in await queries.list_figures(session, [member.user_id for member in members], list(slugs)):
        figures[row.user_id][row.version_id] = MemberFigures(
            board=slugs[row.version_id],
            value=float(row.value),
            distance_m=float(row.distance_m),
            moving_time_s=row.moving_time_s,
            elev_gain_m=float(row.elev_gain_m),
            activities=row.activities,
        )
    return TeamDetails(
        id=team.id,
        name=team.name,
        team_size=shown.row.team_size,
        members=tuple(
            TeamMember(
                user_id=member.user_id,
                display_name=member.display_name,
                figures=tuple(own[each] for each in slugs if each in own),
            )
            for member in members
            for own in [figures[member.user_id]]
        ),
        hidden_members=team.members - len(members),
    )


@_reading.get("/challenges/{slug}/teams/{team_id}/boards/{board_slug}/days")
async def list_team_days(
    slug: str, session: Transaction, viewer: ViewerDep, team_id: TeamId, board_slug: str
) -> tuple[TeamDay, ...]:
    """What the team has on a board day by day, as far as its members are listed."""
    shown = await get_shown(session, slug, viewer)
    team = await get_team(session, shown.row.id, team_id)
    version = _get_version(shown, board_slug)
    rows = await queries.list_days(session, team.id, version.id, version.board.metric)
    return tuple(TeamDay(day=row.day, value=float(row.value)) for row in rows)


@_reading.get("/challenges/{slug}/boards/{board_slug}/teams", response_model=TeamBoard, responses=NOT_MODIFIED)
async def rank_teams(  # noqa: PLR0917 - three are parameters of the request
    slug: str,
    session: ReadTransaction,
    rankings: RankingsDep,
    viewer: ViewerDep,
    board_slug: str,
    limit: Limit = 50,
    offset: Offset = 0,
    if_none_match: Tags = "",
) -> Response:
    """The teams on a board as it is now, from the highest place on; only listed members count."""
    shown = await get_shown(session, slug, viewer)
    version = _get_version(shown, board_slug)
    challenge, board = to_challenge_info(shown), to_board_info(version)
    ranking = await rankings.get(session, shown, version)
    tag = make_tag(version.id, challenge, board, ranking.state, limit, offset)
    if is_current(tag, if_none_match):
        return not_modified(tag)
    rule = ranking.state.rule
    answer = TeamBoard(
        challenge=challenge,
        board=board,
        mode=TeamMode(rule.mode),
        best=rule.best if rule.mode == TeamMode.BEST else None,
        revision=shown.row.revision,
        as_of=shown.row.changed_at.astimezone(UTC),
        total=len(ranking.rows),
        rows=tuple(TeamStanding.model_validate(row._mapping) for row in ranking.rows[offset : offset + limit]),
    )
    return Response(answer.model_dump_json(), media_type="application/json", headers=caching(tag))


@_own.get("/team")
async def show_own_team(session: Transaction, challenge: OwnChallenge, user_id: UUID) -> OwnTeam:
    """The team that the participant is in."""
    team = await queries.find_team_of(session, challenge.id, user_id)
    if team is None:
        raise NotFound("You are in no team of this challenge.", code=TeamErrorCode.NO_TEAM)
    return _to_own(team, user_id)


@_own.post("/teams", status_code=201, responses=_CHANGE)
async def create_team(session: Transaction, challenge: OwnChallenge, user_id: UUID, draft: TeamDraft) -> OwnTeam:
    """Create a team and join it; whoever is in another one leaves that."""
    team_id = await use_cases.create_team(session, challenge.id, user_id, draft.name)
    return _to_own(await get_team(session, challenge.id, team_id), user_id)


@_own.post("/teams/{team_id}/join", responses=_CHANGE)
async def join_team(session: Transaction, challenge: OwnChallenge, user_id: UUID, team_id: TeamId) -> OwnTeam:
    """Join a team that is not full; whoever is in another one leaves that, and takes their results along."""
    await use_cases.join_team(session, challenge.id, user_id, team_id)
    return _to_own(await get_team(session, challenge.id, team_id), user_id)


@_own.post("/teams/leave", status_code=204, responses=_CHANGE)
async def leave_team(session: Transaction, challenge: OwnChallenge, user_id: UUID) -> None:
    """Leave the team; one that nobody is in any more is deleted."""
    if await use_cases.leave_team(session, challenge.id, user_id) is None:
        raise Conflict("You are in no team of this challenge.", code=TeamErrorCode.NO_TEAM)


@_own.patch("/teams/{team_id}", responses=_CHANGE)
async def rename_own_team(
    session: Transaction, challenge: OwnChallenge, user_id: UUID, team_id: TeamId, draft: TeamDraft
) -> OwnTeam:
    """Rename a team that the participant created."""
    await use_cases.rename_team(session, challenge.id, team_id, draft.name, user_id)
    return _to_own(await get_team(session, challenge.id, team_id), user_id)


@_own.delete("/teams/{team_id}", status_code=204, responses=_CHANGE)
async def delete_own_team(session: Transaction, challenge: OwnChallenge, user_id: UUID, team_id: TeamId) -> None:
    """Delete a team that the participant created; its members are in none then."""
    await use_cases.delete_team(session, challenge.id, team_id, user_id)


@_organising.patch("/{team_id}", responses=_CHANGE)
async def rename_team(
    session: Transaction, actor: TeamsActor, challenge: OrganisedChallenge, team_id: TeamId, draft: TeamDraft
) -> TeamInfo:
    """Rename a team."""
    before = await use_cases.rename_team(session, challenge.id, team_id, draft.name)
    details = {"challenge": challenge.slug, "before": before.name, "after": draft.name}
    await add_audit_entry(session, actor, "team.renamed", str(team_id), details)
    return _to_info(await get_team(session, challenge.id, team_id))


@_organising.delete("/{team_id}", status_code=204, responses=_CHANGE)
async def delete_team(
    session: Transaction, actor: TeamsActor, challenge: OrganisedChallenge, team_id: TeamId
) -> None:
    """Delete a team; its members are in none then."""
    before = await use_cases.delete_team(session, challenge.id, team_id)
    details = {"challenge": challenge.slug, "name": before.name, "members": before.members}
    await add_audit_entry(session, actor, "team.deleted", str(team_id), details)


@_organising.put("/members/{user_id}", status_code=204, responses=_CHANGE)
async def assign_participant(
    session: Transaction, actor: TeamsActor, challenge: OrganisedChallenge, user_id: UUID, wish: TeamAssignment
) -> None:
    """Put a participant into a team that is not full, or into none."""
    if wish.team_id is None:
        former = await use_cases.leave_team(session, challenge.id, user_id)
    else:
        former = await use_cases.join_team(session, challenge.id, user_id, wish.team_id)
    details = {"challenge": challenge.slug, "before": former.id if former else None, "after": wish.team_id}
    await add_audit_entry(session, actor, "participant.assigned_to_team", str(user_id), details)


@_organising.post("/deal", responses=_CHANGE)
async def deal_people(
    session: Transaction, actor: TeamsActor, challenge: OrganisedChallenge, wish: TeamDeal
) -> DealtTeams:
    """Deal people out to teams of about one size, evenly by strength or at random."""
    seed, teams, people = await use_cases.deal_people(session, challenge.id, wish)
    details = {"how": wish.how, "seed": seed, "everybody": wish.everybody, "teams": len(teams), "people": people}
    await add_audit_entry(session, actor, "teams.dealt", challenge.slug, details)
    return DealtTeams(seed=seed, teams=tuple(map(_to_info, teams)))


def _get_version(shown: ShownChallenge, board_slug: str) -> BoardVersion:
    version = next((one for one in shown.versions if one.board.slug == board_slug), None)
    if version is None:
        raise NotFound("There is no such board.")
    return version


def _to_info(team: Team) -> TeamInfo:
    return TeamInfo(id=team.id, name=team.name, members=team.members)


def _to_own(team: Team, user_id: UUID) -> OwnTeam:
    return OwnTeam(id=team.id, name=team.name, members=team.members, is_creator=team.created_by == user_id)


routers = (_reading, _own, _organising)
