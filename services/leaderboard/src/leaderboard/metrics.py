"""What leaderboard measures."""

from prometheus_client import Gauge

DRIFT = Gauge("standings_drift", "Totals that differed from what the activities give, at the last nightly check")
