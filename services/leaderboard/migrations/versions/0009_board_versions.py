"""Versions of boards with daily totals; what people choose about activities.

Standings are dropped: they are built anew from the activities as soon as leaderboard runs. It must not run meanwhile.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("activities", sa.Column("private", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_index("ix_activities_user_id_start_at", "activities", ["user_id", "start_at"])
    op.create_index(
        "ix_activities_long",
        "activities",
        ["user_id", "start_at"],
        postgresql_where=sa.text("elapsed_time_s > 86400"),
    )
    op.add_column("participants", sa.Column("sort_name", sa.Text(collation="C"), server_default="", nullable=False))
    op.execute("update participants set sort_name = lower(display_name)")
    op.add_column(
        "participants", sa.Column("private_activities", sa.Boolean(), server_default=sa.false(), nullable=False)
    )
    op.create_table(
        "board_versions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("board_id", sa.Integer(), nullable=True),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("counts_manual", sa.Boolean(), nullable=False),
        sa.Column("counts_trainer", sa.Boolean(), nullable=False),
        sa.Column("counts_commute", sa.Boolean(), nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("sport_types", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("points", postgresql.JSONB(none_as_null=True), nullable=True),
        sa.Column("built_until", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.CheckConstraint("purpose in ('publication', 'preview', 'check')", name=op.f("ck_board_versions_purpose")),
        sa.CheckConstraint("state in ('building', 'built', 'live', 'retired')", name=op.f("ck_board_versions_state")),
        sa.ForeignKeyConstraint(
            ["board_id"], ["boards.id"], name=op.f("fk_board_versions_board_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_board_versions")),
    )
    op.create_index("ix_board_versions_board_id", "board_versions", ["board_id"])
    op.create_index(
        "uq_board_versions_live",
        "board_versions",
        ["board_id"],
        unique=True,
        postgresql_where=sa.text("state = 'live'"),
    )
    op.execute(
        """insert into board_versions (board_id, purpose, state, first_day, last_day, counts_manual, counts_trainer,
               counts_commute, metric, sport_types)
           select boards.id, 'publication', 'building', first_day, last_day, counts_manual, counts_trainer,
               counts_commute, metric, sport_types
           from boards join challenges on challenges.id = challenge_id order by boards.id"""
    )
    op.drop_column("boards", "metric")
    op.drop_column("boards", "sport_types")
    op.drop_table("standings")
    op.create_table(
        "standings",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("version_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("listed", sa.Boolean(), nullable=False),
        sa.Column("sort_name", sa.Text(collation="C"), nullable=False),
        sa.Column("value", sa.Numeric(precision=14, scale=2), nullable=False),
        *_figures(),
        sa.PrimaryKeyConstraint("user_id", "version_id", name=op.f("pk_standings")),
    )
    op.create_index(
        "ix_standings_order",
        "standings",
        ["version_id", "listed", sa.text("value desc"), "sort_name", "user_id"],
    )
    op.create_table(
        "daily_totals",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("version_id", sa.BigInteger(), autoincrement=False, nullable=False),
        *_figures(),
        sa.PrimaryKeyConstraint("user_id", "day", "version_id", name=op.f("pk_daily_totals")),
    )
    op.create_index("ix_daily_totals_version_id_day", "daily_totals", ["version_id", "day"])
    op.create_table(
        "recalculations",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("requests", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("version_id", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_recalculations")),
    )
    op.create_table(
        "exclusions",
        sa.Column("strava_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("excluded_by", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("excluded_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.CheckConstraint("excluded_by in ('participant', 'organiser')", name=op.f("ck_exclusions_excluded_by")),
        sa.PrimaryKeyConstraint("strava_id", "excluded_by", name=op.f("pk_exclusions")),
    )
    op.create_index("ix_exclusions_user_id", "exclusions", ["user_id"])
    op.create_table(
        "preferred_activities",
        sa.Column("strava_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("preferred_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint("strava_id", name=op.f("pk_preferred_activities")),
    )
    op.create_index("ix_preferred_activities_user_id", "preferred_activities", ["user_id"])


def _figures() -> list[sa.Column[object]]:
    return [
        sa.Column("distance_m", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("moving_time_s", sa.BigInteger(), nullable=False),
        sa.Column("elev_gain_m", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("activities", sa.Integer(), nullable=False),
        sa.Column("points", sa.Numeric(precision=14, scale=2), nullable=False),
    ]
