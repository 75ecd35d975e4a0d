"""Structured logs. The redactor runs last, so nothing that a library logs slips past it."""

import logging
import re
import sys
from collections.abc import Mapping
from typing import Any

import structlog

_NAME = r"token|secret|authorization|passw(?:or)?d|passphrase|cookie|credential|api_?key|private_?key|e_?mail"
_SECRET_KEY = re.compile(rf"{_NAME}|^code$|^state$", re.IGNORECASE)
_VALUE = r"""[^\s&"',;]+"""
# Up to the quote that closes it: quoted as often as the one that opened it, and not once more.
_QUOTED = r"""(?P<escape>\\*)(?P<quote>["'])(?:(?!(?<!\\)(?P=escape)(?P=quote))[\s\S])*"""
#: What a secret looks like inside a text; the first group stays.
_SECRET_SHAPES = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(\b(?:Bearer|Basic)\s+){_VALUE}",
        # In a query, a dict or JSON, however often that is quoted.
        rf"""((?:{_NAME})[\w.-]*\\*["']?\s*(?:[=:]|%3D)\s*)(?:{_QUOTED}|{_VALUE})""",
        # OAuth's; elsewhere they are plain words.
        rf"""((?:\b|%3F|%26)(?:code|state)(?:=|%3D)){_VALUE}""",
        rf"""(\b(?:code|state)\\*["']\s*:\s*){_QUOTED}""",
        r"(://[^:/\s@]*:)[^\s@]+(?=@)",  # the password in an address
        r"(DETAIL:\s+).*",  # Postgres shows the row that it refused
        r"()[0-9a-f]{40,}",
    )
]
_REDACTED = "[redacted]"


def redact(value: Any) -> Any:
    """The value without secrets, told by key and by shape, to any depth."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {redact(str(k)): _REDACTED if _SECRET_KEY.search(str(k)) else redact(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(item) for item in value]
    # Whatever else it is, the renderer would turn it into text, secrets included.
    text = repr(value) if isinstance(value, BaseException | bytes) else str(value)
    for shape in _SECRET_SHAPES:
        text = shape.sub(rf"\g<1>{_REDACTED}", text)
    return text


def _redactor(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    redacted: structlog.typing.EventDict = redact(event)
    return redacted


def configure(service: str, level: str, style: str) -> None:
    """Route structlog and the standard library's logging through one chain to standard output.

    `style` is "json" for machines or "console" for people.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        _drop_uvicorns_colours,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_rendering(style),
            ],
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # A line that cannot be rendered is lost: the fallback would print its arguments past the redactor.
    logging.raiseExceptions = False
    for noisy in ("httpx", "httpcore", "uvicorn.access", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    for noisy in ("aio_pika", "aiormq"):  # each lost connection with its stack; ours say it in a line
        logging.getLogger(noisy).setLevel(logging.ERROR)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)


def _drop_uvicorns_colours(
    _logger: Any, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    event.pop("color_message", None)
    return event


def _rendering(style: str) -> list[structlog.typing.Processor]:
    if style == "console":
        console = structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0, sort_keys=False)
        return [structlog.processors.format_exc_info, _redactor, console]
    # Locals would print tokens held by the frames of a traceback.
    exceptions = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    return [structlog.processors.ExceptionRenderer(exceptions), _redactor, structlog.processors.JSONRenderer()]
