"""Ports that no other stack on this machine will take, whoever runs it."""

import random
import socket
from contextlib import closing

from devstack.errors import StackError

# Below the kernel's own range for outgoing connections (from 32768), so that no client takes one meanwhile.
FIRST_PORT, LAST_PORT = 20_000, 29_999

_reservations: dict[int, int] = {}  # port -> descriptor of the reservation, for the life of this process


def reserve_ports(count: int) -> list[int]:
    """Distinct free TCP ports on 127.0.0.1, reserved for this process until it ends or gives them back."""
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
    """Let other stacks use these ports again."""
    for port in ports:
        descriptor = _reservations.pop(port, None)
        if descriptor is not None:
            socket.close(descriptor)


def require_free_port(port: int, setting_name: str) -> None:
    """Raise StackError when something already listens on 127.0.0.1:port, or the port may not be used."""
    with closing(_make_tcp_socket()) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except PermissionError:
            raise StackError(f"port {port} needs root; choose one above 1023 with {setting_name}=...") from None
        except OverflowError:
            raise StackError(f"{port} is not a port; choose one below 65536 with {setting_name}=...") from None
        except OSError:
            raise StackError(f"port {port} is in use; choose another with {setting_name}=...") from None


def _try_reserve(port: int) -> bool:
    """Take the port for this process: an abstract socket is a lock that all users share and no crash leaves."""
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
    # As servers do: connections of an earlier server in TIME_WAIT do not make a port busy.
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return probe
