"""Alembic's entry point."""

from shared.database.alembic_env import run_migrations
from web.tables import Base

run_migrations(Base.metadata)
