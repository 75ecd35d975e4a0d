"""leaderboard's API for organisers."""

from uuid import UUID

from pydantic import BaseModel

from shared.contracts.leaderboard_admin_api import (
    BegunPreview,
    BoardDefinition,
    BoardEdit,
    ChallengeEdit,
    ChallengeState,
    CloneRequest,
    FinalResults,
    NewChallenge,
    Preview,
    PreviewRequest,
    RetentionState,
)
from shared.contracts.leaderboard_api import (
    ActivitySearch,
    BoardStandings,
    ExclusionReason,
    FoundActivities,
    MilestonePage,
    ParticipantProfile,
)
from shared.contracts.organisers_api import (
    ApiKeyInfo,
    ApiKeyList,
    AuditPage,
    CreatedApiKey,
    NewApiKey,
    ParticipantInfo,
    ParticipantPage,
    RequestedSync,
    SyncFailures,
    WantedSync,
)
from shared.contracts.sync_api import SyncStatus
from shared.contracts.teams_api import (
    DealtTeams,
    TeamAssignment,
    TeamDeal,
    TeamDetails,
    TeamDraft,
    TeamInfo,
    TeamPage,
)
from web.clients.calls import Answer, Api, Caller


class OrganisersClient:
    """What an organiser reads and does.

    Every method raises Unavailable and Forbidden; those about something that is named, NotFound; those that change
    something, Conflict and Invalid.
    """

    def __init__(self, api: Api, caller: Caller) -> None:
        self._api = api
        self._caller = caller

    # Challenges and boards

    async def list_challenges(self) -> tuple[ChallengeState, ...]:
        """All challenges with what is being built."""
        return await self._api.get("/admin/challenges", tuple[ChallengeState, ...], self._caller)

    async def get_challenge(self, slug: str) -> ChallengeState:
        """One of them."""
        return await self._api.get(f"/admin/challenges/{slug}", ChallengeState, self._caller)

    async def create_challenge(self, new: NewChallenge) -> ChallengeState:
        """A new challenge."""
        return await self._send("POST", "/admin/challenges", ChallengeState, new)

    async def edit_challenge(self, slug: str, edit: ChallengeEdit) -> ChallengeState:
        """Change a challenge."""
        return await self._send("PUT", f"/admin/challenges/{slug}", ChallengeState, edit)

    async def clone_challenge(self, slug: str, clone: CloneRequest) -> ChallengeState:
        """A new challenge with the same boards."""
        return await self._send("POST", f"/admin/challenges/{slug}/clone", ChallengeState, clone)

    async def close_challenge(self, slug: str) -> FinalResults:
        """Freeze the results."""
        return await self._send("POST", f"/admin/challenges/{slug}/close", FinalResults)

    async def delete_challenge(self, slug: str) -> None:
        """Delete a challenge with its boards."""
        await self._api.do("DELETE", f"/admin/challenges/{slug}", self._caller)

    async def get_results(self, slug: str) -> FinalResults:
        """The frozen results."""
        return await self._api.get(f"/challenges/{slug}/results", FinalResults, self._caller)

    async def add_board(self, slug: str, board: BoardDefinition) -> ChallengeState:
        """A new board or milestone."""
        return await self._send("POST", f"/admin/challenges/{slug}/boards", ChallengeState, board)

    async def edit_board(self, slug: str, board: str, edit: BoardEdit) -> ChallengeState:
        """Change a board or milestone."""
        return await self._send("PUT", f"/admin/challenges/{slug}/boards/{board}", ChallengeState, edit)

    async def delete_board(self, slug: str, board: str) -> None:
        """Delete a board or milestone."""
        await self._api.do("DELETE", f"/admin/challenges/{slug}/boards/{board}", self._caller)

    async def begin_preview(self, slug: str, board: str, rules: PreviewRequest) -> None:
        """Have a board computed by other rules, without showing it."""
        await self._api.do("PUT", f"/admin/challenges/{slug}/boards/{board}/preview", self._caller, body=rules)

    async def get_preview(self, slug: str, board: str) -> Preview:
        """What it would be."""
        return await self._api.get(f"/admin/challenges/{slug}/boards/{board}/preview", Preview, self._caller)

    async def begin_new_preview(self, slug: str, rules: PreviewRequest) -> BegunPreview:
        """Have a board computed that does not exist, without adding it."""
        return await self._send("POST", f"/admin/challenges/{slug}/previews", BegunPreview, rules)

    async def get_new_preview(self, slug: str, preview_id: int) -> Preview:
        """What it would be."""
        return await self._api.get(f"/admin/challenges/{slug}/previews/{preview_id}", Preview, self._caller)

    async def get_standings(self, slug: str, board: str, limit: int) -> BoardStandings:
        """The first places of a board as it is."""
        path = f"/challenges/{slug}/boards/{board}"
        return await self._api.get(path, BoardStandings, self._caller, limit=limit, offset=0)

    async def get_milestone(self, slug: str, milestone: str, limit: int) -> MilestonePage:
        """The first who reached a milestone."""
        path = f"/challenges/{slug}/milestones/{milestone}"
        return await self._api.get(path, MilestonePage, self._caller, limit=limit)

    # People and what they did

    async def list_participants(
        self, search: str = "", status: str | None = None, after: str | None = None, limit: int = 50
    ) -> ParticipantPage:
        """Participants by name."""
        query = {"search": search, "status": status, "after": after, "limit": limit}
        return await self._api.get("/admin/participants", ParticipantPage, self._caller, **query)

    async def get_participant(self, user_id: UUID) -> ParticipantInfo:
        """One of them."""
        return await self._api.get(f"/admin/participants/{user_id}", ParticipantInfo, self._caller)

    async def set_hidden(self, user_id: UUID, *, hidden: bool) -> ParticipantInfo:
        """Take somebody off all boards, or put them there again."""
        verb = "hide" if hidden else "show"
        return await self._send("POST", f"/admin/participants/{user_id}/{verb}", ParticipantInfo)

    async def remove_participant(self, user_id: UUID) -> None:
        """Have everything about somebody deleted."""
        await self._api.do("DELETE", f"/admin/participants/{user_id}", self._caller)

    async def get_profile(self, slug: str, user_id: UUID) -> ParticipantProfile:
        """What somebody has in a challenge."""
        return await self._api.get(f"/challenges/{slug}/participants/{user_id}", ParticipantProfile, self._caller)

    async def search_activities(self, search: ActivitySearch) -> FoundActivities:
        """A page of activities."""
        query = search.model_dump()
        return await self._api.get("/admin/activities", FoundActivities, self._caller, **query)

    async def exclude_activity(self, strava_id: int, reason: str) -> None:
        """Let an activity count nowhere."""
        path = f"/admin/activities/{strava_id}/exclusion"
        await self._api.do("PUT", path, self._caller, body=ExclusionReason(reason=reason))

    async def include_activity(self, strava_id: int) -> None:
        """Let it count again."""
        await self._api.do("DELETE", f"/admin/activities/{strava_id}/exclusion", self._caller)

    # Teams

    async def list_teams(self, slug: str, limit: int, offset: int) -> TeamPage:
        """Teams by name."""
        return await self._api.get(f"/challenges/{slug}/teams", TeamPage, self._caller, limit=limit, offset=offset)

    async def get_team(self, slug: str, team_id: int) -> TeamDetails:
        """A team and who is in it."""
        return await self._api.get(f"/challenges/{slug}/teams/{team_id}", TeamDetails, self._caller)

    async def rename_team(self, slug: str, team_id: int, name: str) -> TeamInfo:
        """Give a team another name."""
        path = f"/admin/challenges/{slug}/teams/{team_id}"
        return await self._send("PATCH", path, TeamInfo, TeamDraft(name=name))

    async def delete_team(self, slug: str, team_id: int) -> None:
        """Delete a team; its members are in none then."""
        await self._api.do("DELETE", f"/admin/challenges/{slug}/teams/{team_id}", self._caller)

    async def assign(self, slug: str, user_id: UUID, team_id: int | None) -> None:
        """Put somebody into a team, or into none."""
        path = f"/admin/challenges/{slug}/teams/members/{user_id}"
        await self._api.do("PUT", path, self._caller, body=TeamAssignment(team_id=team_id))

    async def deal(self, slug: str, wish: TeamDeal) -> DealtTeams:
        """Deal people out to teams."""
        return await self._send("POST", f"/admin/challenges/{slug}/teams/deal", DealtTeams, wish)

    # Fetching

    async def request_sync(self, user_id: UUID | None) -> RequestedSync:
        """Have somebody's activities fetched, or everybody's."""
        return await self._send("POST", "/admin/sync", RequestedSync, WantedSync(user_id=user_id))

    async def list_sync_failures(self) -> SyncFailures:
        """The latest failures, as codes."""
        return await self._api.get("/admin/sync-errors", SyncFailures, self._caller)

    async def get_sync_status(self) -> SyncStatus:
        """The budget of calls, what waits for them, and the nightly runs."""
        return await self._api.get("/admin/sync-budget", SyncStatus, self._caller)

    # What is kept, and who did what

    async def get_retention(self) -> RetentionState:
        """What is deleted when."""
        return await self._api.get("/admin/retention", RetentionState, self._caller)

    async def list_audit_log(
        self, action: str | None = None, subject: str | None = None, before_id: int | None = None, limit: int = 50
    ) -> AuditPage:
        """What was changed and who did it."""
        query = {"action": action, "subject": subject, "before_id": before_id, "limit": limit}
        return await self._api.get("/admin/audit-log", AuditPage, self._caller, **query)

    async def list_keys(self) -> ApiKeyList:
        """All API keys, without their secrets."""
        return await self._api.get("/admin/api-keys", ApiKeyList, self._caller)

    async def create_key(self, wanted: NewApiKey) -> CreatedApiKey:
        """A new API key, whose text is shown once."""
        return await self._send("POST", "/admin/api-keys", CreatedApiKey, wanted)

    async def revoke_key(self, key_id: int) -> ApiKeyInfo:
        """Make an API key invalid."""
        return await self._send("DELETE", f"/admin/api-keys/{key_id}", ApiKeyInfo)

    async def _send(self, method: str, path: str, model: type[Answer], body: BaseModel | None = None) -> Answer:
        return await self._api.send(method, path, model, self._caller, body=body)
