"""What web wants back with a sign-in: the page to lead to."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The default stays: processes of before go on adding rows while this one is there.
    op.add_column("authorizations", sa.Column("return_to", sa.Text(), nullable=False, server_default=""))
