"""Debian packages unpacked into the user's own cache, without root and without changes to the system."""

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from devstack.errors import StackError

COMMAND_SECONDS = 900
STATUS = Path("/var/lib/dpkg/status")
#: Scripts that contain the path of their home folder: pattern -> the assignment to change.
HOMES = (
    ("usr/lib/erlang/bin/*", "ROOTDIR=/usr/lib/erlang"),
    ("usr/lib/erlang/erts-*/bin/*", "ROOTDIR=/usr/lib/erlang"),
    ("usr/bin/chromium", "LIBDIR=/usr/lib/$APPNAME"),
)


def cache_folder() -> Path:
    """The folder of this user's unpacked packages."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    try:
        return base.expanduser().absolute() / "gruppetto" / "packages"
    except RuntimeError:
        raise StackError("you have no home folder; set XDG_CACHE_HOME to a folder for downloads") from None


def ensure_unpacked(package: str, relative: str, report: Callable[[str], None]) -> Path:
    """The folder with the unpacked package and its dependencies, which are downloaded on the first call.

    `relative` is the path of the wanted program in it. Raises StackError when the package cannot be unpacked.
    """
    cache = cache_folder()
    root = cache / f"{package}-{_system_key()}"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with (cache / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not os.access(root / relative, os.X_OK):
                report(f"fetching {package} into {cache}, once")
                _fetch(package, relative, root)
    except OSError as error:
        raise StackError(f"cannot unpack {package} into {cache}: {error.strerror or error}") from error
    return root


def build_environment(root: Path) -> dict[str, str]:
    """The variables with which programs below this root find each other and their libraries."""
    programs = [root / "usr/lib/erlang/bin", root / "usr/bin", root / "usr/sbin", root / "bin"]
    libraries = {path.parent for path in root.rglob("*.so*") if "-linux-gnu" in str(path.parent)}
    return {
        "PATH": ":".join([*(str(path) for path in programs if path.is_dir()), "/usr/bin", "/bin"]),
        "LD_LIBRARY_PATH": ":".join(sorted(str(path) for path in libraries)),
    }


def run_command(argv: Sequence[str], purpose: str) -> None:
    """Run a command to its end; an error is a StackError like "could not PURPOSE: its last line", with advice."""
    try:
        result = subprocess.run(
            argv,
            capture_output=True,
            text=True,
            check=False,
            timeout=COMMAND_SECONDS,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"},
        )
    except (OSError, subprocess.SubprocessError) as error:
        reason = str(error)
    else:
        if result.returncode == 0:
            return
        reason = (result.stderr.strip() or "no reason was given").splitlines()[-1].strip()
    raise StackError(f"could not {purpose}: {reason}; install it yourself and start again")


def _fetch(package: str, relative: str, root: Path) -> None:
    """Download and unpack into staging folders beside `root`, and rename at the end."""
    apt, staging = root.with_name(f".apt-{package}"), root.with_name(f".new-{package}")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir()
    for folder in (apt / "lists" / "partial", apt / "archives" / "partial"):
        folder.mkdir(parents=True, exist_ok=True)
    _run_apt(apt, package, "update")
    _run_apt(apt, package, "install", "--yes", "--no-install-recommends", "--download-only", package)
    for archive in sorted((apt / "archives").glob("*.deb")):
        run_command(["dpkg-deb", "--extract", str(archive), str(staging)], f"fetch {package}")
    _relocate(staging, root)
    if not os.access(staging / relative, os.X_OK):
        raise StackError(f"the package {package} has no /{relative}; install {package} yourself")
    shutil.rmtree(root, ignore_errors=True)
    staging.rename(root)
    shutil.rmtree(apt, ignore_errors=True)


def _relocate(staging: Path, root: Path) -> None:
    """Change the home folders in Debian's scripts to folders below `root`."""
    for pattern, setting in HOMES:
        for script in staging.glob(pattern):
            if script.is_file() and not script.is_symlink() and script.read_bytes()[:2] == b"#!":
                name, _, home = setting.partition("=")
                text = script.read_text(encoding="utf-8")
                script.write_text(text.replace(setting, f'{name}="{root}"{home}'), encoding="utf-8")


def _run_apt(apt: Path, package: str, *words: str) -> None:
    settings = {
        "Dir::State": apt,
        "Dir::State::lists": apt / "lists",
        "Dir::State::status": STATUS,
        "Dir::Cache": apt,
        "Dir::Cache::archives": apt / "archives",
        "Debug::NoLocking": "1",
        # Otherwise a system that is configured to delete its downloads would delete these.
        "Binary::apt-get::APT::Keep-Downloaded-Packages": "1",
    }
    options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
    run_command(["apt-get", "-qq", *options, *words], f"fetch {package}")


def _system_key() -> str:
    """Differs between releases of the operating system, because the packages depend on its libraries."""
    return hashlib.sha256(Path("/etc/os-release").read_bytes()).hexdigest()[:8]
