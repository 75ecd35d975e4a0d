"""The database and the log of the tests of shared."""

import pytest
import structlog

from shared.database.engine import Database

# Its default draws each exception in colours, for seconds.
structlog.configure(processors=[structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()])


@pytest.fixture
def database_url(effects_database_url: str) -> str:
    return effects_database_url


@pytest.fixture
def database(effects_database: Database) -> Database:
    """The test's database, empty."""
    return effects_database
