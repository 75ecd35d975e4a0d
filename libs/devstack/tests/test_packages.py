import os
import subprocess
from pathlib import Path

import pytest

from devstack.errors import StackError
from devstack.process.supervisor import Supervisor
from devstack.servers import deb_cache, packages
from devstack.servers.rabbitmq import IMAGE, RabbitServer, find_rabbitmq
from testkit.waiting import block_until


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for fake system commands, first in PATH; root is not available."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(packages, "_find_root_prefix", lambda: None)
    return folder


def write_fake(folder: Path, name: str, script: str) -> None:
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A Debian package with one program in it."""
    tree = tmp_path / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN" / "control").write_text(
        "Package: greeter\nVersion: 1\nArchitecture: all\nMaintainer: us\nDescription: greets\n"
    )
    (tree / "usr" / "bin").mkdir(parents=True)
    write_fake(tree / "usr" / "bin", "gruppetto-greeter", "echo hello")
    file = tmp_path / "greeter_1_all.deb"
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", tree, file], check=True, capture_output=True)
    return file


def test_a_program_of_the_system_is_used_as_it_is():
    assert packages.ensure_program("sh", "dash", pytest.fail).path == Path("/usr/bin/sh")


def test_without_root_the_package_is_unpacked_once_for_this_user(commands: Path, package: Path):
    apt = "for word; do case $word in Dir::Cache::archives=*) archives=${word#*=};; install) install=1;; esac; done\n"
    apt += f'if [ "$install" ]; then cp {package} "$archives"; echo fetched >> {commands}/log; fi'
    write_fake(commands, "apt-get", apt)
    reported: list[str] = []
    for _ in range(2):
        program = packages.ensure_program("gruppetto-greeter", "greeter", reported.append)
        run = subprocess.run([program.path], env=program.env, capture_output=True, text=True, check=True)
        assert run.stdout == "hello\n"
    assert program.path.is_relative_to(deb_cache.cache_folder())
    assert (commands / "log").read_text() == "fetched\n"
    assert len(reported) == 1


def test_only_services_that_came_with_the_package_are_disabled(
    commands: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    systemd = tmp_path / "systemd"
    systemd.mkdir()
    script = packages._INSTALL.replace("/run/systemd/system", str(systemd))
    script = script.replace("/usr/sbin/policy-rc.d", str(tmp_path / "policy")).replace("/run/lock", str(tmp_path))
    monkeypatch.setattr(packages, "_INSTALL", script)
    write_fake(commands, "apt-get", f"case $* in *install*) touch {systemd}/new.service {systemd}/new.socket;; esac")
    log = commands / "log"
    write_fake(commands, "systemctl", f'case $1 in cat) test -e {systemd}/$2;; disable) echo "$3" >> {log};; esac')
    (systemd / "old.service").touch()
    packages._install_package([], "greeter", ("new.service", "old.service", "new.socket"))
    assert log.read_text().split() == ["new.service", "new.socket"]


def test_what_cannot_be_fetched_is_named_in_one_line(commands: Path):
    write_fake(commands, "apt-get", "echo 'E: no network' >&2; exit 100")
    with pytest.raises(StackError, match=r"^could not fetch greeter: E: no network; install it yourself"):
        packages.ensure_program("gruppetto-greeter", "greeter", lambda _: None)


def test_a_machine_without_apt_says_what_to_install(commands: Path, monkeypatch):
    monkeypatch.setenv("PATH", str(commands))
    with pytest.raises(StackError, match=r"^greeter is missing; install it with your system's package manager"):
        packages.ensure_program("gruppetto-greeter", "greeter", lambda _: None)


async def test_a_docker_engine_runs_the_broker_and_its_container_is_removed(commands: Path, tmp_path: Path):
    log = commands / "log"
    write_fake(commands, "docker", f'echo "$@" | tee -a {log}; case $1 in run) exec sleep 60;; esac')
    assert find_rabbitmq(pytest.fail) is None
    async with Supervisor() as supervisor:
        server = RabbitServer(tmp_path / "rabbitmq", 23456, 23457, None)
        server.folder.mkdir()
        server._prepare_folder()
        await server._start_container(supervisor)
        block_until(lambda: "run --rm" in log.read_text())
    *_, run, removal = log.read_text().splitlines()
    name = run.split("--name ")[1].split()[0]
    assert "--publish 127.0.0.1:23456:5672" in run
    assert run.endswith(IMAGE)
    assert removal == f"rm --force --volumes {name}"


def test_a_busy_engine_that_has_the_image_runs_the_broker(commands: Path):
    write_fake(commands, "docker", "case $1 in version) exec sleep 60;; *) echo yes;; esac")
    assert find_rabbitmq(pytest.fail) is None


def test_a_docker_that_does_not_answer_is_passed_over(commands: Path, monkeypatch):
    write_fake(commands, "docker", "exit 1")
    monkeypatch.setattr("devstack.servers.rabbitmq.ensure_program", lambda *_, **__: packages.Program(Path("/found")))
    found = find_rabbitmq(pytest.fail)
    assert found is not None
    assert found.path == Path("/found")
