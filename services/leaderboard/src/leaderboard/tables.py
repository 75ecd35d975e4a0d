"""Rows of leaderboard."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, DateTime, ForeignKey, Identity, Index, Numeric, Text, false, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.database.tables import service_metadata


class Base(DeclarativeBase):
    metadata = service_metadata()
    type_annotation_map = {  # noqa: RUF012
        str: Text,
        list[str]: ARRAY(Text),
        datetime: DateTime(timezone=True),
        Decimal: Numeric(14, 2),
    }


class ParticipantRow(Base):
    """Somebody who takes part; of whom only a new name has come yet, neither athlete nor authorization is known."""

    __tablename__ = "participants"

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    athlete_id: Mapped[int | None] = mapped_column(BigInteger)
    display_name: Mapped[str]
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


class BoardRow(Base):
    __tablename__ = "boards"

    id: Mapped[int] = mapped_column(primary_key=True)
    challenge_id: Mapped[int] = mapped_column(ForeignKey("challenges.id", ondelete="CASCADE"))
    slug: Mapped[str]
    name: Mapped[str]
    metric: Mapped[str]
    sport_types: Mapped[list[str]]
    position: Mapped[int]

    __table_args__ = (Index("uq_boards_challenge_id_slug", "challenge_id", "slug", unique=True),)


class ActivityRow(Base):
    """An activity as ingest last published it, in ingest's `version`; one that was only removed has the defaults."""

    __tablename__ = "activities"
    __table_args__ = (Index("ix_activities_user_id_local_start", "user_id", "local_start"),)

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


class StandingRow(Base):
    """What a participant has on a board; places are made when a board is read."""

    __tablename__ = "standings"

    board_id: Mapped[int] = mapped_column(ForeignKey("boards.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    distance_m: Mapped[Decimal]
    moving_time_s: Mapped[int] = mapped_column(BigInteger)
    elev_gain_m: Mapped[Decimal]
    activities: Mapped[int]


class BoardChangeRow(Base):
    """The standings of a board changed, and nobody was told yet.

    A row for each transaction, and not a mark at the board: at a mark all scorers would wait for each other.
    """

    __tablename__ = "board_changes"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    board_id: Mapped[int] = mapped_column(ForeignKey("boards.id", ondelete="CASCADE"))


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
