"""The demo, as a new user runs it: one command, a browser, Ctrl-C."""

import asyncio
import json
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from devstack.errors import StackError
from devstack.process.ports import reserve_ports
from devstack.process.reaper import list_stack_pids
from devstack.process.supervisor import Supervisor
from devstack.servers.postgres import PostgresServer
from devstack.servers.roles import DATABASE
from devstack.servers.servers import discard_report, private_servers
from devstack.stack.idle import fetch_rows
from devstack.stack.stack import DatasetOptions, StackConfig, running_stack
from testkit.waiting import wait_until

DEVSTACK = Path(sys.executable).with_name("devstack")
START_S = 90.0
SIGN_IN_S = 30.0
END_S = 30.0


@dataclass
class Demo:
    """A running demo: its process, the url of its pages, the stack id of its processes, and its terminal."""

    process: asyncio.subprocess.Process
    url: str
    stack_id: str
    shown: str  # complete when it has ended

    async def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        async with asyncio.timeout(END_S):
            return await self.process.wait()


@asynccontextmanager
async def demo(folder: Path, *arguments: str) -> AsyncIterator[Demo]:
    port = reserve_ports(1)[0]
    process = await asyncio.create_subprocess_exec(
        DEVSTACK,
        *("demo", "--folder", str(folder), "--port", str(port), *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "COLUMNS": "200"},
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_S):
            shown = ""
            while not (address := re.search(r"runs at (http://\S+)", shown)):
                line = (await process.stdout.readline()).decode()
                assert line, f"the demo ended: {shown}"
                shown += line
        reading = asyncio.create_task(process.stdout.read())
        stack_id = json.loads((folder / "lock").read_text(encoding="utf-8"))["stack"]
        running = Demo(process, address.group(1), stack_id, shown)
        yield running
        running.shown += (await reading).decode()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_a_board_fills_up_while_it_is_open_and_a_visitor_joins_it_and_a_team(
    tmp_path: Path, browser: Browser
) -> None:
    folder = tmp_path / "kept"
    async with demo(folder, "--athletes", "6", "--days", "25") as running:
        page = await browser.new_page()
        await page.goto(f"{running.url}/c/main/running")
        await page.evaluate("window.sameDocument = true")
        rows = page.locator("#standings tbody tr[id]")
        await expect(rows).not_to_have_count(0, timeout=30_000)
        first = await rows.count()
        await expect(rows).not_to_have_count(first, timeout=30_000)
        assert await page.evaluate("window.sameDocument"), "the page was loaded anew"

        await page.get_by_role("link", name="Join").first.click()
        await page.get_by_role("checkbox").check()
        await page.get_by_role("button", name="Connect with Strava").click()
        await page.get_by_label("You are").select_option(index=0)
        name = await page.get_by_label("You are").locator("option:checked").inner_text()
        await page.get_by_role("button", name="Authorize").click()
        # Who is new is welcomed; who has already joined goes straight to the board.
        await page.wait_for_url(re.compile(r"/(c/main/.*|welcome)$"))
        if page.url.endswith("/welcome"):
            await expect(page.get_by_label("How boards name you")).to_have_value(re.compile(name.split()[0]))
            await page.get_by_role("link", name="To the board").click()
        mine = page.locator("tr.me, tr[aria-current]")
        await expect(mine).to_have_count(1, timeout=30_000)
        await expect(mine.locator("th")).to_contain_text(name.split()[0])
        await look_around(page, running.url)
        await page.goto(f"{running.url}/c/main/running")  # a live page that is still open at the end
        await expect(page.locator("tr.me, tr[aria-current]")).to_have_count(1)

        assert list_stack_pids(running.stack_id)
        assert await running.end(signal.SIGINT) == 130
        assert not list_stack_pids(running.stack_id)
        await page.close()
    assert f"what the services log is in {folder}/stack.log" in running.shown
    assert re.search(r"of 6 athletes have signed in: \w+ \w\.", running.shown)
    assert not re.search(r"\[(info|warning|error) ", running.shown), running.shown
    log = (folder / "stack.log").read_text(encoding="utf-8")
    assert re.search(r"^sync-worker .* \[info +\] started", log, re.MULTILINE)
    assert not re.search(r"\b[0-9a-f]{40}\b|code=|state=", log), "a token, a code or a state was logged"
    assert name.split()[0] not in log, "a person was named"


async def look_around(page: Page, url: str) -> None:
    """As the first of the club, who is in no team: the board of points, the milestones, and a team to join."""
    await page.goto(f"{url}/c/main/points")
    await expect(page.get_by_role("note")).to_contain_text("Coffee ride")
    await expect(page.get_by_role("columnheader", name="Points")).to_be_visible()
    await page.get_by_role("link", name="Milestones").click()
    for milestone in ("40 hours", "500 km by bicycle", "10,000 m of climbing"):
        await expect(page.get_by_role("link", name=milestone)).to_be_visible()

    async def is_the_team_complete() -> bool:
        await page.goto(f"{url}/c/main/teams")
        return await page.get_by_role("cell", name="4 of 5").count() == 1

    await wait_until(is_the_team_complete, "the club is in its team", SIGN_IN_S)
    await page.get_by_role("button", name="Join Żwawe Żółwie").click()
    await expect(page.get_by_role("status")).to_have_text("Welcome to the team.")
    await expect(page.get_by_role("table").first.locator("tbody tr")).to_have_count(5)


async def read_user_ids(folder: Path) -> set[str]:
    """The ids of all users of a running demo; a user who is created anew has another one."""
    port = int((folder / "postgres/data/postmaster.pid").read_text(encoding="utf-8").splitlines()[3])
    url = PostgresServer(folder / "postgres", port).superuser_url(DATABASE)
    return {row["id"] for row in await fetch_rows(url, "select id::text from auth.users")}


@pytest.mark.long
async def test_a_killed_demo_leaves_no_process_and_starts_again_on_its_data(tmp_path: Path) -> None:
    async def read_all_user_ids() -> set[str] | None:
        found = await read_user_ids(tmp_path)
        return found if len(found) == 2 else None

    async with demo(tmp_path, "--athletes", "2", "--days", "10") as running:
        assert len(list_stack_pids(running.stack_id)) > 8
        users: set[str] = await wait_until(read_all_user_ids, "everybody has signed in", SIGN_IN_S)
        assert await running.end(signal.SIGKILL) == -signal.SIGKILL
        await wait_until(lambda: not list_stack_pids(running.stack_id), "no process is left", END_S)
    async with demo(tmp_path, "--athletes", "2", "--days", "10") as again:
        assert again.stack_id != running.stack_id
        assert await read_user_ids(tmp_path) == users
        assert await again.end(signal.SIGTERM) == 130
        assert not list_stack_pids(again.stack_id)


@pytest.mark.long
async def test_a_start_that_fails_once_services_could_run_keeps_the_brokers_data(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        async with Supervisor() as supervisor:
            config = StackConfig(DatasetOptions(athletes=1, days=5), tmp_path, taken.getsockname()[1])
            with pytest.raises(StackError, match=r"^web ended"):
                async with running_stack(config, supervisor, discard_report):
                    pass
    kept = tmp_path / "rabbitmq" / "kept"
    kept.touch()
    async with Supervisor() as supervisor, private_servers(tmp_path, supervisor):
        assert kept.exists()


@pytest.mark.long
async def test_a_second_demo_in_the_same_folder_is_told_so_in_one_line(tmp_path: Path) -> None:
    async with demo(tmp_path, "--athletes", "1", "--days", "5") as running:
        port = str(reserve_ports(1)[0])
        second = await asyncio.create_subprocess_exec(
            DEVSTACK, "demo", "--folder", str(tmp_path), "--port", port, stderr=asyncio.subprocess.PIPE
        )
        _, err = await second.communicate()
        assert second.returncode == 2
        assert f"already running in {tmp_path} (pid {running.process.pid})" in err.decode()
        taken = await asyncio.create_subprocess_exec(
            DEVSTACK,
            *("demo", "--folder", str(tmp_path / "other"), "--port", running.url.rpartition(":")[2]),
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "COLUMNS": "200"},
        )
        _, err = await taken.communicate()
        assert taken.returncode == 2
        assert "is in use; choose another with PORT=" in err.decode()
        await running.end(signal.SIGTERM)
