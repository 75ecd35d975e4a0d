"""Finds programs of the operating system; installs missing ones as root, else unpacks them for this user."""

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from devstack.errors import StackError
from devstack.servers import deb_cache

SUDO_SECONDS = 10

# One shell script, so that sudo runs a single command. The policy file keeps Debian from starting the package's
# services; an existing one that is not ours is kept. Arguments: the package, its services.
_INSTALL = r"""
set -eu
export DEBIAN_FRONTEND=noninteractive
package=$1; shift
exec 9>/run/lock/gruppetto-install
flock 9
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ] || grep -q 'made by gruppetto' $policy; then
    trap "rm -f $policy" EXIT
    trap 'exit 1' INT TERM HUP
    printf '#!/bin/sh\n# made by gruppetto for one installation\nexit 101\n' > $policy
    chmod 755 $policy
fi
systemd=/run/systemd/system
came=
if [ -d $systemd ]; then  # services that exist already are not ours to disable
    for service; do systemctl cat "$service" >/dev/null 2>&1 || came="$came $service"; done
fi
options='-qq -o DPkg::Lock::Timeout=120 -o Dpkg::Use-Pty=0'
install() { apt-get $options install -y --no-install-recommends "$package" 9>&-; }
if ls /var/lib/apt/lists/*Packages* >/dev/null 2>&1 && install; then :; else
    apt-get $options update 9>&-
    install
fi
for service in $came; do systemctl disable --quiet "$service" 9>&- || true; done
"""


@dataclass(frozen=True)
class Program:
    """An executable, and the variables that it needs in its environment."""

    path: Path
    env: dict[str, str] = field(default_factory=dict)


def ensure_program(
    program: str, package: str, report: Callable[[str], None], *, services: tuple[str, ...] = ()
) -> Program:
    """The program, which is installed if missing; `program` is its path below the root, or its name in usr/bin.

    `services` are system services of the package that must not run. Raises StackError that says what to install.
    """
    relative = program if "/" in program else f"usr/bin/{program}"
    found = find_program(relative)
    if found is not None:
        return found
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise StackError(f"{package} is missing; install it with your system's package manager and start again")
    root_prefix = _find_root_prefix()
    if root_prefix is not None:
        report(f"installing {package} with apt-get, once")
        _install_package(root_prefix, package, services)
        found = find_program(relative)
        if found is None:
            raise StackError(f"{package} was installed, but /{relative} is not there")
        return found
    root = deb_cache.ensure_unpacked(package, relative, report)
    return Program(root / relative, deb_cache.build_environment(root))


def find_program(relative: str) -> Program | None:
    """The program as installed on the system; None when it is missing."""
    installed = Path("/") / relative
    if os.access(installed, os.X_OK):
        return Program(installed)
    elsewhere = shutil.which(installed.name)
    # Debian's wrapper in /usr/sbin only works for root and the service's user.
    if elsewhere is not None and not elsewhere.startswith(("/usr/sbin/", "/sbin/")):
        return Program(Path(elsewhere))
    return None


def _find_root_prefix() -> list[str] | None:
    """The command prefix to run a program as root, with sudo only without a password; None when not allowed."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") is None:
        return None
    try:
        allowed = subprocess.run(
            ["sudo", "-n", "true"], capture_output=True, check=False, timeout=SUDO_SECONDS, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return ["sudo", "-n"] if allowed.returncode == 0 else None


def _install_package(root_prefix: list[str], package: str, services: tuple[str, ...]) -> None:
    deb_cache.run_command([*root_prefix, "sh", "-c", _INSTALL, "install", package, *services], f"install {package}")
