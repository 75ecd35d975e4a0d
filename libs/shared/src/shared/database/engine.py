"""The database: one schema a service, one transaction an effect."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import PostgresDsn
from sqlalchemy import (
    event,
    text,
)
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, DisconnectionError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

PING_TIMEOUT_S = 5.0

#: Flag in `AsyncSession.info` that the transaction wrote to the outbox.
EMITTED = "emitted"

#: SQLSTATE classes and codes that say "not now": connection lost, not let in, no such database (yet), resources gone,
#: operator at work, lost a race.
_TRANSIENT_STATES = ("08", "28", "3D", "53", "57P", "58", "40001", "40P01", "55P03", "25006")


def create_engine(url: PostgresDsn | str, name: str) -> AsyncEngine:
    """An engine whose statements and locks are bounded, so that no handler waits for ever."""
    engine = create_async_engine(
        str(url).replace("postgresql://", "postgresql+asyncpg://", 1),
        hide_parameters=True,  # an error's text goes into the log
        pool_size=5,
        pool_use_lifo=True,  # the one that was used last has its plans, and is warm
        max_overflow=5,
        connect_args={
            "timeout": 5,
            "command_timeout": 30,
            "server_settings": {
                "application_name": name,
                "timezone": "UTC",
                "lock_timeout": "10s",
                "idle_in_transaction_session_timeout": "60s",
            },
        },
    )
    event.listen(engine.sync_engine, "checkout", _refuse_closed)
    return engine


def _refuse_closed(dbapi_connection: DBAPIConnection, _record: object, _proxy: object) -> None:
    """Have the pool open another connection for one that the server closed.

    SQLAlchemy's own ping would ask the server, three times over, before each transaction.
    """
    if dbapi_connection.driver_connection.is_closed():
        raise DisconnectionError


class Database:
    """Opens transactions, and wakes the relay when one of them added to the outbox."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.outbox_filled = asyncio.Event()
        self._make = async_sessionmaker(engine, expire_on_commit=False)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """A session that commits when the block ends and rolls back when it raises."""
        async with self._make() as session:
            async with session.begin():
                yield session
            if session.info.pop(EMITTED, False):
                self.outbox_filled.set()

    async def ping(self) -> bool:
        """Whether the database does, at this moment."""
        try:
            async with asyncio.timeout(PING_TIMEOUT_S), self.engine.connect() as connection:
                await connection.execute(text("select 1"))
        except Exception:  # whatever the reason, it does not
            return False
        return True


def is_transient(error: BaseException) -> bool:
    """Whether the database or the network is away, so that the same work may succeed later unchanged."""
    if isinstance(error, DBAPIError):
        # Not every InterfaceError: a statement with too many arguments is one, too, and would be tried for ever.
        if error.connection_invalidated or isinstance(error, OperationalError) or "is closed" in str(error.orig):
            return True
        return (getattr(error.orig, "sqlstate", None) or "").startswith(_TRANSIENT_STATES)
    return isinstance(error, OSError | TimeoutError | PoolTimeout)
