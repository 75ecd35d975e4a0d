"""Remember listings, so that an older fetch that comes late is known to be out of date."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "listings",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("fetch_seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "fetch_seq", name=op.f("pk_listings")),
    )
    op.create_index("ix_rejected_user_id", "rejected", ["user_id"])
