"""The published contract of an event: its JSON Schema, and what would break those who rely on it."""

import inspect
import json
import re
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from itertools import chain
from math import inf
from typing import Any, TypeAlias

from jsonschema import Draft202012Validator, FormatChecker, SchemaError  # type: ignore[import-untyped]
from pydantic.json_schema import GenerateJsonSchema

from shared.contracts.events import Event

Schema: TypeAlias = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_ANNOTATIONS = {"$comment", "$defs", "$id", "$schema", "default", "deprecated", "description", "examples", "title"}
_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_EXACT = ("pattern", "multipleOf", "uniqueItems")
_COMPARED = {"type", "format", "enum", "const", "required", "properties", "items", "additionalProperties", "anyOf"}
_JUDGED = _ANNOTATIONS | _COMPARED | {*_LOWER, *_UPPER, *_EXACT}

#: The format `date-time` promises a zone, which the time of a `local_...` field does not have.
_WALL_CLOCK = {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?$"}

_formats = FormatChecker(["uuid", "date"])


@_formats.checks("date-time", raises=ValueError)  # type: ignore[untyped-decorator]
def _is_moment(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


class _Generator(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False  # "Fetch Seq" tells nobody more than `fetch_seq`


def schema_of(event: type[Event]) -> Schema:
    """The schema that every message of the event follows. It may have further fields: consumers ignore them."""
    schema = event.model_json_schema(schema_generator=_Generator)
    notes = _notes(event)
    described = schema | {
        "$schema": DIALECT,
        "$id": f"urn:gruppetto:{event.routing_key()}",
        "description": _unwrapped(schema.get("description", "")),
        "properties": {name: _field(name, node, notes) for name, node in schema["properties"].items()},
    }
    if "$defs" in schema:
        module = inspect.getmodule(event)
        described["$defs"] = {name: _part(getattr(module, name), node) for name, node in schema["$defs"].items()}
    return described


def _part(model: type, node: Schema) -> Schema:
    """A model that an event is made of; it stands in the same module."""
    notes = dict(_own_notes(model))
    properties = {name: _field(name, field, notes) for name, field in node["properties"].items()}
    return node | {"description": _unwrapped(node.get("description", "")), "properties": properties}


def _field(name: str, node: Schema, notes: dict[str, str]) -> Schema:
    is_wall_clock = name.startswith("local_") and node.get("format") == "date-time"
    note = {"description": notes[name]} if name in notes else {}
    return (_WALL_CLOCK if is_wall_clock else node) | note


def _notes(event: type[Event]) -> dict[str, str]:
    lineage = [base for base in reversed(event.__mro__) if issubclass(base, Event)]
    return {name: note for base in lineage for name, note in _own_notes(base)}


@cache
def _own_notes(model: type) -> list[tuple[str, str]]:
    # Units and meanings are written once, in the comment behind the field.
    return re.findall(r"^    (\w+): .*  # (.+)$", inspect.getsource(model), re.MULTILINE)


def _unwrapped(text: str) -> str:
    return re.sub(r"(?<!\n)\n(?!\n)", " ", text)


def is_schema(value: object) -> bool:
    """Whether it is a JSON Schema of an object, and not what a bad merge or a stray edit left in its file."""
    try:
        Draft202012Validator.check_schema(value)
    except SchemaError:
        return False
    return isinstance(value, dict)


def validation_errors(sample: object, schema: Schema) -> list[str]:
    """Where a sample does not follow the schema."""
    validator = Draft202012Validator(schema, format_checker=_formats)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(sample)]


def resolve_refs(schema: Schema) -> Schema:
    """The same schema with every local reference replaced by what it refers to."""
    return _resolve(schema, schema.get("$defs", {}), ())  # type: ignore[no-any-return]


def _resolve(node: Any, definitions: Schema, open_names: tuple[str, ...]) -> Any:
    if isinstance(node, list):
        return [_resolve(each, definitions, open_names) for each in node]
    if not isinstance(node, dict):
        return node
    name = str(node.get("$ref", "")).removeprefix("#/$defs/")
    if name in definitions and name not in open_names:
        rest = {key: value for key, value in node.items() if key != "$ref"}
        return _resolve(definitions[name] | rest, definitions, (*open_names, name))
    return {key: _resolve(value, definitions, open_names) for key, value in node.items() if key != "$defs"}


def breaking_changes(old: Schema, new: Schema) -> list[str]:
    """What breaks when messages of `old` and of `new` meet consumers of either: a sentence each, [] if nothing does.

    Both ways count, because messages outlive a release in the outboxes, the queues and the archive. New consumers
    read old messages: nothing may become required, lose a permitted value or be bounded more tightly. Old consumers
    read new messages: nothing may be removed, change its type, or be *no longer required*, for whoever relies on a
    field breaks when it stops coming. Allowed are new optional fields, new values of an enumeration and wider
    bounds: consumers have to bear values that they do not know. A keyword that is not judged here may not change.
    """
    return list(_compare("", resolve_refs(old), resolve_refs(new)))


def _compare(path: str, old: Any, new: Any) -> Iterator[str]:
    old, new = _node(old), _node(new)
    if _kind(old) != _kind(new):
        yield f"{_name(path)} was {_kind(old)} and is {_kind(new)} now"
        return
    if len(_branches(old)) != len(_branches(new)):  # such as two types in one branch, or one in each of two
        yield f"{_name(path)} is written with another number of alternatives"
        return
    yield from _compare_values(path, old, new)
    yield from _compare_bounds(path, old, new)
    yield from _compare_fields(path, old, new)
    for inner, before, after in _nested(path, old, new):
        yield from _compare(inner, before, after)
    for key in sorted((old.keys() | new.keys()) - _JUDGED):
        if old.get(key) != new.get(key):
            yield f"{_name(path)} has another `{key}`"


def _compare_values(path: str, old: Schema, new: Schema) -> Iterator[str]:
    before, after = _values(old), _values(new)
    if after is None:
        return
    if before is None:
        yield f"{_name(path)} allowed every value and now allows only {', '.join(after)}"
    elif lost := [value for value in before if value not in after]:
        yield f"{_name(path)} does not allow {', '.join(lost)} any more"


def _compare_bounds(path: str, old: Schema, new: Schema) -> Iterator[str]:
    higher = [key for key in _LOWER if new.get(key, -inf) > old.get(key, -inf)]
    lower = [key for key in _UPPER if new.get(key, inf) < old.get(key, inf)]
    other = [key for key in _EXACT if key in new and new[key] != old.get(key)]
    for key in chain(higher, lower, other):
        yield f"{_name(path)} is bounded more tightly: `{key}` was {old.get(key, 'not set')} and is {new[key]} now"


def _compare_fields(path: str, old: Schema, new: Schema) -> Iterator[str]:
    kept = new.get("properties", {}).keys()
    before, after = set(old.get("required", ())), set(new.get("required", ()))
    for name in sorted(old.get("properties", {}).keys() - kept):
        yield f"{_name(path, name)} is removed"
    for name in sorted(after - before):
        yield f"{_name(path, name)} is newly required"
    for name in sorted((before - after) & kept):
        yield f"{_name(path, name)} is no longer required"


def _nested(path: str, old: Schema, new: Schema) -> Iterator[tuple[str, Any, Any]]:
    fields, kept = old.get("properties", {}), new.get("properties", {})
    yield from ((f"{path}.{name}", fields[name], kept[name]) for name in fields if name in kept)
    for key, sign in (("items", "[]"), ("additionalProperties", ".*")):
        if key in old or key in new:
            yield f"{path}{sign}", old.get(key, True), new.get(key, True)
    yield from ((path, before, after) for before, after in zip(_branches(old), _branches(new), strict=True))


def _branches(node: Schema) -> list[Schema]:
    return sorted((_node(branch) for branch in node.get("anyOf", ())), key=_kind)


def _node(schema: Any) -> Schema:
    if isinstance(schema, bool):  # the short forms of "anything" and of "nothing"
        return {} if schema else {"not": {}}
    return dict(schema)


def _kind(node: Schema) -> str:
    union = " or ".join(_kind(branch) for branch in _branches(node))
    if union and not {"type", "format"} & node.keys():
        return union
    kind = node.get("type", "anything")
    words = kind if isinstance(kind, str) else " or ".join(sorted(kind))
    details = ", ".join(filter(None, [node.get("format"), union]))
    return f"{words} ({details})" if details else words


def _values(node: Schema) -> list[str] | None:
    values = [node["const"]] if "const" in node else node.get("enum")
    return None if values is None else [json.dumps(value) for value in values]


def _name(path: str, field: str = "") -> str:
    full = f"{path}.{field}" if field else path
    return f"`{full.removeprefix('.')}`" if full else "the message"
