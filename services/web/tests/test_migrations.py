"""The migrations and the tables say the same."""

from pathlib import Path

from alembic import command
from alembic.config import Config


def test_the_migrations_make_exactly_the_tables(database_url: str) -> None:
    config = Config(Path(__file__).parents[1] / "alembic.ini")
    config.set_main_option("sqlalchemy.url", database_url.replace("%", "%%"))
    command.check(config)
