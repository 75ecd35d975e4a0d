"""One row for all that is known of an activity, its versions, what people chose, and what is not kept any more."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)
_TEXTS = postgresql.ARRAY(sa.Text())
_FACTS = (
    "sport_type",
    "start_at",
    "local_start",
    "distance_m",
    "moving_time_s",
    "elapsed_time_s",
    "elev_gain_m",
    "trainer",
    "commute",
    "manual",
    "visibility",
)
_OVERLAPPABLE = "state = 'recorded' and not start_is_hidden and elapsed_time_s > 180"


def upgrade() -> None:
    _give_activities_states()
    _move_vanished_and_rejected()
    _create_versions()
    _move_erased()
    op.create_table(
        "retention",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("before", _MOMENT, nullable=False),
        sa.Column("advanced_at", _MOMENT, nullable=False),
        sa.Column("purged_before", _MOMENT, nullable=True),
        sa.CheckConstraint("id = 1", name=op.f("ck_retention_single")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_retention")),
    )


def _give_activities_states() -> None:
    op.add_column("activities", sa.Column("state", sa.Text(), nullable=False, server_default="recorded"))
    op.add_column("activities", sa.Column("message_id", sa.Uuid(), nullable=True))
    op.add_column("activities", sa.Column("seen_at", _MOMENT, nullable=False, server_default=sa.func.now()))
    op.add_column("activities", sa.Column("changed_at", _MOMENT, nullable=False, server_default=sa.func.now()))
    op.add_column("activities", sa.Column("reason", sa.Text(), nullable=False, server_default="fetched"))
    op.add_column("activities", sa.Column("changed", _TEXTS, nullable=False, server_default="{}"))
    op.add_column(
        "activities",
        sa.Column("overlaps_with", postgresql.ARRAY(sa.BigInteger()), nullable=False, server_default="{}"),
    )
    op.add_column("activities", sa.Column("flagged", sa.Boolean(), nullable=True))
    op.add_column("activities", sa.Column("suspicions", _TEXTS, nullable=True))
    for name in ("version", *_FACTS):
        op.alter_column("activities", name, nullable=True)
    nothing = ", ".join(f"{name} = null" for name in _FACTS)
    # Private ones leave the record with the next listing, which finds them in the state that they would have now.
    op.execute("update activities set flagged = false, suspicions = '{}' where removed_at is null")
    op.execute(
        f"""update activities set state = 'removed', reason = 'not_listed', changed_at = removed_at, {nothing}
            where removed_at is not null"""  # noqa: S608 - made of the names of columns
    )
    op.drop_column("activities", "removed_at")
    for name in ("state", "seen_at", "changed_at", "reason"):
        op.alter_column("activities", name, server_default=None)
    op.add_column(
        "activities",
        sa.Column(
            "start_is_hidden",
            sa.Boolean(),
            sa.Computed("local_start::time = '00:00:01'::time", persisted=True),
            nullable=True,
        ),
    )
    op.create_check_constraint(
        op.f("ck_activities_state"), "activities", "state in ('recorded', 'rejected', 'private', 'removed')"
    )
    op.create_check_constraint(
        op.f("ck_activities_facts"), "activities", "(state = 'recorded') = (start_at is not null)"
    )
    place = ["user_id", "start_at", "strava_id"]
    op.create_index("ix_activities_overlappable", "activities", place, postgresql_where=sa.text(_OVERLAPPABLE))
    op.create_index(
        "ix_activities_lasts_days",
        "activities",
        place,
        postgresql_where=sa.text(f"{_OVERLAPPABLE} and elapsed_time_s > 86400"),
    )


def _move_vanished_and_rejected() -> None:
    op.add_column("rejected", sa.Column("fetched_at", _MOMENT, nullable=True))
    op.add_column("rejected", sa.Column("start_at", _MOMENT, nullable=True))
    op.add_column("rejected", sa.Column("fields", postgresql.JSONB(), nullable=True))
    columns = "strava_id, user_id, fetch_seq, state, reason, seen_at, changed_at"
    for state, reason, at, table in (
        ("rejected", "unreadable", "rejected_at", "rejected"),
        ("removed", "deleted", "vanished_at", "vanished"),
    ):
        op.execute(
            f"""insert into activities as t ({columns})
                select strava_id, user_id, fetch_seq, '{state}', '{reason}', {at}, {at} from {table}
                on conflict (strava_id) do update set fetch_seq = excluded.fetch_seq,
                    state = case when t.state = 'recorded' then t.state else excluded.state end
                where t.fetch_seq < excluded.fetch_seq"""  # noqa: S608 - made of constants
        )
    op.drop_table("vanished")


def _create_versions() -> None:
    op.create_table(
        "activity_versions",
        sa.Column("strava_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=True),
        sa.Column("changed_at", _MOMENT, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("changed", _TEXTS, nullable=False),
        sa.ForeignKeyConstraint(
            ["strava_id"],
            ["activities.strava_id"],
            name=op.f("fk_activity_versions_strava_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("strava_id", "version", name=op.f("pk_activity_versions")),
    )


def _move_erased() -> None:
    op.create_table(
        "people",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("private_activities", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("chosen_at", _MOMENT, server_default=sa.text("'-infinity'"), nullable=False),
        sa.Column("erased_at", _MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_people")),
    )
    op.execute("insert into people (user_id, erased_at) select user_id, erased_at from erased_users")
    op.drop_table("erased_users")
