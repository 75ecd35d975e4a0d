"""Sessions follow what is told of their users; the way to Strava is auth's alone."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("named_at", "admin_changed_at"):
        op.add_column(
            "sessions",
            sa.Column(name, sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        )
    op.drop_table("sign_ins")
