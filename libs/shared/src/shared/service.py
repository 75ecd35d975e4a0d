"""A service process: database, bus, relay, periodic tasks and HTTP, started and stopped in the right order."""

import asyncio
import gc
import os
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Literal

import structlog
import uvicorn
import uvloop
from fastapi import FastAPI
from sqlalchemy import AsyncAdaptedQueuePool, text

from shared.background import PeriodicTask
from shared.database.engine import Database, create_engine, is_transient
from shared.http import api
from shared.messaging import outbox
from shared.messaging.bus import Bus
from shared.messaging.inbox import purge_inbox
from shared.messaging.outbox import Relay
from shared.messaging.publisher import BROKER_ERRORS
from shared.observability import metrics
from shared.observability.logs import configure_logging
from shared.settings import ServiceSettings, Settings, exit_misconfigured, load_settings

LIVENESS_TIMEOUT = timedelta(seconds=60)
TASK_TIMEOUT = timedelta(minutes=15)
METRICS_INTERVAL_S = 15.0
PURGE_INTERVAL_S = 600.0
START_TIMEOUT_S = 60.0
GC_THRESHOLDS = (20_000, 20, 100)  # of the three generations

log = structlog.stdlib.get_logger(__name__)

Step = Callable[[], Awaitable[bool]]


class Service:
    """What a service's `main` puts together: subscribe and add periodic tasks before the lifespan of `app` begins.

    `app` answers on HTTP_PORT, and its lifespan runs everything else. `internal_app` answers on INTERNAL_PORT.
    """

    def __init__(
        self, name: str, settings: ServiceSettings, *, cookies: Collection[str] = (), openapi: bool = False
    ) -> None:
        self.database = Database(create_engine(settings.database_url, name))
        self.bus = Bus(str(settings.rabbitmq_url), name, self.database)
        self._relay = Relay(self.database, str(settings.rabbitmq_url), name, settings.outbox_poll_interval)
        self._tasks = [
            PeriodicTask(self._update_metrics, METRICS_INTERVAL_S),
            PeriodicTask(self._purge, PURGE_INTERVAL_S),
        ]
        self._start_checks: list[Callable[[], Awaitable[None]]] = []
        self._on_start: list[Callable[[], Awaitable[None]]] = []
        self._on_stop: list[Callable[[], Awaitable[None]]] = []
        self._stopping = asyncio.Event()
        self._consuming_at = datetime.now(UTC)
        self.app = api.create_api(f"Gruppetto {name}", cookies=cookies, openapi=openapi, lifespan=self._lifespan)
        self.app.state.database = self.database
        self.internal_app = api.create_internal_api(self._alive, self._ready)

    def add_start_check(self, check: Callable[[], Awaitable[None]]) -> None:
        """Run `check` once, when the database is there and before anything else; it may `exit_misconfigured`."""
        self._start_checks.append(check)

    def on_start(self, action: Callable[[], Awaitable[None]]) -> None:
        """Run `action` once, when the database is there and before anything is consumed."""
        self._on_start.append(action)

    def on_stop(self, action: Callable[[], Awaitable[None]]) -> None:
        """Run `action` when the service ends, after its consumers and periodic tasks."""
        self._on_stop.append(action)

    def add_periodic_task(self, step: Step, idle_s: float, due: asyncio.Event | None = None) -> None:
        """Run `step` as a background task; see `shared.background.PeriodicTask`."""
        self._tasks.append(PeriodicTask(step, idle_s, due))

    async def check_start(self) -> None:
        """Run the start checks. Raises SystemExit when one of them fails, and what the database raises."""
        if self._start_checks:
            await wait_until_available(self._check_database)
        for check in self._start_checks:
            await check()

    @asynccontextmanager
    async def _lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        await wait_until_available(self._check_database)
        for action in self._on_start:
            await action()
        relay = asyncio.create_task(self._relay.run())
        running: list[asyncio.Task[None]] = []
        try:
            await wait_until_available(self.bus.start)
            running += [asyncio.create_task(task.run(self._stopping)) for task in self._tasks]
            yield
        finally:
            self._stopping.set()
            await self.bus.stop()
            await asyncio.gather(*running)
            self._relay.stop()
            await relay
            for action in self._on_stop:
                await action()
            await self.database.engine.dispose()

    async def _check_database(self) -> None:
        async with self.database.engine.connect() as connection:
            await connection.execute(text("select 1 from outbox limit 1"))

    async def _alive(self) -> bool:
        now = datetime.now(UTC)
        # A broker that is away comes back; a consumer that is gone while the broker is there does not.
        if not self.bus.is_connected or await self.bus.is_consuming():
            self._consuming_at = now
        stuck = now - min(self._relay.heartbeat_at, self._consuming_at) > LIVENESS_TIMEOUT
        return not stuck and all(
            now - task.heartbeat_at < TASK_TIMEOUT + timedelta(seconds=task.idle_s) for task in self._tasks
        )

    async def _ready(self) -> bool:
        try:
            async with asyncio.timeout(2):
                await self._check_database()
        except Exception:  # whatever the reason, it is not ready
            return False
        return self.bus.is_connected and await self.bus.is_consuming()

    async def _update_metrics(self) -> bool:
        pool = self.database.engine.pool
        if isinstance(pool, AsyncAdaptedQueuePool):
            metrics.POOL_IN_USE.set(pool.checkedout())
        await outbox.update_metrics(self.database)
        if self.bus.is_connected:
            await self.bus.update_metrics()
        return False

    async def _purge(self) -> bool:
        return await purge_inbox(self.database)


class _Server(uvicorn.Server):
    """Logs when the service has started and when it ends.

    Ends with status 0 after SIGTERM; uvicorn's own raises the signal once more, which looks like a crash.
    """

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        log.info("started")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        log.info("stopping")
        await super().shutdown(sockets)
        log.info("stopped")

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        with super().capture_signals():
            yield
            self._captured_signals.clear()


class _InternalServer(uvicorn.Server):
    """Runs beside the other one, and leaves the signals to it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def wait_until_available(connect: Callable[[], Awaitable[None]]) -> None:
    """Wait for a server that is still starting; give up with its last error after START_TIMEOUT_S."""
    deadline = asyncio.get_running_loop().time() + START_TIMEOUT_S
    while True:
        try:
            return await connect()
        except Exception as error:
            away = is_transient(error) or isinstance(error, BROKER_ERRORS)
            if not away or asyncio.get_running_loop().time() > deadline:
                raise
            await asyncio.sleep(0.5)


def bind_socket(host: str, port: int) -> socket.socket:
    """A TCP socket that takes connections there. Raises OSError when that is impossible."""
    # The protocol is named because asyncio turns Nagle's algorithm off only for sockets that say they are TCP:
    # with it, the second of two small writes of an answer waits 40 ms for the client to acknowledge the first.
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


def serve(name: str, settings_type: type[Settings], create_service: Callable[[Settings], Service]) -> None:
    """Read the settings, open the ports, serve until SIGTERM. Trouble at start is one line and status 2."""
    settings = load_settings(settings_type)
    assert isinstance(settings, ServiceSettings)
    configure_logging(name, settings.log_level, settings.log_format)
    _collect_garbage_rarely()
    listener = _listen("HTTP", settings.http_host, settings.http_port)
    internal_listener = _listen("INTERNAL", settings.internal_host, settings.internal_port)
    if not uvloop.run(_serve(create_service(settings), listener, internal_listener)):
        sys.exit(3)


def _collect_garbage_rarely() -> None:
    """Batches make many objects and no cycles: with Python's own thresholds a quarter of the time is spent looking.

    What was imported stays, and is not looked at again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def _listen(kind: str, host: str, port: int) -> socket.socket:
    try:
        return bind_socket(host, port)
    except OSError as error:
        exit_misconfigured(f"{kind}_PORT {port} on {host} cannot be used: {error.strerror}")


async def _serve(service: Service, listener: socket.socket, internal_listener: socket.socket) -> bool:
    """Serve both applications in one task, so that a blocked task fails its health; returns whether it started."""
    log.info("starting", http=_address(listener), internal=_address(internal_listener), pid=os.getpid())
    server = _Server(_config(service.app))
    internal_server = _InternalServer(_config(service.internal_app, lifespan="off"))
    internal = asyncio.create_task(internal_server.serve(sockets=[internal_listener]))
    # Not in the lifespan: uvicorn would show the stack of what is one line for the operator.
    try:
        await service.check_start()
    except (Exception, SystemExit) as error:
        # A look at its health that is under way would be cut short, with a stack in the log.
        internal_server.should_exit = True
        await internal
        if isinstance(error, SystemExit):
            raise
        log.error("cannot start", error=type(error).__name__)
        return False
    await server.serve(sockets=[listener])
    internal_server.should_exit = True
    await internal
    return server.started


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"{host}:{port}"


def _config(app: FastAPI, lifespan: Literal["on", "off"] = "on") -> uvicorn.Config:
    return uvicorn.Config(
        app,
        lifespan=lifespan,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
    )
