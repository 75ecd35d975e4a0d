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

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    athlete_id: Mapped[int | None] = mapped_column(BigInteger)
    display_name: Mapped[str]
    sort_name: Mapped[str] = mapped_column(Text(collation="C"), server_default="")  # case-folded
    private_activities: Mapped[bool] = mapped_column(server_default=false())  # whether those count
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
    revision: Mapped[int] = mapped_column(BigInteger, server_default="0")
    changed_at: Mapped[datetime]
    placed_on: Mapped[date | None]  # the last local day at whose begin places were written down


class BoardRow(Base):
    __tablename__ = "boards"

    id: Mapped[int] = mapped_column(primary_key=True)
    challenge_id: Mapped[int] = mapped_column(ForeignKey("challenges.id", ondelete="CASCADE"))
    slug: Mapped[str]
    name: Mapped[str]
    position: Mapped[int]

    __table_args__ = (Index("uq_boards_challenge_id_slug", "challenge_id", "slug", unique=True),)


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


class BoardChangeRow(Base):
    """The standings of a board changed, and nobody was told yet.

    A row for each transaction, and not a mark at the board: at a mark all scorers would wait for each other.
    """

    __tablename__ = "board_changes"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    board_id: Mapped[int] = mapped_column(ForeignKey("boards.id", ondelete="CASCADE"))


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
