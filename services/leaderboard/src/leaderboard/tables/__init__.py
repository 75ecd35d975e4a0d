"""Rows of leaderboard."""

from leaderboard.tables.activities import ActivityRow, ExclusionRow, PreferredActivityRow
from leaderboard.tables.base import Base
from leaderboard.tables.challenges import BoardRow, BoardVersionRow, ChallengeRow, FetchWindowRow, RetentionRow
from leaderboard.tables.organisers import ApiKeyRow, AuditEntryRow
from leaderboard.tables.people import (
    ErasedUserRow,
    ParticipantRow,
    SyncHealthRow,
    SyncRequestRow,
    TeamMembershipRow,
    TeamRow,
)
from leaderboard.tables.standings import (
    BoardChangeRow,
    DailyTotalRow,
    DriftCheckRow,
    FinalStandingRow,
    MilestoneChangeRow,
    MilestoneReachedRow,
    RankHistoryRow,
    RecalculationRow,
    StandingRow,
)

__all__ = [
    "ActivityRow",
    "ApiKeyRow",
    "AuditEntryRow",
    "Base",
    "BoardChangeRow",
    "BoardRow",
    "BoardVersionRow",
    "ChallengeRow",
    "DailyTotalRow",
    "DriftCheckRow",
    "ErasedUserRow",
    "ExclusionRow",
    "FetchWindowRow",
    "FinalStandingRow",
    "MilestoneChangeRow",
    "MilestoneReachedRow",
    "ParticipantRow",
    "PreferredActivityRow",
    "RankHistoryRow",
    "RecalculationRow",
    "RetentionRow",
    "StandingRow",
    "SyncHealthRow",
    "SyncRequestRow",
    "TeamMembershipRow",
    "TeamRow",
]
