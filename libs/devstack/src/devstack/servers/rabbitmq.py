"""A private RabbitMQ: in a container if Docker is available, else the installed program, else a downloaded one."""

import asyncio
import os
import secrets
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import aio_pika

from devstack.errors import StackError
from devstack.process.ports import reserve_ports
from devstack.process.supervisor import Supervisor
from devstack.servers.packages import Program, ensure_program
from devstack.servers.secret_store import load_or_create, write_private
from shared.messaging.publisher import close_quietly, connect

PROGRAM = "usr/lib/rabbitmq/bin/rabbitmq-server"
PACKAGE = "rabbitmq-server"
SERVICES = ("rabbitmq-server.service", "epmd.service", "epmd.socket")
IMAGE = "rabbitmq:4.2-alpine"
NODE = "gruppetto@localhost"
USER = "gruppetto"
CONTAINER_PORT = 5672
CONTAINER_MANAGEMENT_PORT = 15672
REQUIRED_PLUGINS = ("prelaunch", "management", "management_agent", "web_dispatch")
READY_SECONDS = 120.0
CONNECT_SECONDS = 5.0
STOP_SECONDS = 20.0
DOCKER_SECONDS = 5.0
PULL_SECONDS = 600.0

_CONFIG = """\
listeners.tcp.1 = {listen}
loopback_users = none
default_user = {user}
default_pass = {password}
management.tcp.ip = {management_ip}
management.tcp.port = {management_port}
management_agent.disable_metrics_collector = {no_statistics}
disk_free_limit.absolute = 50MB
vm_memory_high_watermark.relative = 0.3
log.file = false
log.console = true
log.console.level = warning
"""
# When the broker stops, what handles statistics asks whoever is waiting for it, and gives up after five seconds.
_WITHOUT_STATISTICS = (
    "spawn(fun() -> rabbit_boot_state:wait_for(ready, infinity), "
    "gen_event:delete_handler(rabbit_event, rabbit_mgmt_db_handler, []) end)."
)


class RabbitServer:
    """One broker in `folder`, on 127.0.0.1:`port`; `program` None runs the Docker image.

    Its management API, through which policies are set, is on 127.0.0.1:`management_port`. With `statistics` it
    collects them, as brokers in production do; without, the broker starts faster.
    """

    def __init__(
        self, folder: Path, port: int, management_port: int, program: Program | None, *, statistics: bool = False
    ) -> None:
        self.folder = folder
        self.port = port
        self.management_port = management_port
        self.program = program
        self.statistics = statistics
        self.container = ""  # the name of the container, when there is no program

    @property
    def url(self) -> str:
        return f"amqp://{USER}:{self._password}@127.0.0.1:{self.port}/"

    @property
    def management_url(self) -> str:
        return f"http://{USER}:{self._password}@127.0.0.1:{self.management_port}"

    @property
    def _password(self) -> str:
        return load_or_create(self.folder / "password")

    async def start(self, supervisor: Supervisor) -> None:
        """Start the broker and wait until it accepts connections; else StackError."""
        try:
            self._prepare_folder()
        except OSError as error:
            raise StackError(f"cannot use the folder {self.folder}: {error.strerror}") from error
        if self.program is None:
            await self._start_container(supervisor)
        else:
            await self._start_program(supervisor, self.program)
        await supervisor.wait_until_ready("rabbitmq", self.is_ready, READY_SECONDS)

    async def is_ready(self) -> bool:
        """Whether the broker accepts connections with our password."""
        try:
            for port in (self.port, self.management_port):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
            await close_quietly(await connect(self.url, "devstack", CONNECT_SECONDS))
        except (OSError, TimeoutError, aio_pika.exceptions.AMQPError):
            return False
        return True

    def _prepare_folder(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "plugins").write_text("[rabbitmq_management].\n")
        in_container = self.program is None
        text = _CONFIG.format(
            listen=CONTAINER_PORT if in_container else f"127.0.0.1:{self.port}",
            management_ip="0.0.0.0" if in_container else "127.0.0.1",
            management_port=CONTAINER_MANAGEMENT_PORT if in_container else self.management_port,
            no_statistics="false" if self.statistics else "true",
            user=USER,
            password=self._password,
        )
        write_private(self.folder / "rabbitmq.conf", text)
        # It gives full control of the broker, and Erlang would derive its own from the time of day.
        load_or_create(self.folder / ".erlang.cookie")

    async def _start_program(self, supervisor: Supervisor, program: Program) -> None:
        epmd_port, distribution_port = reserve_ports(2)
        env = self._environment(program, epmd_port, distribution_port)
        epmd = shutil.which("epmd", path=env["PATH"])
        if epmd is not None:
            # Our own epmd: one that Erlang starts as a daemon would outlive the stack.
            argv = [epmd, "-port", str(epmd_port), "-address", "127.0.0.1"]
            await supervisor.start("epmd", argv, env=env, cwd=self.folder, shutdown_order=2, quiet=True)
        # With -noinput the script runs the server with exec, so that the server is our direct child.
        arguments = ["-noinput", "-kernel", "inet_dist_use_interface", "{127,0,0,1}"]
        if not self.statistics:
            arguments += ["-eval", _WITHOUT_STATISTICS]
        await supervisor.start(
            "rabbitmq",
            [program.path, *arguments],
            env=env,
            cwd=self.folder,
            stop_seconds=STOP_SECONDS,
            shutdown_order=2,
            quiet=True,
        )

    def _environment(self, program: Program, epmd_port: int, distribution_port: int) -> dict[str, str]:
        path = program.env.get("PATH", os.environ.get("PATH", "/usr/bin:/bin"))
        return {
            **program.env,
            "PATH": path,
            "HOME": str(self.folder),
            "LC_ALL": "C.UTF-8",
            "ERL_EPMD_PORT": str(epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_ALLOW_INPUT": "1",
            "RABBITMQ_NODENAME": NODE,
            "RABBITMQ_DIST_PORT": str(distribution_port),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            # Ignore the system-wide settings file.
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            **_make_minimal_home(program, self.folder),
        }

    async def _start_container(self, supervisor: Supervisor) -> None:
        previous = self.folder / "container"
        if previous.exists():
            # It survives when the runner and the reaper are killed together, and would still write to the data.
            await supervisor.run("docker rm", _removal_command(previous.read_text(encoding="utf-8")), quiet=True)
        self.container = name = f"{container_prefix(supervisor.stack_id)}{secrets.token_hex(4)}"
        write_private(previous, name)
        supervisor.run_on_exit(_removal_command(name))
        data = self.folder / f"data-{IMAGE.partition(':')[2]}"
        data.mkdir(exist_ok=True)
        argv = ["docker", "run", "--rm", "--name", name, "--hostname", "localhost"]
        argv += ["--publish", f"127.0.0.1:{self.port}:{CONTAINER_PORT}"]
        argv += ["--publish", f"127.0.0.1:{self.management_port}:{CONTAINER_MANAGEMENT_PORT}"]
        argv += ["--env", f"RABBITMQ_NODENAME={NODE}"]
        # As the owner of the folder; the image's own entrypoint would change to another user.
        argv += ["--user", f"{os.getuid()}:{os.getgid()}", "--entrypoint", "rabbitmq-server"]
        argv += ["--volume", f"{data}:/var/lib/rabbitmq"]
        for file, place in (("rabbitmq.conf", "rabbitmq.conf"), ("plugins", "enabled_plugins")):
            argv += ["--volume", f"{self.folder / file}:/etc/rabbitmq/{place}:ro"]
        await supervisor.start("rabbitmq", [*argv, IMAGE], stop_seconds=STOP_SECONDS, shutdown_order=2, quiet=True)


def _removal_command(container: str) -> list[str]:
    return ["docker", "rm", "--force", "--volumes", container]


def container_prefix(stack_id: str) -> str:
    """The common prefix of the names of a stack's containers."""
    return f"gruppetto-{stack_id}-"


def _make_minimal_home(program: Program, folder: Path) -> dict[str, str]:
    """Create a RabbitMQ home with the required plugins only; returns the environment variables that select it.

    Inspecting all plugins takes a third of the start time. Only for release 3.10, with which this was measured;
    for others the result is empty.
    """
    home = program.path.resolve().parent.parent
    if not any(home.glob("plugins/rabbit-3.10.*")):
        return {}
    minimal = folder / "home"
    shutil.rmtree(minimal, ignore_errors=True)
    (minimal / "plugins").mkdir(parents=True)
    (minimal / "sbin").symlink_to(home / "sbin")
    for plugin in (home / "plugins").iterdir():
        name = plugin.name.removeprefix("rabbitmq_").partition("-")[0]
        if name in REQUIRED_PLUGINS or not plugin.name.startswith("rabbitmq_"):
            (minimal / "plugins" / plugin.name).symlink_to(plugin)
    # A relative path, because the server's script does not support spaces in it.
    return {"RABBITMQ_SCRIPTS_DIR": "home/sbin"}


def find_rabbitmq(report: Callable[[str], None]) -> Program | None:
    """The program to run, installed if missing; None to run the image with Docker. Else StackError."""
    # The image first, which even a busy engine finds at once, whereas its version may take seconds: without the wait
    # for it another broker would be started, without the messages of the one in the container.
    if _docker_succeeds(DOCKER_SECONDS, "image", "inspect", "--format", "{{.Id}}", IMAGE):
        return None
    if _docker_succeeds(DOCKER_SECONDS, "version", "--format", "{{.Server.Version}}"):
        report(f"fetching the image {IMAGE}, once")
        if _docker_succeeds(PULL_SECONDS, "pull", "--quiet", IMAGE):
            return None
    return ensure_program(PROGRAM, PACKAGE, report, services=SERVICES)


def _docker_succeeds(seconds: float, *words: str) -> bool:
    """Whether the docker command succeeds with some output within the time."""
    try:
        answer = subprocess.run(
            ["docker", *words], capture_output=True, check=False, timeout=seconds, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return answer.returncode == 0 and bool(answer.stdout.strip())
