"""Programs of the operating system: found, installed where that is allowed, or unpacked for this user alone."""

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from devstack.errors import StackError
from devstack.servers import deb_cache

INSTALL_SECONDS = 900
SUDO_SECONDS = 10

# One shell script, because with sudo it is the smallest thing to run as root. The policy keeps Debian from
# starting the package's services; one that somebody else made stays. Arguments: the package, its services.
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
if [ -d $systemd ]; then  # what was there before is somebody else's
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
    """An executable, the folder it was installed below, and what its environment needs on top."""

    path: Path
    root: Path = Path("/")
    env: dict[str, str] = field(default_factory=dict)


def ensure_program(
    program: str, package: str, report: Callable[[str], None], *, services: tuple[str, ...] = ()
) -> Program:
    """The program, installed when it is missing; `program` is its path below the root, or a name in usr/bin.

    `services` are system services of the package that must not run. Raises StackError saying what to install.
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
    return ensure_private_program(relative, package, report)


def ensure_private_program(relative: str, package: str, report: Callable[[str], None]) -> Program:
    """The program from packages unpacked into this user's cache; needs no rights."""
    root = deb_cache.ensure_unpacked(package, relative, report)
    return Program(root / relative, root, deb_cache.environment(root))


def find_program(relative: str) -> Program | None:
    """The program where the system has it, if it does."""
    installed = Path("/") / relative
    if os.access(installed, os.X_OK):
        return Program(installed)
    elsewhere = shutil.which(installed.name)
    # Debian's own command of this name, in /usr/sbin, refuses everyone but root and its service user.
    if elsewhere is not None and not elsewhere.startswith(("/usr/sbin/", "/sbin/")):
        return Program(Path(elsewhere))
    return None


def _find_root_prefix() -> list[str] | None:
    """How to run something as root: directly, or with a sudo that asks nothing; None when we may not."""
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
    argv = [*root_prefix, "sh", "-c", _INSTALL, "install", package, *services]
    try:
        result = subprocess.run(
            argv,
            capture_output=True,
            text=True,
            check=False,
            timeout=INSTALL_SECONDS,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise StackError(f"could not install {package}: {error}") from None
    if result.returncode != 0:
        reason = deb_cache.last_line(result.stderr)
        raise StackError(f"could not install {package}: {reason}; install it yourself and start again")
