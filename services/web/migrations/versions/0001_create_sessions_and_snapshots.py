"""Create sessions, sign-ins and board snapshots."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from shared.database.alembic_env import create_outbox_and_inbox

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_outbox_and_inbox()
    op.create_table(
        "sessions",
        sa.Column("id_hash", sa.LargeBinary, primary_key=True),
        sa.Column("user_id", sa.Uuid, nullable=False, index=True),
        sa.Column("display_name", sa.Text, nullable=False),
        sa.Column("is_admin", sa.Boolean, nullable=False),
        _moment("created_at"),
        _moment("last_seen_at", index=True),
    )
    op.create_table(
        "sign_ins",
        sa.Column("state_hash", sa.LargeBinary, primary_key=True),
        sa.Column("consent_version", sa.Text, nullable=False),
        _moment("created_at", index=True),
    )
    op.create_table(
        "board_snapshots",
        sa.Column("challenge", sa.Text, primary_key=True),
        sa.Column("board", sa.Text, primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        sa.Column("body", JSONB, nullable=False),
        _moment("saved_at", index=True),
    )


def _moment(name: str, index: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now(), index=index)


def downgrade() -> None:
    for table in ("board_snapshots", "sign_ins", "sessions", "inbox", "outbox"):
        op.drop_table(table)
