"""Organisers see activities from the newest on, all or those that are hard to believe."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_SHOWN = "not removed and not private"


def upgrade() -> None:
    for name, condition in (
        ("ix_activities_newest", _SHOWN),
        ("ix_activities_suspicious", f"{_SHOWN} and suspicions <> '{{}}'"),
    ):
        op.create_index(name, "activities", ["local_start", "strava_id"], postgresql_where=sa.text(condition))
