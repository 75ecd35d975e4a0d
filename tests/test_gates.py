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


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The project without its tests and data, to plant violations in."""
    ignored = shutil.ignore_patterns("__pycache__", "tests", "static", "*.egg-info")
    for folder in ("libs", "services", "scripts"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / ".venv").symlink_to(BIN.parent)
    return tmp_path


def plant(root: Path, file: str, line: str) -> None:
    path = root / file
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    path.write_text(f"{before}\n{line}\n", encoding="utf-8")


def run(root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    sources = os.pathsep.join(str(path) for path in sorted(root.glob("*/*/src")))
    program = [str(BIN / command[0]) if (BIN / command[0]).exists() else command[0], *command[1:]]
    return subprocess.run(
        program, cwd=root, env={**os.environ, "PYTHONPATH": sources}, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("services/sync/src/sync/handlers.py", "import leaderboard.handlers", "No service imports another"),
        ("libs/shared/src/shared/loops.py", "import auth.domain", "Services stand on shared"),
        ("services/web/src/web/pages.py", "import stravasim.clock", "Services stand on shared"),
        ("libs/devstack/src/devstack/smoke.py", "import ingest.domain", "imports no service"),
        ("services/ingest/src/ingest/domain.py", "import random", "Rules have no clock"),
        ("services/leaderboard/src/leaderboard/domain/ranking.py", "import sqlalchemy", "Rules have no clock"),
        ("services/auth/src/auth/queries.py", "import auth.api", "Layers of auth"),
        ("services/leaderboard/src/leaderboard/handlers.py", "import leaderboard.api", "Layers of leaderboard"),
        ("services/ingest/src/ingest/utils.py", "", "Layers of ingest"),
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
    plant(copy, "services/ingest/src/ingest/domain.py", "import httpx")
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


def test_the_rules_ask_no_clock_even_through_the_types_they_may_use() -> None:
    for path in [*ROOT.glob("services/*/src/*/domain.py"), *ROOT.glob("services/*/src/*/domain/*.py")]:
        text = path.read_text(encoding="utf-8")
        assert ".now(" not in text, path
        assert ".today(" not in text, path
