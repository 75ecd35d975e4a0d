"""What organisers may change of a challenge, final results, what was purged, and nightly checks."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("challenges", sa.Column("announcement", sa.Text(), server_default="", nullable=False))
    op.add_column("challenges", sa.Column("edition", sa.Integer(), server_default="0", nullable=False))
    op.add_column("challenges", sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("challenges", sa.Column("digest", sa.Text(), nullable=True))
    op.create_table(
        "final_standings",
        sa.Column("challenge_id", sa.Integer(), nullable=False),
        sa.Column("board", sa.Text(), nullable=False),
        sa.Column("participant", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("distance_m", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("moving_time_s", sa.BigInteger(), nullable=False),
        sa.Column("elev_gain_m", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.Column("activities", sa.Integer(), nullable=False),
        sa.Column("points", sa.Numeric(precision=14, scale=2), nullable=False),
        sa.ForeignKeyConstraint(
            ["challenge_id"],
            ["challenges.id"],
            name=op.f("fk_final_standings_challenge_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("challenge_id", "board", "participant", name=op.f("pk_final_standings")),
    )
    op.add_column("retention", sa.Column("purged_before", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "drift_checks",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("totals", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_drift_checks")),
    )
    op.create_index("ix_final_standings_user_id", "final_standings", ["user_id"])
