"""Authorizations, revocations, deauthorization checks, admins, and what a user's permission is worth."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("users", sa.Column("status", sa.Text(), nullable=False, server_default="authorized"))
    op.add_column("users", sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=False, server_default="{}"))
    op.add_column("users", sa.Column("authorized_at", _MOMENT, nullable=True))
    op.execute("update users set authorized_at = consented_at")
    op.execute("update users set scopes = tokens.scopes from tokens where tokens.user_id = users.id")
    op.alter_column("users", "authorized_at", nullable=False)
    for name in ("status", "scopes"):
        op.alter_column("users", name, server_default=None)
    op.drop_column("tokens", "scopes")
    op.add_column("tokens", sa.Column("refreshed_at", _MOMENT, nullable=False, server_default="epoch"))
    op.add_column("tokens", sa.Column("grant_id", sa.Uuid(), nullable=False, server_default=sa.text("uuidv7()")))
    for name in ("refreshed_at", "grant_id"):
        op.alter_column("tokens", name, server_default=None)
    op.create_table(
        "authorizations",
        sa.Column("state_hash", sa.LargeBinary(), nullable=False),
        sa.Column("consent_version", sa.Text(), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("state_hash", name=op.f("pk_authorizations")),
    )
    op.create_index(op.f("ix_authorizations_created_at"), "authorizations", ["created_at"])
    op.create_table(
        "revocations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("athlete_id", sa.BigInteger(), nullable=False),
        sa.Column("access_token", sa.Text(), nullable=True),
        sa.Column("refresh_token", sa.Text(), nullable=True),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("not_before", _MOMENT, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease_until", _MOMENT, nullable=True),
        sa.Column("ended_at", _MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_revocations")),
    )
    op.create_index(op.f("ix_revocations_athlete_id"), "revocations", ["athlete_id"])
    op.create_table(
        "deauthorization_checks",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("reported_at", _MOMENT, nullable=False),
        sa.Column("not_before", _MOMENT, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_deauthorization_checks_user_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_deauthorization_checks")),
    )
    op.create_table(
        "admins",
        sa.Column("athlete_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("added_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("athlete_id", name=op.f("pk_admins")),
    )
    op.create_table(
        "vault_keys",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("sample", sa.Text(), nullable=False),
        sa.Column("added_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vault_keys")),
    )
