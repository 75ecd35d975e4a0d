"""Rows about challenges, their boards, and what they need of activities."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from leaderboard.tables.base import Base


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
    are what is shown. `retired`, or of nothing any more: they are deleted. All but those are kept current by events.
    A preview of a board that does not exist belongs to the challenge.
    """

    __tablename__ = "board_versions"
    __table_args__ = (
        CheckConstraint("purpose in ('publication', 'preview', 'check')", name="purpose"),
        CheckConstraint("state in ('building', 'built', 'live', 'retired')", name="state"),
        CheckConstraint("challenge_id is null or board_id is null and purpose = 'preview'", name="new_board"),
        Index("uq_board_versions_live", "board_id", unique=True, postgresql_where=text("state = 'live'")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    board_id: Mapped[int | None] = mapped_column(ForeignKey("boards.id", ondelete="SET NULL"), index=True)
    challenge_id: Mapped[int | None] = mapped_column(ForeignKey("challenges.id", ondelete="SET NULL"))
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
