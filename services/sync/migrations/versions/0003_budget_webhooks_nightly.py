"""The budget of calls, webhooks, the nightly run, and listings that another worker can go on with."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    for name, kind in {
        "listed_since": _MOMENT,
        "last_fetched_at": _MOMENT,
        "last_error_at": _MOMENT,
    }.items():
        op.add_column("athletes", sa.Column(name, kind, nullable=True))
    # Until now every listing went back to the beginning.
    op.execute("update athletes set listed_since = 'epoch' where last_synced_at is not null")
    op.create_index("ix_athletes_last_synced_at", "athletes", ["last_synced_at"])
    for name, kind in {"released_at": _MOMENT, "started_at": _MOMENT, "listing": JSONB(), "error": sa.Text()}.items():
        op.add_column("jobs", sa.Column(name, kind, nullable=True))
    op.add_column("jobs", sa.Column("listed_ids", ARRAY(sa.BigInteger()), server_default="{}", nullable=False))
    for name in ("requests", "activities"):
        op.add_column("jobs", sa.Column(name, sa.Integer(), server_default="0", nullable=False))
    op.create_index("ix_jobs_user_id", "jobs", ["user_id"])
    op.create_index("ix_jobs_closed_at", "jobs", ["closed_at"])
    op.create_table(
        "budget",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("starts_at", _MOMENT, nullable=False),
        sa.Column("overall_limit", sa.Integer(), nullable=False),
        sa.Column("overall_used", sa.Integer(), nullable=False),
        sa.Column("read_limit", sa.Integer(), nullable=False),
        sa.Column("read_used", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_budget")),
    )
    op.create_table(
        "strava_application",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("inactive_since", _MOMENT, nullable=True),
        sa.Column("probe_at", _MOMENT, nullable=True),
        sa.Column("refused_at", _MOMENT, nullable=True),
        sa.Column("subscription_id", sa.BigInteger(), nullable=True),
        sa.Column("subscription_checked_at", _MOMENT, nullable=True),
        sa.Column("subscription_problem", sa.Text(), nullable=True),
        sa.Column("listening_at", _MOMENT, nullable=True),
        sa.Column("gap_ended_at", _MOMENT, nullable=True),
        sa.CheckConstraint("id = 1", name=op.f("ck_strava_application_single")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_strava_application")),
    )
    op.create_table(
        "webhook_events",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("athlete_id", sa.BigInteger(), nullable=False),
        sa.Column("strava_id", sa.BigInteger(), nullable=False),
        sa.Column("aspect", sa.Text(), nullable=False),
        sa.Column("event_time", sa.BigInteger(), nullable=False),
        sa.Column("received_at", _MOMENT, nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("handled_at", _MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_events")),
    )
    op.create_index("uq_webhook_events_change", "webhook_events", ["strava_id", "aspect", "event_time"], unique=True)
    op.create_index(
        "ix_webhook_events_pending", "webhook_events", ["athlete_id"], postgresql_where=sa.text("handled_at is null")
    )
    op.create_index("ix_webhook_events_handled_at", "webhook_events", ["handled_at"])
    op.create_table(
        "nightly_runs",
        sa.Column("local_date", sa.Date(), nullable=False),
        sa.Column("started_at", _MOMENT, nullable=False),
        sa.Column("athletes", sa.Integer(), nullable=False),
        sa.Column("webhooks_healthy", sa.Boolean(), nullable=False),
        sa.Column("finished_at", _MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("local_date", name=op.f("pk_nightly_runs")),
    )
    op.create_table(
        "fetch_window",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("since", _MOMENT, nullable=True),
        sa.Column("changed_at", _MOMENT, nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_fetch_window_single")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fetch_window")),
    )
