"""Rows that are computed: totals, standings, milestones, and what waits to be computed or told."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import BigInteger, Computed, ForeignKey, Identity, Index, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from leaderboard.tables.base import Base


def _hundredths(figure: str) -> Computed:
    return Computed(f"cast({figure} * 100 as bigint)", persisted=True)


class DailyTotalRow(Base):
    """What a participant's counted activities on one local day add up to on a version of a board.

    What is not a whole number is there once more as hundredths: Postgres sums whole numbers twice as fast. Columns of
    fixed width come first, because to find one behind the others takes a tenth of such a sum.
    """

    __tablename__ = "daily_totals"
    __table_args__ = (Index("ix_daily_totals_version_id_day", "version_id", "day"),)

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    version_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    activities: Mapped[int]
    moving_time_s: Mapped[int] = mapped_column(BigInteger)
    distance_cm: Mapped[int] = mapped_column(BigInteger, _hundredths("distance_m"))
    elev_gain_cm: Mapped[int] = mapped_column(BigInteger, _hundredths("elev_gain_m"))
    points_hundredths: Mapped[int] = mapped_column(BigInteger, _hundredths("points"))
    distance_m: Mapped[Decimal]
    elev_gain_m: Mapped[Decimal]
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


class DriftCheckRow(Base):
    """A night on which standings were compared with what the activities give."""

    __tablename__ = "drift_checks"

    day: Mapped[date] = mapped_column(primary_key=True)  # in UTC
    totals: Mapped[int | None]  # that differed; None until it is finished
