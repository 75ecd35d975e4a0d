"""Milestones, who reached them, when participants asked to be synced, and what is hard to believe."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "activities", sa.Column("suspicions", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False)
    )
    op.add_column("participants", sa.Column("sync_requested_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("board_versions", sa.Column("threshold", sa.Numeric(precision=14, scale=2), nullable=True))
    op.create_table(
        "milestones_reached",
        sa.Column("board_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("reached_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["board_id"], ["boards.id"], name=op.f("fk_milestones_reached_board_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("board_id", "user_id", name=op.f("pk_milestones_reached")),
    )
    op.create_index("ix_milestones_reached_user_id", "milestones_reached", ["user_id"])
    op.create_table(
        "milestone_changes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("board_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["board_id"], ["boards.id"], name=op.f("fk_milestone_changes_board_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_milestone_changes")),
    )
    # As those of board_changes, rows live for a quarter of a second.
    op.execute(
        "alter table milestone_changes set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000)"
    )
