import multiprocessing
import socket

import pytest

from devstack.errors import StackError
from devstack.process import ports


def choose(count: int) -> list[int]:
    return ports.reserve_ports(count)


def test_ports_are_distinct_and_free():
    chosen = ports.reserve_ports(20)
    assert len(set(chosen)) == 20
    for port in chosen:
        ports.require_free_port(port, "PORT")
    ports.release_ports(chosen)


def test_two_processes_never_get_the_same_port(monkeypatch):
    monkeypatch.setattr(ports, "FIRST_PORT", 29_000)
    monkeypatch.setattr(ports, "LAST_PORT", 29_039)
    mine = ports.reserve_ports(15)
    with multiprocessing.get_context("fork").Pool(1) as other:
        theirs = other.apply(choose, (15,))
    ports.release_ports(mine)
    assert len(theirs) == 15
    assert not set(mine) & set(theirs)


def test_a_port_in_use_is_named_with_its_setting():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(StackError, match=rf"^port {port} is in use; choose another with PORT=\.\.\.$"):
            ports.require_free_port(port, "PORT")


def test_ports_that_a_server_holds_are_not_chosen(monkeypatch):
    monkeypatch.setattr(ports, "FIRST_PORT", 29_040)
    monkeypatch.setattr(ports, "LAST_PORT", 29_041)
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 29_040))
        taken.listen()
        with pytest.raises(StackError, match="no 2 free ports"):
            ports.reserve_ports(2)
