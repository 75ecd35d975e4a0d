"""Sessions know whether there is access to Strava, so that pages can say that it was lost."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sessions", sa.Column("strava", sa.Text, nullable=False, server_default="connected"))
    op.add_column(
        "sessions",
        sa.Column("strava_changed_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    )
    op.create_check_constraint("strava", "sessions", "strava in ('connected', 'lost', 'disconnected')")
