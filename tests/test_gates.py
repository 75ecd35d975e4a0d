"""Each lint gate bites: a violation planted in a copy of the project makes it fail."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
LINT_IMPORTS = ("lint-imports", "--no-cache")
CONTRACTS = ("gruppetto", "contracts", "check")
COMMITTER = ("-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The project without its tests and data, to plant violations in."""
    ignored = shutil.ignore_patterns("__pycache__", "tests", "static", "*.egg-info", "node_modules")
    for folder in ("libs", "services", "scripts", "docs/events"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / ".venv").symlink_to(BIN.parent)
    return tmp_path


def plant(root: Path, file: str, line: str) -> None:
    path = root / file
    path.parent.mkdir(exist_ok=True)
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    path.write_text(f"{before}\n{line}\n", encoding="utf-8")


def change(root: Path, file: str, old: str, new: str) -> None:
    path = root / file
    before = path.read_text(encoding="utf-8")
    assert old in before
    path.write_text(before.replace(old, new, 1), encoding="utf-8")


def run(root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    sources = os.pathsep.join(str(path) for path in sorted(root.glob("*/*/src")))
    program = [str(BIN / command[0]) if (BIN / command[0]).exists() else command[0], *command[1:]]
    outside = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}  # set inside a hook
    return subprocess.run(
        program, cwd=root, env={**outside, "PYTHONPATH": sources}, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("services/sync/src/sync/jobs/handlers.py", "import leaderboard.seed", "No service imports another"),
        ("libs/shared/src/shared/loops.py", "import auth.rules", "Services stand on shared"),
        ("services/web/src/web/boards/routes.py", "import stravasim.clock", "Services stand on shared"),
        ("libs/devstack/src/devstack/stack/smoke.py", "import ingest.recording", "imports no service"),
        ("libs/devstack/src/devstack/process/ports.py", "import devstack.servers.roles", "Layers of devstack"),
        ("libs/devstack/src/devstack/process/reaper.py", "import devstack.process.log", "Scripts that are started"),
        ("services/ingest/src/ingest/recording/rules/mapping.py", "import random", "Rules have no clock"),
        ("services/leaderboard/src/leaderboard/standings/rules/ranking.py", "import sqlalchemy", "Rules have no"),
        ("services/leaderboard/src/leaderboard/challenges/exports.py", "", "Layers of leaderboard's features"),
        ("services/leaderboard/src/leaderboard/medals/__init__.py", "", "Features of leaderboard"),
        ("services/auth/src/auth/users/queries.py", "import auth.users.routes", "Layers of auth's features"),
        ("services/leaderboard/src/leaderboard/challenges/queries.py", "import leaderboard.standings", "Features of"),
        (
            "services/leaderboard/src/leaderboard/challenges/rules.py",
            "import leaderboard.tables",
            "Rules have no clock",
        ),
        ("services/sync/src/sync/jobs/rules.py", "import sync.tables", "Rules have no clock"),
        ("services/sync/src/sync/jobs/queries.py", "import sync.fetching", "Features of sync"),
        ("services/web/src/web/http/rendering.py", "import web.boards.routes", "Features of web"),
        ("services/web/src/web/boards/filtered.py", "import web.boards.routes", "Layers of web's features"),
        ("services/web/src/web/boards/rules.py", "import web.tables", "Rules have no clock"),
        ("services/web/src/web/http/assets.py", "import web.http.cookies", "Layers of web's pages"),
        ("services/web/src/web/clients/feeds.py", "", "Layers of the HTTP clients"),
        ("services/ingest/src/ingest/utils.py", "", "Features of ingest"),
        ("libs/stravasim/src/stravasim/strava/oauth.py", "import asyncio", "Strava's rules have no clock"),
        ("libs/stravasim/src/stravasim/dataset/cache.py", "import stravasim.http.openapi", "Layers of stravasim"),
    ],
)
def test_the_import_contracts_catch_a_wrong_import(copy: Path, file: str, line: str, contract: str) -> None:
    plant(copy, file, line)
    result = run(copy, *LINT_IMPORTS)
    assert result.returncode != 0
    broken = [row for row in result.stdout.splitlines() if "BROKEN" in row]
    assert any(contract in row for row in broken), result.stdout


def test_the_import_contracts_hold_for_the_copy_itself(copy: Path) -> None:
    result = run(copy, *LINT_IMPORTS)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("command", "line", "complaint"),
    [
        (("mypy",), "count: int = 'many'", "Incompatible types"),
        (("mypy",), "def untyped(value):\n    return value", "no-untyped-def"),
        (("ruff", "check"), "import os\n\nprint(os.environ['HOME'])", "TID251"),
        (("ruff", "check"), "from datetime import datetime\n\nnow = datetime.now()", "DTZ005"),
        (("ruff", "format", "--check"), "x   =   1", "reformat"),
        (("vulture",), "def never():\n    return 1\n    print('after')", "unreachable"),
    ],
)
def test_the_other_gates_catch_a_planted_line(
    copy: Path, command: tuple[str, ...], line: str, complaint: str
) -> None:
    planted = "services/sync/src/sync/planted.py"
    plant(copy, planted, line)
    result = run(copy, *command, planted)
    assert result.returncode != 0
    assert complaint in result.stdout + result.stderr


def test_an_undeclared_import_is_caught(copy: Path) -> None:
    plant(copy, "services/ingest/src/ingest/rules.py", "import httpx")
    result = run(copy, "bash", "scripts/deptry.sh", "services/ingest")
    assert result.returncode != 0
    assert "DEP003" in result.stdout + result.stderr


def test_an_unused_dependency_is_caught(copy: Path) -> None:
    project = copy / "services/ingest/pyproject.toml"
    text = project.read_text(encoding="utf-8")
    project.write_text(text.replace("dependencies = [", 'dependencies = [\n    "httpx",'), encoding="utf-8")
    result = run(copy, "bash", "scripts/deptry.sh", "services/ingest")
    assert result.returncode != 0
    assert "DEP002" in result.stdout + result.stderr


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("    display_name: str\n", "", "`display_name` is removed"),
        ("    is_admin: bool\n", "    is_admin: str\n", "`is_admin` was boolean and is string now"),
        ("    is_admin: bool\n", "    is_admin: bool\n    city: str\n", "`city` is newly required"),
        ("    is_admin: bool\n", "    is_admin: bool = False\n", "`is_admin` is no longer required"),
        ('Literal["fetched", "restored"]', 'Literal["fetched"]', '`reason` does not allow "restored" any more'),
        ("distance_m: float = Field(ge=0)", "distance_m: float = Field(ge=1)", "`minimum` was 0 and is 1 now"),
    ],
)
def test_a_change_that_breaks_an_event_s_consumers_is_caught(copy: Path, old: str, new: str, complaint: str) -> None:
    sources = sorted((copy / "libs/shared/src/shared/contracts/events").glob("*.py"))
    [source] = [path for path in sources if old in path.read_text(encoding="utf-8")]
    change(copy, str(source.relative_to(copy)), old, new)
    result = run(copy, *CONTRACTS)
    assert result.returncode == 1
    assert complaint in result.stderr


def test_a_schema_edited_by_hand_is_caught_even_when_the_code_follows_it(copy: Path) -> None:
    schema = "docs/events/user.authorized.v1.schema.json"
    change(copy, schema, '"properties": {', '"properties": {"city": {"type": "string"},')
    stale = run(copy, *CONTRACTS)
    assert stale.returncode == 1
    assert "run `make events`" in stale.stderr
    for command in (("init", "-q"), ("add", "docs"), (*COMMITTER, "commit", "-q", "-m", "published with a city")):
        assert run(copy, "git", *command).returncode == 0
    shutil.copy(ROOT / schema, copy / schema)
    result = run(copy, *CONTRACTS)
    assert result.returncode == 1
    assert "`city` is removed" in result.stderr


def test_a_broken_asyncapi_document_is_caught(copy: Path) -> None:
    installed = run(ROOT, "bash", "scripts/asyncapi.sh")
    assert installed.returncode == 0, installed.stdout + installed.stderr
    (copy / "scripts/asyncapi/node_modules").symlink_to(ROOT / "scripts/asyncapi/node_modules")
    change(copy, "docs/events/asyncapi.json", '"action": "send"', '"action": "shout"')
    result = run(copy, "bash", "scripts/asyncapi.sh")
    assert result.returncode == 1
    assert '"action" property must be equal to one of the allowed values' in result.stdout


def test_the_rules_ask_no_clock_even_through_the_types_they_may_use() -> None:
    for path in [*ROOT.glob("services/*/src/*/domain.py"), *ROOT.glob("services/*/src/*/domain/*.py")]:
        text = path.read_text(encoding="utf-8")
        assert ".now(" not in text, path
        assert ".today(" not in text, path
