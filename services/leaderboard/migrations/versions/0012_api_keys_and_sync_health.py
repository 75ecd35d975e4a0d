"""API keys, how fetching goes for whom, and who is hidden from the boards."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("folded_name", sa.Text(), nullable=False),
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("window_start", sa.DateTime(timezone=True), nullable=True),
        sa.Column("requests", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("folded_name", name=op.f("uq_api_keys_folded_name")),
    )
    for name in ("hidden_by_participant", "hidden_by_organiser"):
        op.add_column("participants", sa.Column(name, sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_index("ix_participants_sort_name_user_id", "participants", ["sort_name", "user_id"])
    op.create_table(
        "sync_health",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("last_success_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_failure_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_outcome", sa.Text(), nullable=True),
        sa.Column("last_error_class", sa.Text(), nullable=True),
        sa.Column("failures_in_row", sa.Integer(), server_default="0", nullable=False),
        sa.Column("requests_used_last", sa.Integer(), nullable=True),
        sa.Column("needs_reconnection", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("reconnection_reason", sa.Text(), nullable=True),
        sa.Column("permission_changed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.CheckConstraint("last_outcome in ('succeeded', 'failed')", name=op.f("ck_sync_health_last_outcome")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_sync_health")),
    )
    op.create_index("ix_sync_health_last_failure_at", "sync_health", ["last_failure_at"])
    op.create_table(
        "sync_requests",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("everybody_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_sync_requests_single")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sync_requests")),
    )
