"""Versions are derived from the time, which needs 64 bits."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.alter_column("activities", "version", type_=sa.BigInteger(), existing_type=sa.Integer())
