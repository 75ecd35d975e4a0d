"""Date the names of participants, so that an older one that comes late does not replace a newer one."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The default lets replicas of the version before go on adding people meanwhile.
    named_at = sa.Column("named_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now())
    op.add_column("participants", named_at)
    op.execute("update participants set named_at = joined_at")
