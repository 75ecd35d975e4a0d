"""What ingest counts."""

from prometheus_client import Counter

ACTIVITIES = Counter(
    "ingest_activities", "Activities that Strava showed or ceased to show, by what came of them", ["outcome"]
)
