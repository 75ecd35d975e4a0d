"""Columns of fixed width come first in daily totals: sums over ranges of days read those alone, which is faster."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_KEY = ("user_id", "day", "version_id")
_WRITTEN = (*_KEY, "activities", "moving_time_s", "distance_m", "elev_gain_m", "points")


def _hundredths(name: str, figure: str) -> sa.Column[int]:
    return sa.Column(
        name, sa.BigInteger(), sa.Computed(f"cast({figure} * 100 as bigint)", persisted=True), nullable=False
    )


def upgrade() -> None:
    op.rename_table("daily_totals", "daily_totals_before")
    op.create_table(
        "daily_totals",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("version_id", sa.BigInteger(), nullable=False),
        sa.Column("activities", sa.Integer(), nullable=False),
        sa.Column("moving_time_s", sa.BigInteger(), nullable=False),
        _hundredths("distance_cm", "distance_m"),
        _hundredths("elev_gain_cm", "elev_gain_m"),
        _hundredths("points_hundredths", "points"),
        sa.Column("distance_m", sa.Numeric(14, 2), nullable=False),
        sa.Column("elev_gain_m", sa.Numeric(14, 2), nullable=False),
        sa.Column("points", sa.Numeric(14, 2), nullable=False),
    )
    written = ", ".join(_WRITTEN)
    op.execute(
        f"""insert into daily_totals ({written})
            select {written} from daily_totals_before order by day, version_id, user_id"""  # noqa: S608 - the names above
    )
    op.drop_table("daily_totals_before")
    op.create_primary_key("pk_daily_totals", "daily_totals", list(_KEY))
    op.create_index("ix_daily_totals_version_id_day", "daily_totals", ["version_id", "day"])
