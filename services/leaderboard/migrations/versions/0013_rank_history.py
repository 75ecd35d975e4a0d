"""Places at the begin of each day, to show who moved since."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rank_history",
        sa.Column("version_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("version_id", "user_id", "day", name=op.f("pk_rank_history")),
    )
    op.add_column("challenges", sa.Column("placed_on", sa.Date(), nullable=True))
