"""Previews of boards that do not exist yet belong to their challenge."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("board_versions", sa.Column("challenge_id", sa.Integer(), nullable=True))
    op.create_foreign_key(
        op.f("fk_board_versions_challenge_id"),
        "board_versions",
        "challenges",
        ["challenge_id"],
        ["id"],
        ondelete="SET NULL",
    )
    op.create_check_constraint(
        op.f("ck_board_versions_new_board"),
        "board_versions",
        "challenge_id is null or board_id is null and purpose = 'preview'",
    )
