"""A mark of an activity that was removed before it was known needs no facts of its own."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

DEFAULTS = {
    "sport_type": "'Unknown'",
    "start_at": "'epoch'",
    "local_start": "'epoch'",
    "distance_m": "0",
    "moving_time_s": "0",
    "elapsed_time_s": "0",
    "elev_gain_m": "0",
    "trainer": "false",
    "commute": "false",
    "manual": "false",
}


def upgrade() -> None:
    for column, default in DEFAULTS.items():
        op.execute(f"alter table activities alter column {column} set default {default}")
