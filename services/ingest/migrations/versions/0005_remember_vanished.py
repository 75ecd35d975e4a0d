"""Remember what Strava does not show any more, so that what is late brings nothing back."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "vanished",
        sa.Column("strava_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("fetch_seq", sa.BigInteger(), nullable=False),
        sa.Column("vanished_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("strava_id", name=op.f("pk_vanished")),
    )
    op.create_index("ix_vanished_user_id", "vanished", ["user_id"])
