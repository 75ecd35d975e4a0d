"""Rows about people: who takes part, in which team, and how fetching goes for them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, Text, false, func
from sqlalchemy.orm import Mapped, mapped_column

from leaderboard.tables.base import Base


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
