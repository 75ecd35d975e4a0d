"""What sync counts and measures. Labels are names of ours, never ids of people or activities."""

from prometheus_client import Counter, Gauge

CALLS = Counter("sync_strava_calls", "Calls to Strava's data API", ["outcome"])
UNFORESEEN_REFUSALS = Counter("sync_strava_unforeseen_refusals", "429 that the budget did not foresee")
CALLS_LEFT = Gauge("sync_strava_calls_left", "Calls that Strava would still answer", ["window"])
APPLICATION_INACTIVE = Gauge(
    "sync_strava_application_inactive", "1 while Strava says that the application is inactive"
)
OPEN_JOBS = Gauge("sync_open_jobs", "Jobs that are not done", ["kind"])
OLDEST_JOB_AGE = Gauge("sync_oldest_due_job_age_seconds", "How long the oldest due job has been due")
OLDEST_LISTING_AGE = Gauge("sync_oldest_listing_age_seconds", "Age of the oldest complete listing of an athlete")
PAUSED_ATHLETES = Gauge("sync_paused_athletes", "Athletes who have to connect again")
JOBS_DONE = Counter("sync_jobs_done", "Jobs that ended", ["kind", "outcome"])
WEBHOOK_EVENTS = Counter("sync_webhook_events", "Events that Strava's webhooks brought", ["outcome"])
WEBHOOKS_HEALTHY = Gauge("sync_webhooks_healthy", "1 while Strava has our subscription")
NIGHTLY_STARTED = Gauge("sync_nightly_started_timestamp_seconds", "When the last nightly run began")
