"""Structured logs. The redactor runs last, so nothing that a library logs slips past it."""

import logging
import re
import sys
from collections.abc import Mapping
from typing import Any

import structlog

_SECRET_KEY = re.compile(r"token|secret|authorization|password|cookie|^code$|^state$|e_?mail", re.IGNORECASE)
_SECRET_VALUE = re.compile(
    r"""(?P<head>\bBearer\s+|\b(?:code|state|token|access_token|refresh_token|client_secret)=|://[^:/\s]+:)
        [^\s&"'@]+""",
    re.IGNORECASE | re.VERBOSE,
)
_LONG_HEX = re.compile(r"\b[0-9a-f]{40,}\b", re.IGNORECASE)
_REDACTED = "[redacted]"


def redact(value: Any) -> Any:
    """The value without secrets, told by key and by shape, to any depth."""
    if isinstance(value, str):
        return _LONG_HEX.sub(_REDACTED, _SECRET_VALUE.sub(rf"\g<head>{_REDACTED}", value))
    if isinstance(value, Mapping):
        return {k: _REDACTED if _SECRET_KEY.search(str(k)) else redact(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [redact(item) for item in value]
    return value


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
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # Locals would print tokens held by the frames of a traceback.
    exceptions = structlog.processors.ExceptionRenderer(
        structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        if style == "json"
        else structlog.processors.format_exc_info.format_exception
    )
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if style == "json"
        else structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0, sort_keys=False)
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                exceptions,
                _redactor,
                renderer,
            ],
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in ("httpx", "httpcore", "aio_pika", "aiormq", "uvicorn.access", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
