"""Debian packages unpacked into the user's own cache: no root, nothing of the system is changed."""

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from devstack.errors import StackError

APT_SECONDS = 900
STATUS = Path("/var/lib/dpkg/status")
HOMES = (
    ("usr/lib/erlang/bin/*", "ROOTDIR=/usr/lib/erlang"),
    ("usr/lib/erlang/erts-*/bin/*", "ROOTDIR=/usr/lib/erlang"),
    ("usr/bin/chromium", "LIBDIR=/usr/lib/$APPNAME"),
)


def cache_folder() -> Path:
    """Where this user's unpacked packages live."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    try:
        return base.expanduser().absolute() / "gruppetto" / "packages"
    except RuntimeError:
        raise StackError("you have no home folder; set XDG_CACHE_HOME to a folder for downloads") from None


def ensure_unpacked(package: str, relative: str, report: Callable[[str], None]) -> Path:
    """The folder below which the package and what it needs are unpacked; fetched on the first call.

    Raises StackError when that does not work here.
    """
    cache = cache_folder()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with _locked(cache / ".lock"):
            for root in sorted(cache.glob(f"{package}-{_system_key()}-*")):
                if os.access(root / relative, os.X_OK):
                    return root
            report(f"fetching {package} into {cache}, once")
            return _fetch(package, relative, cache)
    except OSError as error:
        raise StackError(f"cannot unpack {package} into {cache}: {error.strerror or error}") from error


def environment(root: Path) -> dict[str, str]:
    """What programs below this root need to find each other and their libraries."""
    programs = [root / "usr/lib/erlang/bin", root / "usr/bin", root / "usr/sbin", root / "bin"]
    libraries = {path.parent for path in root.rglob("*.so*") if "-linux-gnu" in str(path.parent)}
    return {
        "PATH": ":".join([*(str(path) for path in programs if path.is_dir()), "/usr/bin", "/bin"]),
        "LD_LIBRARY_PATH": ":".join(sorted(str(path) for path in libraries)),
    }


def last_line(text: str) -> str:
    """The last line that says something."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "no reason was given")


def _fetch(package: str, relative: str, cache: Path) -> Path:
    apt = cache / f".apt-{package}"
    archives = apt / "archives"
    for folder in (apt / "lists" / "partial", archives / "partial"):
        folder.mkdir(parents=True, exist_ok=True)
    for leftover in cache.glob(".new-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    _apt(apt, package, "update")
    _apt(apt, package, "install", "--yes", "--no-install-recommends", "--download-only", package)
    packages = sorted(archives.glob("*.deb"))
    digest = hashlib.sha256("\n".join(path.name for path in packages).encode()).hexdigest()[:12]
    root = cache / f"{package}-{_system_key()}-{digest}"
    beside = cache / f".new-{package}-{digest}"
    beside.mkdir()
    for path in packages:
        _run(["dpkg-deb", "--extract", str(path), str(beside)], package)
    _relocate(beside, root)
    if not os.access(beside / relative, os.X_OK):
        raise StackError(f"the package {package} has no /{relative}; install {package} yourself")
    shutil.rmtree(root, ignore_errors=True)
    beside.rename(root)
    shutil.rmtree(apt, ignore_errors=True)
    return root


def _relocate(beside: Path, root: Path) -> None:
    """Some of Debian's scripts name their home by its installed path."""
    for pattern, setting in HOMES:
        for script in beside.glob(pattern):
            if script.is_file() and not script.is_symlink() and script.read_bytes()[:2] == b"#!":
                name, _, home = setting.partition("=")
                text = script.read_text(encoding="utf-8")
                script.write_text(text.replace(setting, f'{name}="{root}"{home}'), encoding="utf-8")


def _apt(apt: Path, package: str, *words: str) -> None:
    settings = {
        "Dir::State": apt,
        "Dir::State::lists": apt / "lists",
        "Dir::State::status": STATUS,
        "Dir::Cache": apt,
        "Dir::Cache::archives": apt / "archives",
        "Debug::NoLocking": "1",
        # Otherwise a system that cleans its own cache after each download cleans ours.
        "Binary::apt-get::APT::Keep-Downloaded-Packages": "1",
    }
    options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
    _run(["apt-get", "-qq", *options, *words], package)


def _run(argv: list[str], package: str) -> None:
    try:
        result = subprocess.run(
            argv,
            capture_output=True,
            text=True,
            check=False,
            timeout=APT_SECONDS,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"},
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise StackError(f"could not fetch {package}: {error}; install it yourself and start again") from None
    if result.returncode != 0:
        reason = last_line(result.stderr)
        raise StackError(f"could not fetch {package}: {reason}; install it yourself and start again")


def _system_key() -> str:
    """Changes with the release of the operating system, whose libraries the packages were chosen for."""
    return hashlib.sha256(Path("/etc/os-release").read_bytes()).hexdigest()[:8]


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
