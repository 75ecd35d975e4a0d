"""Remember who was erased, and what expiry and a name that comes before its participant need."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "erased_users",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_erased_users")),
    )
    # The default lets replicas of the version before go on adding people meanwhile.
    authorized_at = sa.Column("authorized_at", sa.DateTime(timezone=True), server_default=sa.func.now())
    op.add_column("participants", authorized_at)
    op.execute("update participants set authorized_at = named_at")  # until now only an authorization named somebody
    op.add_column("participants", sa.Column("expired_at", sa.DateTime(timezone=True)))
    op.alter_column("participants", "athlete_id", nullable=True, existing_type=sa.BigInteger())
