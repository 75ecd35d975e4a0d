"""Entity tags: whoever has an answer that is current still gets no other one."""

import hashlib
from typing import Annotated, Any

from fastapi import Header
from fastapi.responses import Response

Tags = Annotated[str, Header()]

#: What a route with entity tags documents.
NOT_MODIFIED: dict[int | str, dict[str, Any]] = {304: {"description": "What the caller has is current."}}


def make_tag(*said: object) -> str:
    """The tag of an answer that is made of these values."""
    return f'W/"{hashlib.sha256(repr(said).encode()).hexdigest()[:32]}"'


def is_current(tag: str, if_none_match: str) -> bool:
    """Whether the caller has that answer, by the header `If-None-Match`."""
    tags = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return "*" in tags or tag.removeprefix("W/") in tags


def not_modified(tag: str) -> Response:
    """The answer for a caller who has it already."""
    return Response(status_code=304, headers=caching(tag))


def caching(tag: str) -> dict[str, str]:
    """The headers by which an answer is kept and asked for again."""
    return {"ETag": tag, "Cache-Control": "no-cache"}
