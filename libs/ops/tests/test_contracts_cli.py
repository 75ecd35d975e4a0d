"""`gruppetto contracts`, on a checkout of its own: what it writes, refuses and finds."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Literal

import pytest
from typer.testing import CliRunner, Result

from ops import contracts_cli
from shared.contracts.events import EVENTS, ActivityRemoved, Event, StandingsChanged

ROOT = Path(__file__).parents[3]
REMOVED = Path("docs/events/activity.removed.v1.schema.json")


class WithoutField(Event):
    """A recorded activity is gone."""

    topic = "activity.removed"
    producer = "ingest"

    strava_id: int
    version: int
    reason: Literal["not_listed", "deleted", "not_found", "unreadable", "private", "expired"]


class WithOptionalField(ActivityRemoved):
    """A recorded activity is gone."""

    note: str | None = None


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with everything as the code gives it, and no history."""
    (tmp_path / "docs/events").mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    for event in EVENTS:
        sample = Path("docs/events") / f"{event.routing_key()}.json"
        (tmp_path / sample).write_bytes((ROOT / sample).read_bytes())
    assert contracts(tmp_path, "write").exit_code == 0
    return tmp_path


def contracts(root: Path, command: str) -> Result:
    return CliRunner().invoke(contracts_cli.contracts_app, [command, "--root", str(root)])


def git(root: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
    outside = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    subprocess.run(["git", *identity, *arguments], cwd=root, env=outside, check=True, capture_output=True)


def commit(root: Path) -> None:
    git(root, "init", "--quiet")
    git(root, "add", "docs")
    git(root, "commit", "--quiet", "--message", "contracts")


def replaced(monkeypatch: pytest.MonkeyPatch, other: type[Event] | None) -> None:
    """Let the commands see another class, or none, in the place of ActivityRemoved."""
    kept = [other if event is ActivityRemoved else event for event in EVENTS]
    monkeypatch.setattr(contracts_cli, "EVENTS", tuple(event for event in kept if event))


def edited(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | changes), encoding="utf-8")


def test_the_checkout_is_what_the_code_gives() -> None:
    result = contracts(ROOT, "check")
    assert result.exit_code == 0, result.output


def test_writing_again_changes_nothing(checkout: Path) -> None:
    before = {path: path.read_bytes() for path in checkout.glob("docs/events/*")}
    result = contracts(checkout, "write")
    assert (result.exit_code, result.output) == (0, "")
    assert {path: path.read_bytes() for path in checkout.glob("docs/events/*")} == before
    assert all(text.endswith(b"}\n") and not text.endswith(b"\n\n") for text in before.values())


def test_an_additive_change_is_written_and_then_passes(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(checkout)
    replaced(monkeypatch, WithOptionalField)
    stale = contracts(checkout, "check")
    assert stale.exit_code == 1
    assert f"{REMOVED} is not what the code gives: run `make events`." in stale.output
    assert f"wrote {REMOVED}" in contracts(checkout, "write").output
    assert contracts(checkout, "check").exit_code == 0


def test_the_document_has_the_version_of_the_project(checkout: Path) -> None:
    project = checkout / "pyproject.toml"
    project.write_text(
        re.sub(r'(?m)^version = ".*"', 'version = "7.8.9"', project.read_text(encoding="utf-8"), count=1)
    )
    contracts(checkout, "write")
    assert (
        json.loads((checkout / "docs/events/asyncapi.json").read_text(encoding="utf-8"))["info"]["version"] == "7.8.9"
    )


@pytest.mark.parametrize("text", ["", "no JSON", "[" * 100_000, "null"])
def test_a_file_that_holds_no_schema_is_written_anew(checkout: Path, text: str) -> None:
    before = (checkout / REMOVED).read_text(encoding="utf-8")
    (checkout / REMOVED).write_text(text, encoding="utf-8")
    assert f"{REMOVED} is not what the code gives" in contracts(checkout, "check").output
    assert contracts(checkout, "write").exit_code == 0
    assert (checkout / REMOVED).read_text(encoding="utf-8") == before


@pytest.mark.parametrize("command", ["write", "check"])
def test_a_breaking_change_is_refused_and_nothing_is_written(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    before = (checkout / REMOVED).read_bytes()
    replaced(monkeypatch, WithoutField)
    result = contracts(checkout, command)
    assert result.exit_code == 1
    assert "activity.removed.v1 would break its consumers: `user_id` is removed." in result.output
    assert "publish activity.removed.v2 beside it" in result.output
    assert (checkout / REMOVED).read_bytes() == before


@pytest.mark.parametrize("command", ["write", "check"])
def test_a_hand_edit_does_not_hide_what_was_published_before(checkout: Path, command: str) -> None:
    schema = json.loads((checkout / REMOVED).read_text(encoding="utf-8"))
    edited(checkout / REMOVED, properties=schema["properties"] | {"gone": {"type": "string"}})
    commit(checkout)
    (checkout / REMOVED).write_text(json.dumps(schema), encoding="utf-8")
    git(checkout, "commit", "--all", "--quiet", "--message", "by hand")
    result = contracts(checkout, command)
    assert result.exit_code == 1
    assert "`gone` is removed" in result.output


def test_a_version_that_a_merge_overruled_was_published_all_the_same(checkout: Path) -> None:
    commit(checkout)
    git(checkout, "checkout", "--quiet", "-b", "side")
    schema = json.loads((checkout / REMOVED).read_text(encoding="utf-8"))
    edited(checkout / REMOVED, properties=schema["properties"] | {"gone": {"type": "string"}})
    git(checkout, "commit", "--all", "--quiet", "--message", "published")
    git(checkout, "checkout", "--quiet", "-")
    git(checkout, "merge", "--quiet", "--no-ff", "--strategy", "ours", "side", "--message", "overruled")
    assert "`gone` is removed" in contracts(checkout, "check").output


def test_an_event_that_is_gone_keeps_its_schema_until_a_person_deletes_it(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replaced(monkeypatch, None)
    for command in ("write", "check"):
        result = contracts(checkout, command)
        assert result.exit_code == 1
        assert f"{REMOVED} has no event any more." in result.output
    (checkout / REMOVED).unlink()
    assert contracts(checkout, "write").exit_code == 0


def test_a_schema_that_is_edited_by_hand_is_found(checkout: Path) -> None:
    edited(checkout / REMOVED, description="Something else.")
    result = contracts(checkout, "check")
    assert result.exit_code == 1
    assert result.output == f"{REMOVED} is not what the code gives: run `make events`.\n"


def test_what_is_not_a_schema_is_written_anew(checkout: Path) -> None:
    for rubbish in (b"<<<<<<< HEAD", b"[]", b'{"type": 5}', b"\xff"):
        (checkout / REMOVED).write_bytes(rubbish)
        assert contracts(checkout, "write").exit_code == 0
        assert contracts(checkout, "check").exit_code == 0


def test_a_file_that_cannot_be_written_is_named(checkout: Path) -> None:
    (checkout / REMOVED).unlink()
    (checkout / REMOVED).mkdir()
    result = contracts(checkout, "write")
    assert result.exit_code == 1
    assert result.output == f"{checkout / REMOVED} cannot be written: Is a directory.\n"


def test_a_missing_or_broken_sample_is_named(checkout: Path) -> None:
    missing, broken = (checkout / f"docs/events/{name}.v1.json" for name in ("activity.removed", "standings.changed"))
    missing.unlink()
    edited(broken, revision="many", first_day="tomorrow")
    assert contracts(checkout, "write").exit_code == 0, "a new event gets its schema before its sample"
    result = contracts(checkout, "check")
    assert result.exit_code == 1
    assert sorted(result.output.splitlines()) == [
        "docs/events/activity.removed.v1.json is missing or is not JSON: store one message there as a sample.",
        "docs/events/standings.changed.v1.json does not follow its schema: $.first_day: 'tomorrow' is not a 'date'.",
        "docs/events/standings.changed.v1.json does not follow its schema: "
        "$.revision: 'many' is not of type 'integer'.",
    ]


def test_outside_of_a_checkout_the_commands_say_so(tmp_path: Path) -> None:
    result = contracts(tmp_path, "check")
    assert result.exit_code == 2
    assert "is not a checkout" in re.sub(r"[\s│]+", " ", result.output)


def test_without_git_the_files_themselves_are_the_guard(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert contracts(checkout, "check").exit_code == 0
    replaced(monkeypatch, WithoutField)
    assert "`user_id` is removed" in contracts(checkout, "write").output


def test_a_second_version_lives_beside_the_first(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class StandingsChangedV2(StandingsChanged):
        """These boards have new standings, of the whole challenge."""

        schema_version = 2

        total: int

    monkeypatch.setattr(contracts_cli, "EVENTS", (*EVENTS, StandingsChangedV2))
    assert "wrote docs/events/standings.changed.v2.schema.json" in contracts(checkout, "write").output
