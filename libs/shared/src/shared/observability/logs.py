"""Structured logs. The redactor runs last, so nothing that a library logs slips past it."""

import logging
import sys
from typing import Any

import structlog

from shared.observability.redaction import redact


def _redactor(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    redacted: structlog.typing.EventDict = redact(event)
    return redacted


def configure_logging(service: str, level: str, style: str) -> None:
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
    # Of uvicorn's two servers in a process each would tell of its start and end; `shared.service` does for both.
    for noisy in ("httpx", "httpcore", "uvicorn.access", "uvicorn.error", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    for noisy in ("aio_pika", "aiormq"):  # each lost connection with its stack; ours say it in a line
        logging.getLogger(noisy).setLevel(logging.ERROR)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)


def _rendering(style: str) -> list[structlog.typing.Processor]:
    if style == "console":
        console = structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0, sort_keys=False)
        return [structlog.processors.format_exc_info, _redactor, console]
    # Locals would print tokens held by the frames of a traceback.
    exceptions = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    return [structlog.processors.ExceptionRenderer(exceptions), _redactor, structlog.processors.JSONRenderer()]
