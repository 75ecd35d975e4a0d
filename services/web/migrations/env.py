"""Alembic's entry point."""

from shared.migrate import run
from web.tables import Base

run(Base.metadata)
