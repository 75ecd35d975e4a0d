"""The private servers of one stack, in a folder that is locked for it."""

import asyncio
import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from devstack.errors import StackError
from devstack.process import reaper
from devstack.process.gather_or_cancel import gather_or_cancel
from devstack.process.ports import reserve_ports
from devstack.process.supervisor import Supervisor
from devstack.servers.postgres import PostgresServer
from devstack.servers.rabbitmq import RabbitServer, find_rabbitmq

# A new stack's use in its first hour; RabbitMQ blocks publishers when less than 50 MB are free.
MIN_FREE_MB = 300
#: Name of the marker file in a folder whose broker has its topology: services may have used it, so it is kept.
TOPOLOGY_DECLARED = "topology-declared"
OLD_TOPOLOGY_DECLARED = "complete-*"  # what it was called before


def discard_report(_: str) -> None:
    """Ignore a progress line."""


@dataclass(frozen=True)
class Servers:
    """A running Postgres and RabbitMQ. `topology_declared` is the path of the marker file."""

    postgres: PostgresServer
    rabbitmq: RabbitServer
    topology_declared: Path

    def mark_topology_declared(self) -> None:
        """Record that the topology is declared: later starts keep the broker's data."""
        self.topology_declared.touch()


@asynccontextmanager
async def private_servers(
    folder: Path | None,
    supervisor: Supervisor,
    *,
    durable: bool = True,
    report: Callable[[str], None] = discard_report,
    startup_tasks: Iterable[Callable[[], Awaitable[object]]] = (),
    on_postgres: Callable[[PostgresServer], Awaitable[object]] | None = None,
) -> AsyncIterator[Servers]:
    """Both servers, ready; their data are kept in `folder`, or removed at the end when that is None.

    `startup_tasks` need no server: they run concurrently with the start, under the lock of the folder. `on_postgres`
    needs no broker, which takes longer to start. At the end all processes of the supervisor are stopped. Raises
    StackError when a server cannot be started.
    """
    with stack_folder(folder, supervisor) as home:
        if not any([*home.glob(TOPOLOGY_DECLARED), *home.glob(OLD_TOPOLOGY_DECLARED)]):
            # No service has used it, and a queue whose declaration was interrupted by a kill may never become usable.
            shutil.rmtree(home / "rabbitmq", ignore_errors=True)
        postgres = PostgresServer(home / "postgres", reserve_ports(1)[0], durable=durable)

        async def start_postgres() -> None:
            await postgres.start(supervisor)
            if on_postgres is not None:
                await on_postgres(postgres)

        starting = (start_postgres(), start_rabbitmq(home / "rabbitmq", supervisor, report))
        _, broker, *_ = await gather_or_cancel(*starting, *(start() for start in startup_tasks))
        try:
            yield Servers(postgres, broker, home / TOPOLOGY_DECLARED)
        finally:
            # The folder must not be in use when its lock is released.
            await asyncio.shield(asyncio.ensure_future(supervisor.stop_all()))


async def start_rabbitmq(
    folder: Path, supervisor: Supervisor, report: Callable[[str], None], *, statistics: bool = False
) -> RabbitServer:
    """Find or install RabbitMQ and start it in `folder`; else StackError."""
    program = await asyncio.to_thread(find_rabbitmq, report)
    port, management_port = reserve_ports(2)
    server = RabbitServer(folder, port, management_port, program, statistics=statistics)
    await server.start(supervisor)
    return server


@contextmanager
def stack_folder(folder: Path | None, supervisor: Supervisor) -> Iterator[Path]:
    """An exclusive folder for one stack: the given one, locked, or a temporary one. Raises StackError."""
    if folder is None:
        try:
            temporary = Path(tempfile.mkdtemp(prefix="gruppetto-"))
        except OSError as error:
            raise StackError(f"cannot make a temporary folder: {error.strerror}; set TMPDIR=...") from error
        supervisor.remove_on_exit(temporary)
        _require_free_space(temporary)
        yield temporary
        return
    home = folder.expanduser().absolute()
    try:
        home.mkdir(parents=True, exist_ok=True)
        _require_own_lock(home / "lock")
        lock = os.open(home / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StackError(
            f"cannot use the folder {home}: {error.strerror}; choose another or use its owner's account"
        ) from error
    try:
        _acquire_lock(lock, home, supervisor.stack_id)
        _require_free_space(home)
        yield home
    finally:
        os.close(lock)


def _require_own_lock(lock: Path) -> None:
    """Refuse another user's stack, also for root, after whose use its owner could not use it any more."""
    if lock.exists() and lock.stat().st_uid != os.geteuid():
        raise StackError(f"{lock.parent} belongs to another user's stack; choose another folder")


def _require_free_space(home: Path) -> None:
    free = shutil.disk_usage(home).free // 1_000_000
    if free < MIN_FREE_MB:
        raise StackError(f"only {free} MB are free on the disk with {home}; make room for {MIN_FREE_MB} MB")


def _acquire_lock(lock: int, home: Path, stack_id: str) -> None:
    """Take the lock and kill the processes that an earlier, killed stack in this folder may have left."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = _read_lock(lock).get("pid", "unknown")
        raise StackError(f"already running in {home} (pid {holder})") from None
    previous = _read_lock(lock).get("stack")
    if isinstance(previous, str):
        left = reaper.kill_stack(previous)
        if left:
            raise StackError(f"processes of the last run in {home} do not end: {sorted(left)}")
    os.ftruncate(lock, 0)
    os.pwrite(lock, json.dumps({"pid": os.getpid(), "stack": stack_id}).encode(), 0)


def _read_lock(lock: int) -> dict[str, object]:
    try:
        content = json.loads(os.pread(lock, 4096, 0) or b"{}")
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
