"""What a service counts and measures, for Prometheus. Labels are names of ours, never ids of people or things."""

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200)
_SIZES = (1, 2, 5, 10, 20, 50, 100, 200)

OUTBOX_PENDING = Gauge("outbox_pending", "Events that wait in the outbox, counted up to a limit")
OUTBOX_OLDEST_AGE = Gauge("outbox_oldest_age_seconds", "Age of the oldest event in the outbox; the main alert")
OUTBOX_PUBLISHED = Counter("outbox_published", "Events given to the broker", ["type", "result"])
OUTBOX_PUBLISH = Histogram("outbox_publish_seconds", "Time to have a batch confirmed", buckets=_SECONDS)
INBOX_DUPLICATES = Counter("inbox_duplicates", "Events that had been handled before", ["consumer"])
EVENT_LAG = Histogram("event_lag_seconds", "From an event's time to its effect", ["consumer"], buckets=_SECONDS)
BATCH_SIZE = Histogram("batch_size", "Events handled as one transaction", ["consumer"], buckets=_SIZES)
RETRIES = Counter("retry", "Messages set aside for a later attempt", ["queue", "step"])
DEAD_LETTERS = Counter("dead_letters", "Messages set aside for a person", ["queue", "cause"])
DLQ_DEPTH = Gauge("dlq_depth", "Dead letters that wait for a person", ["queue"])
CONSUMER_UP = Gauge("consumer_up", "1 while the broker delivers to this process", ["queue"])
DATABASE_WAITS = Counter("database_waits", "Attempts that met a database that was away or busy", ["consumer"])
POOL_IN_USE = Gauge("db_pool_in_use", "Database connections in use")
