import asyncio
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import aio_pika
import httpx
import pytest

from devstack.errors import StackError
from devstack.process import reaper
from devstack.process.supervisor import Supervisor
from devstack.servers.rabbitmq import container_prefix, find_rabbitmq
from devstack.servers.roles import open_connection
from devstack.servers.servers import TOPOLOGY_DECLARED, private_servers
from testkit.servers import report, running_servers
from testkit.waiting import block_until

BROKER = {"beam.smp", "epmd"}


@pytest.fixture(scope="session")
def in_container() -> bool:
    """Whether the broker runs in a container, where its processes are not children of the stack."""
    return find_rabbitmq(report) is None


def containers(stack: str) -> list[str]:
    words = ["docker", "ps", "--all", "--quiet", "--filter", f"name={container_prefix(stack)}"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()


def process_names(pids: set[int]) -> set[str]:
    found = set()
    for pid in pids:
        with suppress(OSError):  # it has ended
            found.add(Path(f"/proc/{pid}/comm").read_text().strip())
    return found


def has_no_statistics(management_url: str) -> bool:
    return bool(httpx.get(f"{management_url}/api/overview").raise_for_status().json()["disable_stats"])


async def busy_query(url: str) -> None:
    """Run a query that ends only with the server: it computes without checking its connection."""
    async with open_connection(url) as connection:
        await connection.execute("select count(*) from generate_series(1, 100000000000)")


async def publish(url: str) -> None:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue("kept", durable=True, arguments={"x-queue-type": "quorum"}, timeout=10)
        await channel.default_exchange.publish(
            aio_pika.Message(b"hello", delivery_mode=aio_pika.DeliveryMode.PERSISTENT), queue.name
        )


async def receive(url: str) -> bytes:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        queue = await channel.get_queue("kept")
        message = await queue.get(timeout=10)
        assert message is not None
        return message.body


async def test_a_killed_stack_vanishes_and_its_folder_starts_again_with_its_data(
    run_stack, tmp_path: Path, in_container: bool
):
    folder = tmp_path / "a stack"
    first = run_stack("servers", folder)
    first.wait_until_reported("ready")
    assert process_names(first.processes) >= {"postgres"} | ({"docker"} if in_container else BROKER)
    if in_container:
        assert len(containers(first.facts["stack"])) == 1
    await publish(first.facts["rabbitmq"])
    # RabbitMQ saves its list of quorum queues twice a second; older queues stay in it.
    [quorum] = folder.glob("rabbitmq/data*/**/quorum/gruppetto@localhost/names.dets")
    block_until(lambda: b"%2F_kept" in quorum.read_bytes())
    busy = asyncio.create_task(busy_query(first.facts["roles"]["auth"]))

    second = run_stack("servers", folder)
    stderr_text = await asyncio.to_thread(second.stderr_text)
    assert stderr_text == f"devstack: already running in {folder} (pid {first.process.pid})"

    first.process.kill()
    first.wait_until_gone()
    if in_container:
        block_until(lambda: not containers(first.facts["stack"]))
    await asyncio.wait([busy])
    assert busy.exception() is not None

    third = run_stack("servers", folder)
    third.wait_until_reported("ready")
    assert third.facts["roles"]["auth"].split("@")[0] == first.facts["roles"]["auth"].split("@")[0]
    assert await receive(third.facts["rabbitmq"]) == b"hello"

    everything = third.processes
    third.process.kill()
    os.kill(third.facts["reaper"], signal.SIGKILL)
    block_until(lambda: all(reaper.find_parent_pid(pid) is None for pid in everything))
    if in_container:
        assert containers(third.facts["stack"])  # nobody is left to remove it but the next start
        run_stack("servers", folder).wait_until_reported("ready")
        assert not containers(third.facts["stack"])


def test_a_brokers_data_from_a_start_that_was_never_completed_are_not_used(run_stack, tmp_path: Path):
    leftover = tmp_path / "rabbitmq/leftover"
    leftover.parent.mkdir()
    leftover.touch()
    run_stack("servers", tmp_path).wait_until_reported("ready")
    assert not leftover.exists()


@pytest.mark.parametrize(
    "mark", [TOPOLOGY_DECLARED, "complete-1", pytest.param("complete-2", marks=pytest.mark.long)]
)
def test_a_brokers_data_that_a_service_may_have_used_are_kept_by_every_later_release(
    run_stack, tmp_path: Path, mark: str
):
    (tmp_path / mark).touch()
    kept = tmp_path / "rabbitmq/kept"
    kept.parent.mkdir()
    kept.touch()
    run_stack("servers", tmp_path).wait_until_reported("ready")
    assert kept.exists()


@pytest.mark.parametrize("moment", ["initdb", "postgres", "epmd", "beam.smp"])
def test_a_stack_killed_while_it_starts_vanishes_with_its_folder(
    run_stack, tmp_path, monkeypatch, in_container: bool, moment: str
):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    runner = run_stack("servers")
    runner.wait_until_reported("stack")
    program = "docker" if in_container and moment in BROKER else moment
    block_until(lambda: program in process_names(runner.processes))
    runner.process.kill()
    runner.wait_until_gone()
    if in_container:
        block_until(lambda: not containers(runner.facts["stack"]), deadline_s=30)
    block_until(lambda: not list(tmp_path.iterdir()))


def test_the_servers_of_a_killed_test_run_vanish(tmp_path: Path):
    test = tmp_path / "test_it.py"
    test.write_text(
        "import time\n"
        "def test_it(postgres_server, test_servers):\n"
        "    print(test_servers.stack_id, flush=True)\n"
        "    time.sleep(60)\n"
    )
    argv = [sys.executable, "-m", "pytest", "-p", "testkit.plugin", "-s", "-q", "-c", os.devnull, test]
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": ""}
    environment.pop("TEST_DATABASE_URL", None)
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=environment) as run:
        assert run.stdout is not None
        stack = run.stdout.readline().strip()
        assert "postgres" in process_names(reaper.list_stack_pids(stack))
        run.kill()
    block_until(lambda: not reaper.list_stack_pids(stack))
    block_until(lambda: not list(tmp_path.glob("gruppetto-*")))


def test_given_servers_are_used_instead_of_private_ones(monkeypatch):
    monkeypatch.setenv("TEST_DATABASE_URL", "postgresql://me@db.example/postgres")
    monkeypatch.setenv("TEST_RABBITMQ_URL", "amqp://me@mq.example/")
    with running_servers() as servers:
        assert servers.superuser_url == "postgresql://me@db.example/postgres"
        assert servers.rabbitmq[0] == "amqp://me@mq.example/"
        assert servers.stack_id is None


def test_the_broker_of_the_tests_collects_statistics(management_url: str):
    assert not has_no_statistics(management_url)


def test_the_broker_of_the_tests_collects_no_statistics_when_told_so(monkeypatch):
    monkeypatch.delenv("TEST_RABBITMQ_URL", raising=False)
    monkeypatch.setenv("TEST_RABBITMQ_STATISTICS", "off")
    with running_servers() as servers:
        assert has_no_statistics(servers.rabbitmq[1])


async def test_a_folder_that_cannot_be_used_is_named_in_one_line(tmp_path: Path):
    place = tmp_path / "file"
    place.write_text("")
    async with Supervisor() as supervisor:
        with pytest.raises(StackError, match=f"^cannot use the folder {place}"):
            async with private_servers(place, supervisor):
                pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
async def test_another_users_stack_is_refused_in_one_line(tmp_path: Path):
    (tmp_path / "lock").touch()
    os.chown(tmp_path / "lock", 12345, 12345)
    async with Supervisor() as supervisor:
        with pytest.raises(StackError, match=r"belongs to another user's stack; choose another folder$"):
            async with private_servers(tmp_path, supervisor):
                pass


async def test_too_little_room_is_named_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("devstack.servers.servers.MIN_FREE_MB", 10**9)
    async with Supervisor() as supervisor:
        with pytest.raises(StackError, match=r"^only \d+ MB are free on the disk with .*; make room for \d+ MB$"):
            async with private_servers(tmp_path, supervisor):
                pass
