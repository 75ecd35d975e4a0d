from shared.database.alembic_env import run_migrations
from sync.tables import Base

run_migrations(Base.metadata)
