"""Sentences that code writes and templates translate: English is the language of both."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError

from shared.errors import AppError, Invalid, Unavailable


@dataclass(frozen=True)
class Sentence:
    """A sentence with places such as `%(count)s` for its values."""

    text: str
    values: Mapping[str, Any] = field(default_factory=dict)


def sentence(text: str, **values: Any) -> Sentence:
    """A sentence that the catalogues have: what is written in this call is looked for when words are collected."""
    return Sentence(text, values)


_UNAVAILABLE = sentence(
    "This cannot be done at the moment, because a part of the site is away. Please try again soon."
)
#: pydantic's types of errors -> what people read.
_FIELD_SENTENCES: Mapping[str, Sentence] = {
    "missing": sentence("Please fill this in."),
    "string_too_short": sentence("Please fill this in."),
    "string_too_long": sentence("This is too long: at most %(max_length)s characters."),
    "too_short": sentence("Please choose at least one."),
    "too_long": sentence("That is too many: at most %(max_length)s."),
    "greater_than": sentence("This must be more than %(gt)s."),
    "greater_than_equal": sentence("This must be at least %(ge)s."),
    "less_than": sentence("This must be less than %(lt)s."),
    "less_than_equal": sentence("This must be at most %(le)s."),
    "int_parsing": sentence("Please enter a whole number."),
    "int_from_float": sentence("Please enter a whole number."),
    "decimal_parsing": sentence("Please enter a number."),
    "decimal_max_places": sentence("At most %(decimal_places)s decimals are kept."),
    "date_from_datetime_parsing": sentence("Please enter a date."),
    "date_parsing": sentence("Please enter a date."),
    "enum": sentence("Please choose one of these."),
    "literal_error": sentence("Please choose one of these."),
}


def describe_field_errors(error: ValidationError) -> dict[str, Sentence]:
    """Each field that is at fault, with dots between the steps to it, and the first thing that is wrong with it.

    What is wrong with all of them together is under the empty name.
    """
    problems: dict[str, Sentence] = {}
    for each in error.errors(include_url=False, include_input=False):
        known = _FIELD_SENTENCES.get(each["type"])
        values = {name: str(value) for name, value in each.get("ctx", {}).items()}
        own = Sentence(_capitalized(each["msg"].removeprefix("Value error, ")))
        problems.setdefault(".".join(map(str, each["loc"])), Sentence(known.text, values) if known else own)
    return problems


def describe_refusal(error: AppError) -> dict[str, Sentence]:
    """What another service says against a form: by field, and under the empty name what belongs to none."""
    if isinstance(error, Unavailable):
        return {"": _UNAVAILABLE}
    if isinstance(error, Invalid) and error.fields:
        return {name: Sentence(_capitalized(message)) for name, message in error.fields.items()}
    return {"": Sentence(error.message)}


def check_form(model: type[BaseModel], values: Mapping[str, Any]) -> tuple[Any, dict[str, Sentence]]:
    """The model that a form's values make, and what is wrong with them; one of both is empty."""
    try:
        return model.model_validate(values), {}
    except ValidationError as error:
        return None, describe_field_errors(error)


def _capitalized(message: str) -> str:
    whole = message[:1].upper() + message[1:]
    return whole if whole.endswith((".", "!", "?")) else f"{whole}."
