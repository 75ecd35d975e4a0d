"""Teams, and what they have on boards."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("challenges", sa.Column("team_size", sa.Integer(), server_default="5", nullable=False))
    op.create_check_constraint(op.f("ck_challenges_team_size"), "challenges", "team_size >= 1")
    op.add_column("boards", sa.Column("team_mode", sa.Text(), server_default="sum", nullable=False))
    op.add_column("boards", sa.Column("team_best", sa.Integer(), nullable=True))
    op.create_check_constraint(op.f("ck_boards_team_mode"), "boards", "team_mode in ('sum', 'average', 'best')")
    op.create_check_constraint(
        op.f("ck_boards_team_best"), "boards", "team_best >= 1 and (team_mode <> 'best' or team_best is not null)"
    )
    op.create_table(
        "teams",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("challenge_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("folded_name", sa.Text(collation="C"), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.ForeignKeyConstraint(
            ["challenge_id"], ["challenges.id"], name=op.f("fk_teams_challenge_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_teams")),
    )
    op.create_index("uq_teams_challenge_id_folded_name", "teams", ["challenge_id", "folded_name"], unique=True)
    op.create_index("ix_teams_created_by", "teams", ["created_by"])
    op.create_table(
        "team_memberships",
        sa.Column("challenge_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("team_id", sa.BigInteger(), nullable=False),
        sa.Column("joined_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.ForeignKeyConstraint(
            ["challenge_id"], ["challenges.id"], name=op.f("fk_team_memberships_challenge_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["team_id"], ["teams.id"], name=op.f("fk_team_memberships_team_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("challenge_id", "user_id", name=op.f("pk_team_memberships")),
    )
    op.create_index("ix_team_memberships_user_id", "team_memberships", ["user_id"])
    op.create_index("ix_team_memberships_team_id", "team_memberships", ["team_id"])
