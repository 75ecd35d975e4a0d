"""`gruppetto contracts`: what is published about the events, written into a checkout and checked there."""

import json
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from ops.asyncapi import document
from ops.contracts import Schema, breaking_changes, is_schema, schema_of, validation_errors
from ops.git_history import committed_versions
from shared.contracts.events import EVENTS, Event
from shared.contracts.queues import QUEUES

FOLDER = Path("docs/events")
DOCUMENT = "asyncapi.json"

_NOTHING_WRITTEN = "Nothing was written. (A schema that was never committed is a draft: delete it and write again.)"

contracts_app = typer.Typer(
    no_args_is_help=True, help="The published contracts: JSON Schemas of the events, and the AsyncAPI document."
)


def _checkout(root: Path) -> Path:
    if not (root / FOLDER).is_dir() or not (root / "pyproject.toml").is_file():
        raise typer.BadParameter(f"{root.resolve()} is not a checkout of the project")
    return root


Root = Annotated[Path, typer.Option("--root", callback=_checkout, help="The checkout.")]


@contracts_app.command()
def write(root: Root = Path()) -> None:
    """Write the schemas and the document, unless that breaks those who rely on what is published."""
    _stop_at([*_broken(root), *_orphans(root)], _NOTHING_WRITTEN)
    samples, _ = _samples(root)
    for file, text in _wanted(root, samples).items():
        if _text(root / file) != text:
            _replace(root / file, text)
            typer.echo(f"wrote {file}")


@contracts_app.command()
def check(root: Root = Path()) -> None:
    """Compare what is in the checkout, and whatever its history has published, with the code."""
    samples, bad_samples = _samples(root)
    stale = [
        f"{file} is not what the code gives: run `make events`."
        for file, text in _wanted(root, samples).items()
        if _text(root / file) != text
    ]
    _stop_at([*_broken(root), *_orphans(root), *bad_samples, *stale])
    typer.echo(f"{len(EVENTS)} events: schemas, samples and the AsyncAPI document agree with the code.")


def _stop_at(complaints: Iterable[str], *last_words: str) -> None:
    if complaints := [*complaints]:
        typer.echo("\n".join([*complaints, *last_words]), err=True)
        raise typer.Exit(1)


def _wanted(root: Path, samples: dict[str, Any]) -> dict[Path, str]:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asyncapi = document(EVENTS, QUEUES, samples, project["version"])
    return {**{_schema_file(event): _json(schema_of(event)) for event in EVENTS}, FOLDER / DOCUMENT: _json(asyncapi)}


def _broken(root: Path) -> Iterator[str]:
    for event in EVENTS:
        schema = schema_of(event)
        found = [sentence for old in _published(root, event) for sentence in breaking_changes(old, schema)]
        if found:
            yield (
                f"{event.routing_key()} would break its consumers: {'; '.join(dict.fromkeys(found))}. "
                f"Leave it as it was, and publish {event.topic}.v{event.schema_version + 1} beside it."
            )


def _published(root: Path, event: type[Event]) -> Iterator[Schema]:
    file = _schema_file(event)
    for text in dict.fromkeys([_text(root / file), *committed_versions(root, file)]):
        schema = _parsed(text)
        if is_schema(schema):
            yield schema


def _orphans(root: Path) -> Iterator[str]:
    require_queue = {_schema_file(event).name for event in EVENTS}
    for path in sorted((root / FOLDER).glob("*.schema.json")):
        if path.name not in require_queue:
            yield (
                f"{FOLDER / path.name} has no event any more. Bring the event back while anybody may rely on it; "
                "when nobody does, delete the schema and the sample by hand."
            )


def _samples(root: Path) -> tuple[dict[str, Any], list[str]]:
    """The readable samples by routing key, and what is wrong with the others or with what they say."""
    samples, complaints = {}, []
    for event in EVENTS:
        file = FOLDER / f"{event.routing_key()}.json"
        sample = _parsed(_text(root / file))
        if sample is None:
            complaints.append(f"{file} is missing or is not JSON: store one message there as a sample.")
            continue
        samples[event.routing_key()] = sample
        complaints += [
            f"{file} does not follow its schema: {error}." for error in validation_errors(sample, schema_of(event))
        ]
    return samples, complaints


def _schema_file(event: type[Event]) -> Path:
    return FOLDER / f"{event.routing_key()}.schema.json"


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _replace(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        _stop_at([f"{path} cannot be written: {error.strerror}."])
