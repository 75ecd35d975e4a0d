"""The processes of one scenario: starts, kills, replaces and stops them."""

import os
import signal
import sys
from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from killable_servers import KillableServers

from devstack.process.ports import release_ports, reserve_ports
from testkit.waiting import wait_until

HERE = Path(__file__).parent
STOP_S = 45.0  # a process that takes longer is killed, which its exit status shows
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV")


class ScenarioProcesses:
    """Runs the roles of the workload as processes. Names are not used twice."""

    def __init__(self, servers: KillableServers, settings: Mapping[str, str], seed: int) -> None:
        servers.output.reset()
        servers.unexpected_exits.clear()
        self._servers = servers
        self._supervisor = servers.supervisor
        self._settings = settings
        self._seed = seed
        self._started = 0
        self._running: dict[str, tuple[str, dict[str, str]]] = {}
        self._ports: list[int] = []
        self.kills: Counter[str] = Counter()
        self.failed_exits: dict[str, int] = {}

    @property
    def names(self) -> list[str]:
        """The names of the running processes."""
        return list(self._running)

    def list_role(self, role: str) -> list[str]:
        """The names of the running processes of one role."""
        return [name for name, (own, _) in self._running.items() if own == role]

    @property
    def duplicates(self) -> int:
        """How many deliveries the inbox has rejected as duplicates; the last ones of killed consumers are missing."""
        return sum(self._servers.output.duplicates.values())

    @property
    def handler_failures(self) -> int:
        """The number of messages that went to a retry queue because their handler failed."""
        return self._servers.output.handler_failures

    async def start(self, role: str, **settings: object) -> str:
        """Start a process of the role; returns its name. `settings` are added to those of all processes."""
        self._started += 1
        name = f"{role}-{self._started}"
        own = {key.upper(): str(value) for key, value in settings.items()}
        self._running[name] = (role, own)
        program: list[str | Path] = [HERE / "workload.py", role]
        env = {"NAME": name, "SEED": str(self._seed + self._started), **self._settings, **own}
        if role == "service":
            program = [HERE / "workload_service.py"]
            env |= {"HTTP_PORT": str(self._reserve_port()), "INTERNAL_PORT": str(self._reserve_port())}
        base = {key: os.environ[key] for key in INHERITED if key in os.environ} | {"PYTHONUNBUFFERED": "1"}
        await self._supervisor.start(
            name, [sys.executable, *program], env=base | env, stop_seconds=STOP_S, shutdown_order=0, quiet=True
        )
        return name

    async def kill(self, name: str) -> None:
        """Send SIGKILL to a process and wait for its end."""
        await self._servers.kill_process(name)
        self.kills[self._running.pop(name)[0]] += 1

    async def replace(self, name: str) -> str:
        """Kill a process and start another one with its role and settings; returns the new name."""
        role, own = self._running[name]
        await self.kill(name)
        return await self.start(role, **{key.lower(): value for key, value in own.items()})

    def send_signal(self, name: str, number: signal.Signals) -> None:
        self._supervisor.processes[name].send_signal(number)

    async def stop(self, role: str) -> None:
        """Send SIGTERM to all processes of the role, one after the other, and wait for their ends."""
        for name in self.list_role(role):
            del self._running[name]
            process = self._supervisor.processes.get(name)
            if process is not None:
                await wait_until(partial(self._is_ready, name), f"{name} is ready")
                status = await process.stop()
                await self._supervisor.stop(name)
                if status != 0:
                    self.failed_exits[name] = status

    async def kill_all(self) -> None:
        """Kill all running processes and release their ports."""
        for name in self.names:
            if name in self._supervisor.processes:
                await self.kill(name)
        release_ports(self._ports)

    def _is_ready(self, name: str) -> bool:
        return name.startswith("service") or name in self._servers.output.ready

    def _reserve_port(self) -> int:
        self._ports += reserve_ports(1)
        return self._ports[-1]
