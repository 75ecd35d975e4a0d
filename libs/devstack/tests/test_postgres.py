import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from devstack.errors import StackError
from devstack.process import reaper
from devstack.process.ports import reserve_ports
from devstack.process.supervisor import Supervisor
from devstack.servers.postgres import PostgresServer
from devstack.servers.roles import create_roles, open_connection
from testkit.waiting import block_until


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PostgresServer]:
    folder = tmp_path_factory.mktemp("postgres")
    async with Supervisor() as supervisor:
        server = PostgresServer(folder, reserve_ports(1)[0], durable=False)
        await server.start(supervisor)
        yield server


async def refused(url: str, statement: str) -> bool:
    async with open_connection(url) as connection:
        try:
            await connection.execute(statement)
        except asyncpg.InsufficientPrivilegeError:
            return True
    return False


async def test_each_service_works_in_its_own_schema(server: PostgresServer):
    urls = await create_roles(server, ["auth", "ingest"])
    assert urls["auth"].startswith("postgresql+asyncpg://auth:")
    async with open_connection(urls["auth"]) as connection:
        await connection.execute("create table users (id int)")
        place = await connection.fetchval("select schemaname from pg_tables where tablename = 'users'")
    assert place == "auth"


@pytest.mark.parametrize(
    "statement",
    [
        "select * from auth.secret",
        "create table auth.mine (id int)",
        "create table public.mine (id int)",
        "create schema mine",
        "create role friend",
        "create database mine",
        "drop schema auth cascade",
        "set role auth",
        "copy (select 1) to program 'true'",
    ],
)
async def test_a_service_can_reach_nothing_of_the_others(server: PostgresServer, statement: str):
    urls = await create_roles(server, ["auth", "ingest"])
    async with open_connection(urls["auth"]) as connection:
        await connection.execute("create table if not exists secret (id int)")
    assert await refused(urls["ingest"], statement)


async def test_a_service_can_enter_no_other_database(server: PostgresServer):
    urls = await create_roles(server, ["auth"])
    elsewhere = urls["auth"].replace("/gruppetto", "/template1")
    with pytest.raises(StackError, match="permission denied for database"):
        async with open_connection(elsewhere):
            pass


async def test_a_wrong_password_is_refused(server: PostgresServer):
    with pytest.raises(StackError, match="password authentication failed"):
        async with open_connection(server.url("postgres", "guess", "postgres")):
            pass


async def test_polish_letters_have_cases_and_text_is_utf8(server: PostgresServer):
    async with open_connection(server.superuser_url()) as connection:
        assert await connection.fetchval("select lower('ŻÓŁĆ')") == "żółć"
        assert await connection.fetchval("show server_encoding") == "UTF8"


async def test_it_listens_on_the_loopback_only(server: PostgresServer):
    async with open_connection(server.superuser_url()) as connection:
        assert await connection.fetchval("show listen_addresses") == "127.0.0.1"
        assert await connection.fetchval("show unix_socket_directories") == ""


async def test_a_second_start_finds_data_and_passwords_again(tmp_path: Path):
    folder = tmp_path / "with a space"
    seen = []
    for _ in range(2):
        async with Supervisor() as supervisor:
            server = PostgresServer(folder, reserve_ports(1)[0])
            await server.start(supervisor)
            urls = await create_roles(server, ["auth"])
            seen.append(urls["auth"].split("@")[0])
            async with open_connection(urls["auth"]) as connection:
                await connection.execute("create table if not exists kept as select 42 as answer")
                assert await connection.fetchval("select answer from kept") == 42
    assert seen[0] == seen[1]
    for name in ("password", "roles.json"):
        assert (folder / name).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", ["", "[]", '"auth"', "null", '{"auth": 5}'])
async def test_a_file_of_passwords_that_cannot_be_read_is_named_in_one_line(tmp_path: Path, content: str):
    file = tmp_path / "roles.json"
    file.write_text(content)
    with pytest.raises(StackError, match=f"^cannot read {file}: [^\n]+; remove it to have new passwords made$"):
        await create_roles(PostgresServer(tmp_path, 1), ["auth"])


async def test_a_first_start_that_was_killed_leaves_no_half_cluster(tmp_path: Path):
    half = tmp_path / "new-1234"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    async with Supervisor() as supervisor:
        await PostgresServer(tmp_path, reserve_ports(1)[0], durable=False).start(supervisor)
    assert not half.exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    mount = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", tmp_path]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("mounting is not allowed here")
    yield tmp_path
    subprocess.run(["umount", tmp_path], check=True)


async def start(supervisor: Supervisor, folder: Path) -> PostgresServer:
    server = PostgresServer(folder, reserve_ports(1)[0], durable=False)
    await server.start(supervisor)
    return server


async def fetch_value(server: PostgresServer, statement: str) -> object:
    async with open_connection(server.superuser_url()) as connection:
        return await connection.fetchval(statement)


async def test_a_killed_server_recovers_although_another_program_has_its_process_id(tmp_path: Path):
    async with Supervisor() as supervisor:
        server = PostgresServer(tmp_path, reserve_ports(1)[0])
        await server.start(supervisor)
        await fetch_value(server, "create table kept as select 7 as number")
        everything = reaper.list_stack_pids(supervisor.stack_id)
        process = supervisor.processes["postgres"]
        process.stopping = True
        process.send_signal(signal.SIGKILL)
        block_until(lambda: all(reaper.find_parent_pid(pid) is None for pid in everything))
        await supervisor.stop("postgres")
        another = await supervisor.start("another", ["/bin/sleep", "60"], user=process.command.user)
        # Not before it runs as the server's user: Postgres takes no notice of other users' processes.
        block_until(lambda: Path(f"/proc/{another.pid}/comm").read_text() == "sleep\n")
        lock = server.data / "postmaster.pid"
        lock.write_text(lock.read_text().replace(str(process.pid), str(another.pid), 1))
        await server.start(supervisor)
        assert await fetch_value(server, "select number from kept") == 7


async def test_a_second_server_on_the_data_of_a_running_one_is_refused(tmp_path: Path):
    async with Supervisor() as supervisor, Supervisor() as other:
        server = await start(supervisor, tmp_path)
        with pytest.raises(StackError, match=r'lock file "postmaster\.pid" already exists'):
            await start(other, tmp_path)
        assert await fetch_value(server, "select 1") == 1


async def start_in(folder: Path) -> None:
    async with Supervisor() as supervisor:
        await start(supervisor, folder)


async def test_the_cluster_of_another_version_is_refused_in_one_line(tmp_path: Path):
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "data" / "PG_VERSION").write_text("15\n")
    with pytest.raises(StackError, match="was made by Postgres 15, and this is 18; remove the folder"):
        await start_in(tmp_path)


async def test_a_damaged_cluster_is_refused_in_one_line(tmp_path: Path):
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "data" / "PG_VERSION").write_text("18\n")
    with pytest.raises(StackError, match=r"^postgres ended with code 2: .*") as error:
        await start_in(tmp_path)
    assert "\n" not in str(error.value)


async def test_a_file_in_the_place_of_the_folder_is_refused_in_one_line(tmp_path: Path):
    place = tmp_path / "file"
    place.write_text("")
    with pytest.raises(StackError, match=f"^cannot use the folder {place}"):
        await start_in(place)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a small disk, and only root can mount one")
async def test_a_full_disk_is_named_in_one_line(small_disk: Path):
    with pytest.raises(StackError, match=r"^initdb ended with code 1: the disk is full; make room and start again$"):
        await start_in(small_disk)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's server runs as another user")
async def test_as_root_it_works_below_a_folder_that_only_root_may_enter(tmp_path: Path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    await start_in(closed / "postgres")
    assert closed.stat().st_mode & 0o777 == 0o700
    shutil.rmtree(closed)
