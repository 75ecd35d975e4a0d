"""What breaks a published schema, and what does not."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from ops.contracts import breaking_changes

TEXT = {"type": "string"}
NUMBER = {"type": "number"}
NULL = {"type": "null"}


def body(*required: str, **fields: object) -> dict:
    return {"type": "object", "properties": fields, "required": list(required)}


def listed(item: object, **bounds: int) -> dict:
    return {"type": "array", "items": item, **bounds}


def nullable(node: dict) -> dict:
    return {"anyOf": [node, NULL]}


def chosen(*values: object) -> dict:
    return {"type": "string", "enum": list(values)}


def referring(**fields: object) -> dict:
    return body(a={"$ref": "#/$defs/A"}) | {"$defs": {"A": body(**fields)}}


BREAKING = {
    "a field is removed": (body(a=TEXT, b=TEXT), body(a=TEXT), "`b` is removed"),
    "a required field is removed": (body("a", a=TEXT), body(), "`a` is removed"),
    "another type": (body(a=TEXT), body(a=NUMBER), "`a` was string and is number now"),
    "a number becomes whole": (body(a=NUMBER), body(a={"type": "integer"}), "`a` was number and is integer now"),
    "a format is added": (
        body(a=TEXT),
        body(a=TEXT | {"format": "uuid"}),
        "`a` was string and is string (uuid) now",
    ),
    "a format is dropped": (
        body(a=TEXT | {"format": "date"}),
        body(a=TEXT),
        "`a` was string (date) and is string now",
    ),
    "null is added": (body(a=TEXT), body(a=nullable(TEXT)), "`a` was string and is null or string now"),
    "null is taken away": (body(a=nullable(TEXT)), body(a=TEXT), "`a` was null or string and is string now"),
    "a union gets a member": (
        body(a={"anyOf": [TEXT, NUMBER]}),
        body(a={"anyOf": [TEXT, NUMBER, NULL]}),
        "`a` was number or string and is null or number or string now",
    ),
    "a list of types": (
        body(a={"type": ["string", "null"]}),
        body(a=TEXT),
        "`a` was null or string and is string now",
    ),
    "items are retyped": (body(a=listed(TEXT)), body(a=listed(NUMBER)), "`a[]` was string and is number now"),
    "items are no longer described": (
        body(a=listed(TEXT)),
        body(a={"type": "array"}),
        "`a[]` was string and is anything now",
    ),
    "values of a map are retyped": (
        body(a={"type": "object", "additionalProperties": TEXT}),
        body(a={"type": "object", "additionalProperties": NUMBER}),
        "`a.*` was string and is number now",
    ),
    "further fields are forbidden": (body(), body() | {"additionalProperties": False}, "`*` has another `not`"),
    "a nested field is removed": (body(a=body(b=TEXT)), body(a=body()), "`a.b` is removed"),
    "a field of items is retyped": (
        body(a=listed(body(b=TEXT))),
        body(a=listed(body(b=NUMBER))),
        "`a[].b` was string and is number now",
    ),
    "a field behind a reference is retyped": (
        referring(b=TEXT),
        referring(b=NUMBER),
        "`a.b` was string and is number now",
    ),
    "a field inside a union is retyped": (
        body(a=nullable(body(b=TEXT))),
        body(a=nullable(body(b=NUMBER))),
        "`a.b` was string and is number now",
    ),
    "an old field becomes required": (body(a=TEXT), body("a", a=TEXT), "`a` is newly required"),
    "a new field is required": (body(), body("a", a=TEXT), "`a` is newly required"),
    "a nested field becomes required": (body(a=body(b=TEXT)), body(a=body("b", b=TEXT)), "`a.b` is newly required"),
    "a field is no longer required": (body("a", a=TEXT), body(a=TEXT), "`a` is no longer required"),
    "a value is taken away": (body(a=chosen("x", "y")), body(a=chosen("x")), '`a` does not allow "y" any more'),
    "a value inside a union is taken away": (
        body(a=nullable(chosen("x", "y"))),
        body(a=nullable(chosen("y"))),
        '`a` does not allow "x" any more',
    ),
    "one value is left": (
        body(a=chosen("x", "y")),
        body(a=TEXT | {"const": "x"}),
        '`a` does not allow "y" any more',
    ),
    "another constant": (body(a={"const": 1}), body(a={"const": 2}), "`a` does not allow 1 any more"),
    "values are listed that were free": (
        body(a=TEXT),
        body(a=chosen("x")),
        '`a` allowed every value and now allows only "x"',
    ),
    "a minimum is raised": (
        body(a=NUMBER | {"minimum": 0}),
        body(a=NUMBER | {"minimum": 1}),
        "`a` is bounded more tightly: `minimum` was 0 and is 1 now",
    ),
    "a minimum is set": (
        body(a=NUMBER),
        body(a=NUMBER | {"minimum": -1}),
        "`a` is bounded more tightly: `minimum` was not set and is -1 now",
    ),
    "a maximum is lowered": (
        body(a=NUMBER | {"exclusiveMaximum": 9}),
        body(a=NUMBER | {"exclusiveMaximum": 8}),
        "`a` is bounded more tightly: `exclusiveMaximum` was 9 and is 8 now",
    ),
    "a length is limited": (
        body(a=TEXT),
        body(a=TEXT | {"maxLength": 5}),
        "`a` is bounded more tightly: `maxLength` was not set and is 5 now",
    ),
    "more items are needed": (
        body(a=listed(TEXT, minItems=1)),
        body(a=listed(TEXT, minItems=2)),
        "`a` is bounded more tightly: `minItems` was 1 and is 2 now",
    ),
    "a pattern is added": (
        body(a=TEXT),
        body(a=TEXT | {"pattern": "^x"}),
        "`a` is bounded more tightly: `pattern` was not set and is ^x now",
    ),
    "a pattern is another one": (
        body(a=TEXT | {"pattern": "^x"}),
        body(a=TEXT | {"pattern": "^y"}),
        "`a` is bounded more tightly: `pattern` was ^x and is ^y now",
    ),
    "a keyword that nobody judges is changed": (
        body(a={"oneOf": [TEXT, NUMBER]}),
        body(a={"oneOf": [TEXT, NULL]}),
        "`a` has another `oneOf`",
    ),
    "two types of one alternative in two alternatives": (
        body(a={"anyOf": [{"type": ["number", "string"]}]}),
        body(a={"anyOf": [{"type": "number"}, TEXT]}),
        "`a` is written with another number of alternatives",
    ),
    "the message is no object any more": (body(), listed(TEXT), "the message was object and is array now"),
}

ADDITIVE = {
    "nothing": (body("a", a=TEXT), body("a", a=TEXT)),
    "a new optional field": (body("a", a=TEXT), body("a", a=TEXT, b=NUMBER)),
    "a new optional field in an object": (body(a=body()), body(a=body(b=TEXT))),
    "a new optional field in items": (body(a=listed(body())), body(a=listed(body(b=TEXT)))),
    "a new value": (body(a=chosen("x")), body(a=chosen("y", "x"))),
    "a second value beside a constant": (body(a=TEXT | {"const": "x"}), body(a=chosen("x", "y"))),
    "a new value inside a union": (body(a=nullable(chosen("x"))), body(a=nullable(chosen("x", "y")))),
    "values that become free": (body(a=chosen("x")), body(a=TEXT)),
    "a lower minimum": (body(a=NUMBER | {"minimum": 1}), body(a=NUMBER | {"minimum": 0})),
    "a higher maximum": (body(a=TEXT | {"maxLength": 1}), body(a=TEXT | {"maxLength": 2})),
    "a bound that is dropped": (body(a=listed(TEXT, minItems=1)), body(a=listed(TEXT))),
    "a pattern that is dropped": (body(a=TEXT | {"pattern": "x"}), body(a=TEXT)),
    "the order of a union": (body(a={"anyOf": [NULL, TEXT]}), body(a={"anyOf": [TEXT, NULL]})),
    "other words": (body(a=TEXT), body(a=TEXT | {"title": "A", "description": "B", "default": ""}) | {"title": "C"}),
    "a reference instead of the same thing in place": (body(a=body(b=TEXT)), referring(b=TEXT)),
    "further fields that were allowed anyhow": (body(), body() | {"additionalProperties": True}),
}


@pytest.mark.parametrize(("old", "new", "sentence"), BREAKING.values(), ids=BREAKING.keys())
def test_a_break_is_told_in_a_sentence(old: dict, new: dict, sentence: str) -> None:
    assert breaking_changes(old, new) == [sentence]


@pytest.mark.parametrize(("old", "new"), ADDITIVE.values(), ids=ADDITIVE.keys())
def test_an_additive_change_breaks_nothing(old: dict, new: dict) -> None:
    assert breaking_changes(old, new) == []


def test_every_break_of_a_change_is_told() -> None:
    old, new = body("a", a=TEXT, b=chosen("x", "y")), body("c", a=TEXT, b=chosen("x"), c=TEXT)
    assert breaking_changes(old, new) == [
        "`c` is newly required",
        "`a` is no longer required",
        '`b` does not allow "y" any more',
    ]


def test_a_schema_that_contains_itself_is_compared_to_its_end() -> None:
    tree = body(next=nullable({"$ref": "#/$defs/Tree"}), label=TEXT)
    whole = {"$ref": "#/$defs/Tree", "$defs": {"Tree": tree}}
    other = {"$ref": "#/$defs/Tree", "$defs": {"Tree": tree | {"required": ["label"]}}}
    assert breaking_changes(whole, whole) == []
    assert "`label` is newly required" in breaking_changes(whole, other)


bounds = st.integers(0, 3)
texts = st.fixed_dictionaries(
    {"type": st.just("string")},
    optional={
        "enum": st.lists(st.sampled_from(["", "a", "b", "aa"]), min_size=1, unique=True),
        "minLength": bounds,
        "maxLength": bounds,
        "pattern": st.sampled_from(["^a", "b$"]),
    },
)
numbers = st.fixed_dictionaries(
    {"type": st.sampled_from(["integer", "number"])},
    optional={"minimum": bounds, "maximum": bounds, "exclusiveMinimum": bounds, "multipleOf": st.integers(1, 2)},
)
leaves = texts | numbers | texts.map(nullable) | numbers.map(nullable)


def containers(inner: st.SearchStrategy[dict]) -> st.SearchStrategy[dict]:
    names = st.sampled_from(["a", "b", "c"])
    lists = st.fixed_dictionaries({"type": st.just("array"), "items": inner}, optional={"minItems": bounds})
    objects = st.dictionaries(names, inner).flatmap(
        lambda fields: st.sets(st.sampled_from(sorted(fields) or ["a"])).map(lambda needed: body(*needed, **fields))
    )
    return lists | objects | inner.map(nullable)


schemas = st.recursive(texts | numbers, containers, max_leaves=6)
events = st.dictionaries(st.sampled_from(["a", "b", "c"]), schemas, min_size=1).map(lambda fields: body(**fields))

VALUES = [None, "", "a", "b", "aa", 0, 1, 2, 2.5, 4, [], ["a"], ["a", "b"], [1], {}, {"a": "a"}, {"a": 1, "b": "b"}]


@given(events)
def test_a_schema_does_not_break_itself(schema: dict) -> None:
    assert breaking_changes(schema, schema) == []


@given(events, schemas)
def test_a_new_optional_field_never_breaks(schema: dict, field: dict) -> None:
    wider = schema | {"properties": {**schema["properties"], "added": field}}
    assert breaking_changes(schema, wider) == []


@given(events, st.data())
def test_a_removed_field_always_breaks(schema: dict, data: st.DataObject) -> None:
    gone = data.draw(st.sampled_from(sorted(schema["properties"])))
    kept = {name: node for name, node in schema["properties"].items() if name != gone}
    assert f"`{gone}` is removed" in breaking_changes(schema, schema | {"properties": kept})


@settings(max_examples=300)
@given(leaves, leaves)
def test_what_breaks_nothing_accepts_every_old_value(old: dict, other: dict) -> None:
    for new in (other, old | other):
        if not breaking_changes(old, new):
            accepted = [value for value in VALUES if Draft202012Validator(old).is_valid(value)]
            assert [value for value in accepted if not Draft202012Validator(new).is_valid(value)] == []
