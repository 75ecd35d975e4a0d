"""Started by root, Postgres runs as nobody without capabilities, also below folders that only root may enter."""

import os
import shutil
from pathlib import Path

import pytest

from devstack.process.ports import reserve_ports
from devstack.process.supervisor import Supervisor
from devstack.servers import postgres
from devstack.servers.postgres import PostgresServer
from devstack.servers.roles import open_connection

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only when root starts it, Postgres runs as another user")


@pytest.fixture
def root_only_folder(tmp_path: Path) -> Path:
    """A folder that only root may enter."""
    folder = tmp_path / "root-only"
    folder.mkdir(mode=0o700)
    return folder


async def start(supervisor: Supervisor, folder: Path) -> PostgresServer:
    server = PostgresServer(folder, reserve_ports(1)[0], durable=False)
    await server.start(supervisor)
    return server


def read_status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines)


async def fetch_value(server: PostgresServer, statement: str) -> object:
    async with open_connection(server.superuser_url()) as connection:
        return await connection.fetchval(statement)


async def test_the_server_has_no_capability_and_its_data_survive_a_restart(root_only_folder: Path):
    folder = root_only_folder / "a folder"
    async with Supervisor() as supervisor:
        server = await start(supervisor, folder)
        status = read_status(supervisor.processes["postgres"].pid)
        assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {"0" * 16}
        assert status["Uid"].split() == ["65534"] * 4
        assert status["Groups"].strip() == ""
        await fetch_value(server, "create table kept as select 7 as number")
    async with Supervisor() as supervisor:
        assert await fetch_value(await start(supervisor, folder), "select number from kept") == 7


async def test_programs_that_only_root_can_reach_are_copied_once(
    root_only_folder: Path, monkeypatch: pytest.MonkeyPatch
):
    for part in (postgres.PROGRAMS, postgres.LIBRARIES):
        shutil.copytree(postgres.SITE / part, root_only_folder / part, symlinks=True)
    monkeypatch.setattr(postgres, "SITE", root_only_folder)
    reachable = Path(os.environ.get("TMPDIR", "/tmp")) / f"gruppetto-test-{os.getpid()}"
    monkeypatch.setattr(postgres, "CACHE", reachable)
    try:
        async with Supervisor() as supervisor:
            server = await start(supervisor, root_only_folder / "data")
            assert await fetch_value(server, "select 1") == 1
            assert server.argv()[0].startswith(str(reachable))
        [made] = [path for path in reachable.iterdir() if path.is_dir()]
        before = made.stat().st_ino
        assert postgres.get_bin_folder((65534, 65534)) == made / postgres.PROGRAMS / "bin"
        assert made.stat().st_ino == before
    finally:
        shutil.rmtree(reachable, ignore_errors=True)
