"""On which day a milestone was reached, and from which day on something changed: later changes need no look."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("milestones_reached", sa.Column("day", sa.Date(), nullable=True))
    op.add_column("milestone_changes", sa.Column("first_day", sa.Date(), server_default="-infinity", nullable=False))
