"""The processes of one scenario: started, killed, replaced, and ended in good order."""

import os
import signal
import sys
from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from battered import Battered
from ledger import until

from devstack.process.ports import free_ports, give_back

HERE = Path(__file__).parent
END_S = 45.0  # what takes longer is killed, which shows in its status
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV")


class Crew:
    """Roles of the storm as processes; a new one gets a new name."""

    def __init__(self, battered: Battered, settings: Mapping[str, str], seed: int) -> None:
        battered.lines.forget()
        battered.died.clear()
        self._battered = battered
        self._supervisor = battered.supervisor
        self._settings = settings
        self._seed = seed
        self._started = 0
        self._own: dict[str, tuple[str, dict[str, str]]] = {}
        self._ports: list[int] = []
        self.kills: Counter[str] = Counter()
        self.badly_ended: dict[str, int] = {}

    @property
    def names(self) -> list[str]:
        """Of those that run."""
        return list(self._own)

    def of(self, role: str) -> list[str]:
        """Those of one role."""
        return [name for name, (own, _) in self._own.items() if own == role]

    @property
    def duplicates(self) -> int:
        """How many deliveries the inbox knew already; killed consumers may have known some more."""
        return sum(self._battered.lines.duplicates.values())

    @property
    def set_aside(self) -> int:
        """How many messages were set aside because their handler failed."""
        return self._battered.lines.set_aside

    async def start(self, role: str, **settings: object) -> str:
        """Start one more of the role; returns its name."""
        self._started += 1
        name = f"{role}-{self._started}"
        own = {key.upper(): str(value) for key, value in settings.items()}
        self._own[name] = (role, own)
        program: list[str | Path] = [HERE / "storm.py", role]
        env = {"NAME": name, "SEED": str(self._seed + self._started), **self._settings, **own}
        if role == "service":
            program = [HERE / "storm_service.py"]
            env |= {"HTTP_PORT": str(self._port()), "INTERNAL_PORT": str(self._port())}
        base = {key: os.environ[key] for key in KEPT if key in os.environ} | {"PYTHONUNBUFFERED": "1"}
        await self._supervisor.start(
            name, [sys.executable, *program], env=base | env, stop_seconds=END_S, layer=2, quiet=True
        )
        return name

    async def kill(self, name: str) -> None:
        """SIGKILL, without a word."""
        await self._battered.strike(name)
        self.kills[self._own.pop(name)[0]] += 1

    async def replace(self, name: str) -> str:
        """Kill it and start another of its role."""
        role, own = self._own[name]
        await self.kill(name)
        return await self.start(role, **{key.lower(): value for key, value in own.items()})

    def signal(self, name: str, number: signal.Signals) -> None:
        self._supervisor.processes[name].send(number)

    async def end(self, role: str) -> None:
        """SIGTERM for all of the role, and wait for their ends."""
        for name in self.of(role):
            del self._own[name]
            process = self._supervisor.processes.get(name)
            if process is not None:
                await until(partial(self._is_ready, name), f"{name} is ready")
                status = await process.stop()
                await self._supervisor.stop(name)
                if status != 0:
                    self.badly_ended[name] = status

    async def disband(self) -> None:
        """Kill whoever is left."""
        for name in self.names:
            if name in self._supervisor.processes:
                await self.kill(name)
        give_back(self._ports)

    def _is_ready(self, name: str) -> bool:
        return name.startswith("service") or name in self._battered.lines.ready

    def _port(self) -> int:
        self._ports += free_ports(1)
        return self._ports[-1]
