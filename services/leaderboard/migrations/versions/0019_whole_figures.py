"""Figures of daily totals as whole numbers too: ranges of days sum them, which takes half the time of decimals."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_FIGURES = {"distance_cm": "distance_m", "elev_gain_cm": "elev_gain_m", "points_hundredths": "points"}


def upgrade() -> None:
    for name, figure in _FIGURES.items():
        computed = sa.Computed(f"cast({figure} * 100 as bigint)", persisted=True)
        op.add_column("daily_totals", sa.Column(name, sa.BigInteger(), computed, nullable=False))
