"""Reserves TCP ports, across all stacks of all users on this machine."""

import random
import socket
from contextlib import closing

from devstack.errors import StackError

# Below the kernel's range for outgoing connections (from 32768), so that no client gets one of them.
FIRST_PORT, LAST_PORT = 20_000, 29_999

_reservations: dict[int, int] = {}  # port -> descriptor of the socket that reserves it


def reserve_ports(count: int) -> list[int]:
    """Choose `count` free TCP ports on 127.0.0.1, reserved until we end or release them; else StackError."""
    chosen: list[int] = []
    candidates = random.sample(range(FIRST_PORT, LAST_PORT + 1), LAST_PORT + 1 - FIRST_PORT)
    for port in candidates:
        if len(chosen) == count:
            break
        if _try_reserve(port):
            chosen.append(port)
    if len(chosen) < count:
        release_ports(chosen)
        raise StackError(
            f"no {count} free ports between {FIRST_PORT} and {LAST_PORT}; stop another stack and try again"
        )
    return chosen


def release_ports(ports: list[int]) -> None:
    """Make these ports available to other stacks again; ports that are not reserved are ignored."""
    for port in ports:
        descriptor = _reservations.pop(port, None)
        if descriptor is not None:
            socket.close(descriptor)


def require_free_port(port: int, setting_name: str) -> None:
    """Raise StackError, which names the setting, when 127.0.0.1:port is in use or not allowed."""
    with closing(_make_tcp_socket()) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except PermissionError:
            raise StackError(f"port {port} needs root; choose one above 1023 with {setting_name}=...") from None
        except OSError:
            raise StackError(f"port {port} is in use; choose another with {setting_name}=...") from None


def _try_reserve(port: int) -> bool:
    """Reserve the port if it is free. The lock is an abstract socket: shared by all users, and gone after a crash."""
    lock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        lock.bind(f"\0gruppetto-port-{port}")
        for address in ("127.0.0.1", "0.0.0.0"):
            with closing(_make_tcp_socket()) as probe:
                probe.bind((address, port))
    except OSError:
        lock.close()
        return False
    _reservations[port] = lock.detach()
    return True


def _make_tcp_socket() -> socket.socket:
    probe = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    # As servers do: connections in TIME_WAIT of an earlier server do not block the port.
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return probe
