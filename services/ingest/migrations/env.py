from ingest.tables import Base
from shared.database.alembic_env import run_migrations

run_migrations(Base.metadata)
