"""Rows of leaderboard."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Numeric,
    Text,
    false,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.database.tables import service_metadata


class Base(DeclarativeBase):
    metadata = service_metadata()
    type_annotation_map = {  # noqa: RUF012
        str: Text,
        list[str]: ARRAY(Text),
        datetime: DateTime(timezone=True),
        Decimal: Numeric(14, 2),
        dict[str, Any]: JSONB,
    }


class ParticipantRow(Base):
    """Somebody who takes part; of whom only a new name has come yet, neither athlete nor authorization is known."""

    __tablename__ = "participants"
    __table_args__ = (Index("ix_participants_sort_name_user_id", "sort_name", "user_id"),)

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    athlete_id: Mapped[int | None] = mapped_column(BigInteger)
    display_name: Mapped[str]
    sort_name: Mapped[str] = mapped_column(Text(collation="C"), server_default="")  # case-folded
    private_activities: Mapped[bool] = mapped_column(server_default=false())  # whether those count
    sync_requested_at: Mapped[datetime | None]  # by themselves
    hidden_by_participant: Mapped[bool] = mapped_column(server_default=false())  # from all boards
    hidden_by_organiser: Mapped[bool] = mapped_column(server_default=false())
    joined_at: Mapped[datetime]
    named_at: Mapped[datetime] = mapped_column(server_default=func.now())  # when `display_name` was so
    authorized_at: Mapped[datetime | None] = mapped_column(server_default=func.now())  # the last time
    expired_at: Mapped[datetime | None]  # when `participant.expired` was emitted


class ChallengeRow(Base):
    """A challenge; `revision` grows with every change of its standings."""

    __tablename__ = "challenges"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    first_day: Mapped[date]
    last_day: Mapped[date]
    time_zone: Mapped[str]
    visibility: Mapped[str]
    counts_manual: Mapped[bool]
    counts_trainer: Mapped[bool]
    counts_commute: Mapped[bool]
    team_size: Mapped[int] = mapped_column(server_default="5")  # how many people a team takes
    revision: Mapped[int] = mapped_column(BigInteger, server_default="0")
    changed_at: Mapped[datetime]
    announcement: Mapped[str] = mapped_column(server_default="")
    edition: Mapped[int] = mapped_column(server_default="0")  # counts what organisers changed
    closed_at: Mapped[datetime | None]  # since then nothing of it is scored
    digest: Mapped[str | None]  # of the final standings
    placed_on: Mapped[date | None]  # the last local day at whose begin places were written down

    __table_args__ = (CheckConstraint("team_size >= 1", name="team_size"),)


class BoardRow(Base):
    """A ranking of a challenge; a team has the sum or the average of its members' values, or the sum of the best."""

    __tablename__ = "boards"

    id: Mapped[int] = mapped_column(primary_key=True)
    challenge_id: Mapped[int] = mapped_column(ForeignKey("challenges.id", ondelete="CASCADE"))
    slug: Mapped[str]
    name: Mapped[str]
    position: Mapped[int]
    team_mode: Mapped[str] = mapped_column(server_default="sum")
    team_best: Mapped[int | None]  # how many members count where the mode is "best"

    __table_args__ = (
        CheckConstraint("team_mode in ('sum', 'average', 'best')", name="team_mode"),
        CheckConstraint("team_best >= 1 and (team_mode <> 'best' or team_best is not null)", name="team_best"),
        Index("uq_boards_challenge_id_slug", "challenge_id", "slug", unique=True),
    )


class BoardVersionRow(Base):
    """A board by the rules of one moment, with daily totals and standings of its own.

    `building`: they are computed from the activities, person after person. `built`: they are complete. `live`: they
    are what is shown. `retired`, or without a board: they are deleted. All but those are kept current by events.
    """

    __tablename__ = "board_versions"
    __table_args__ = (
        CheckConstraint("purpose in ('publication', 'preview', 'check')", name="purpose"),
        CheckConstraint("state in ('building', 'built', 'live', 'retired')", name="state"),
        Index("uq_board_versions_live", "board_id", unique=True, postgresql_where=text("state = 'live'")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    board_id: Mapped[int | None] = mapped_column(ForeignKey("boards.id", ondelete="SET NULL"), index=True)
    purpose: Mapped[str]
    state: Mapped[str]
    first_day: Mapped[date]
    last_day: Mapped[date]
    counts_manual: Mapped[bool]
    counts_trainer: Mapped[bool]
    counts_commute: Mapped[bool]
    metric: Mapped[str]
    sport_types: Mapped[list[str]]
    points: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    threshold: Mapped[Decimal | None]  # of a milestone
    built_until: Mapped[UUID | None]  # whoever has no larger id is in it
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ActivityRow(Base):
    """An activity as ingest last published it, in ingest's `version`; one that was only removed has the defaults."""

    __tablename__ = "activities"
    __table_args__ = (
        Index("ix_activities_user_id_local_start", "user_id", "local_start"),
        Index("ix_activities_user_id_start_at", "user_id", "start_at"),
        Index("ix_activities_long", "user_id", "start_at", postgresql_where=text("elapsed_time_s > 86400")),
    )

    strava_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    user_id: Mapped[UUID]
    version: Mapped[int] = mapped_column(BigInteger)
    removed: Mapped[bool]
    sport_type: Mapped[str] = mapped_column(server_default="Unknown")
    start_at: Mapped[datetime] = mapped_column(server_default="epoch")
    local_start: Mapped[datetime] = mapped_column(DateTime(timezone=False), server_default="epoch")
    distance_m: Mapped[Decimal] = mapped_column(Numeric(12, 2), server_default="0")
    moving_time_s: Mapped[int] = mapped_column(server_default="0")
    elapsed_time_s: Mapped[int] = mapped_column(server_default="0")
    elev_gain_m: Mapped[Decimal] = mapped_column(Numeric(12, 2), server_default="0")
    trainer: Mapped[bool] = mapped_column(server_default=false())
    commute: Mapped[bool] = mapped_column(server_default=false())
    manual: Mapped[bool] = mapped_column(server_default=false())
    flagged: Mapped[bool] = mapped_column(server_default=false())
    private: Mapped[bool] = mapped_column(server_default=false())
    suspicions: Mapped[list[str]] = mapped_column(server_default="{}")


class ExclusionRow(Base):
    """An activity that counts nowhere, because its owner or an organiser said so; it stays so when it is revised."""

    __tablename__ = "exclusions"
    __table_args__ = (CheckConstraint("excluded_by in ('participant', 'organiser')", name="excluded_by"),)

    strava_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    excluded_by: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(index=True)  # the owner
    reason: Mapped[str] = mapped_column(server_default="")
    excluded_at: Mapped[datetime] = mapped_column(server_default=func.now())


class PreferredActivityRow(Base):
    """An activity that its owner wants to count, of those that it overlaps."""

    __tablename__ = "preferred_activities"

    strava_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    user_id: Mapped[UUID] = mapped_column(index=True)
    preferred_at: Mapped[datetime] = mapped_column(server_default=func.now())


class DailyTotalRow(Base):
    """What a participant's counted activities on one local day add up to on a version of a board."""

    __tablename__ = "daily_totals"
    __table_args__ = (Index("ix_daily_totals_version_id_day", "version_id", "day"),)

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    version_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    distance_m: Mapped[Decimal]
    moving_time_s: Mapped[int] = mapped_column(BigInteger)
    elev_gain_m: Mapped[Decimal]
    activities: Mapped[int]
    points: Mapped[Decimal]


class StandingRow(Base):
    """What a participant has on a version of a board: the sum of the daily totals; places are made when it is read.

    `value` is the figure that the board ranks by. Of the participant it knows what the order of a page depends on, so
    that an index gives it.
    """

    __tablename__ = "standings"
    __table_args__ = (
        Index("ix_standings_order", "version_id", "listed", text("value desc"), "sort_name", "user_id"),
    )

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    version_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    listed: Mapped[bool]
    sort_name: Mapped[str] = mapped_column(Text(collation="C"))
    value: Mapped[Decimal]
    distance_m: Mapped[Decimal]
    moving_time_s: Mapped[int] = mapped_column(BigInteger)
    elev_gain_m: Mapped[Decimal]
    activities: Mapped[int]
    points: Mapped[Decimal]


class RankHistoryRow(Base):
    """The place of somebody on a version of a board when a local day of its challenge began."""

    __tablename__ = "rank_history"

    version_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    place: Mapped[int]


class RecalculationRow(Base):
    """Somebody with so many activities that their standings are computed by a task, whatever comes meanwhile."""

    __tablename__ = "recalculations"

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    requests: Mapped[int] = mapped_column(BigInteger, server_default="1")  # since it was added
    version_id: Mapped[int] = mapped_column(BigInteger, server_default="0")  # the newest that was computed
    requested_at: Mapped[datetime] = mapped_column(server_default=func.now())


class MilestoneReachedRow(Base):
    """Somebody reached a milestone with the activity that ended then, of that local day.

    Changes of later days change nothing about it.
    """

    __tablename__ = "milestones_reached"

    board_id: Mapped[int] = mapped_column(ForeignKey("boards.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(primary_key=True, index=True)
    reached_at: Mapped[datetime]
    day: Mapped[date | None]  # None: not known


class MilestoneChangeRow(Base):
    """What somebody has in a milestone changed, from that day on, and nobody looked yet whether they reached it."""

    __tablename__ = "milestone_changes"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    board_id: Mapped[int] = mapped_column(ForeignKey("boards.id", ondelete="CASCADE"))
    user_id: Mapped[UUID]
    first_day: Mapped[date] = mapped_column(server_default="-infinity")  # that: maybe all days


class BoardChangeRow(Base):
    """The standings of a board changed, and nobody was told yet.

    A row for each transaction, and not a mark at the board: at a mark all scorers would wait for each other.
    """

    __tablename__ = "board_changes"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    board_id: Mapped[int] = mapped_column(ForeignKey("boards.id", ondelete="CASCADE"))


class FinalStandingRow(Base):
    """A row of a board as it was when its challenge was closed; it outlives its user, as a hash of their id."""

    __tablename__ = "final_standings"

    challenge_id: Mapped[int] = mapped_column(ForeignKey("challenges.id", ondelete="CASCADE"), primary_key=True)
    board: Mapped[str] = mapped_column(primary_key=True)
    participant: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[UUID | None] = mapped_column(index=True)
    place: Mapped[int]
    distance_m: Mapped[Decimal]
    moving_time_s: Mapped[int] = mapped_column(BigInteger)
    elev_gain_m: Mapped[Decimal]
    activities: Mapped[int]
    points: Mapped[Decimal]


class TeamRow(Base):
    """A team of a challenge; one that nobody is in is deleted."""

    __tablename__ = "teams"
    __table_args__ = (Index("uq_teams_challenge_id_folded_name", "challenge_id", "folded_name", unique=True),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    challenge_id: Mapped[int] = mapped_column(ForeignKey("challenges.id", ondelete="CASCADE"))
    name: Mapped[str]
    folded_name: Mapped[str] = mapped_column(Text(collation="C"))  # by which names are compared and ordered
    created_by: Mapped[UUID | None] = mapped_column(index=True)  # None: an organiser, or somebody who was erased
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class TeamMembershipRow(Base):
    """The one team that somebody is in in a challenge."""

    __tablename__ = "team_memberships"

    challenge_id: Mapped[int] = mapped_column(ForeignKey("challenges.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(primary_key=True, index=True)
    team_id: Mapped[int] = mapped_column(ForeignKey("teams.id", ondelete="CASCADE"), index=True)
    joined_at: Mapped[datetime] = mapped_column(server_default=func.now())


class AuditEntryRow(Base):
    """What an organiser changed; it says nothing of people but ids, and forgets those of who is erased."""

    __tablename__ = "audit_log"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    actor: Mapped[str]
    actor_id: Mapped[UUID | None] = mapped_column(index=True)  # None: an API key, or somebody who was erased
    action: Mapped[str]
    subject: Mapped[str] = mapped_column(index=True)
    details: Mapped[dict[str, Any]]


class ApiKeyRow(Base):
    """A key of a program; its secret is not here, and its name is never given again.

    `requests` counts those since `window_start`.
    """

    __tablename__ = "api_keys"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    name: Mapped[str]
    folded_name: Mapped[str] = mapped_column(unique=True)
    key_hash: Mapped[bytes]
    scopes: Mapped[list[str]]
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    window_start: Mapped[datetime | None]
    requests: Mapped[int] = mapped_column(BigInteger, server_default="0")


class SyncHealthRow(Base):
    """How fetching goes for a user, as sync and auth tell it; they may not be a participant yet."""

    __tablename__ = "sync_health"
    __table_args__ = (
        CheckConstraint("last_outcome in ('succeeded', 'failed')", name="last_outcome"),
        Index("ix_sync_health_last_failure_at", "last_failure_at"),
    )

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    last_success_at: Mapped[datetime | None]
    last_attempt_at: Mapped[datetime | None]
    last_failure_at: Mapped[datetime | None]
    last_outcome: Mapped[str | None]  # of the last attempt
    last_error_class: Mapped[str | None]  # of the last failure
    failures_in_row: Mapped[int] = mapped_column(server_default="0")
    requests_used_last: Mapped[int | None]
    needs_reconnection: Mapped[bool] = mapped_column(server_default=false())
    reconnection_reason: Mapped[str | None]
    permission_changed_at: Mapped[datetime | None]  # when it was given or lost the last time
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class SyncRequestRow(Base):
    """The one row about when an organiser last wanted everybody's activities fetched."""

    __tablename__ = "sync_requests"
    __table_args__ = (CheckConstraint("id = 1", name="single"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    everybody_at: Mapped[datetime]


class ErasedUserRow(Base):
    """The id of somebody who was erased, and nothing else of them.

    Events about them may still be on their way, in a retry or among the dead letters: without the id, each of them
    would look like the first about somebody new.
    """

    __tablename__ = "erased_users"

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    erased_at: Mapped[datetime]


class FetchWindowRow(Base):
    """The one row about which activities sync was last told to fetch."""

    __tablename__ = "fetch_window"
    __table_args__ = (CheckConstraint("id = 1", name="single"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    since: Mapped[datetime | None]  # None: none


class RetentionRow(Base):
    """The one row about before which start activities were last said not to be kept."""

    __tablename__ = "retention"
    __table_args__ = (CheckConstraint("id = 1", name="single"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    before: Mapped[datetime]
    purged_before: Mapped[datetime | None]  # those that started before then have been deleted


class DriftCheckRow(Base):
    """A night on which standings were compared with what the activities give."""

    __tablename__ = "drift_checks"

    day: Mapped[date] = mapped_column(primary_key=True)  # in UTC
    totals: Mapped[int | None]  # that differed; None until it is finished
