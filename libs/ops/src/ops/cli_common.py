"""What the commands share: settings, errors in one line, output as tables and as JSON."""

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from dataclasses import asdict
from typing import Any, NoReturn, TypeVar

import typer
from pydantic import AmqpDsn
from pydantic_settings import BaseSettings, SettingsConfigDict
from rich.console import Console

from ops.broker import OperatorError, describe_error
from ops.message_codec import as_json, to_json_value
from shared.messaging.publisher import BROKER_ERRORS
from shared.settings import load_settings

T = TypeVar("T")

_PIPE_WIDTH = 1_000  # for grep: a line stays a line


class OpsSettings(BaseSettings):
    """The settings of commands that use the broker."""

    model_config = SettingsConfigDict(hide_input_in_errors=True, extra="ignore")

    rabbitmq_url: AmqpDsn


def broker_url() -> str:
    """The broker's address, from RABBITMQ_URL."""
    return str(load_settings(OpsSettings).rabbitmq_url)


def run(url: str, work: Coroutine[Any, Any, T]) -> T:
    """Run the coroutine; an expected error is one line on stderr and exit status 1."""
    # They log each lost connection with its stack; the operator reads one line instead.
    for name in ("aiormq", "aio_pika"):
        logging.getLogger(name).addHandler(logging.NullHandler())
    try:
        return asyncio.run(work)
    except OperatorError as operator_error:
        fail(str(operator_error))
    except BrokenPipeError:  # whoever reads our output has enough
        raise
    except BROKER_ERRORS as error:
        fail(describe_error(url, error))
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def fail(why: str) -> NoReturn:
    """End with one line on stderr and exit status 1."""
    typer.echo(f"gruppetto: {why}", err=True)
    raise SystemExit(1)


def make_console(*, err: bool = False) -> Console:
    """A console for tables: as wide as the terminal, and without folding when it is no terminal."""
    console = Console(highlight=False, stderr=err)
    return console if console.is_terminal else Console(highlight=False, stderr=err, width=_PIPE_WIDTH)


def require_queue(queue: str, queues: Mapping[str, object]) -> str:
    """The queue; exits with status 1 if no consumer has one of that name."""
    if queue not in queues:
        fail(f"there is no consumer's queue {queue!r}; there are {', '.join(queues)}")
    return queue


def to_row(fact: Any) -> dict[str, Any]:
    """A dataclass as a JSON object."""
    return {key: to_json_value(value) for key, value in asdict(fact).items()}


def write_array(rows: list[dict[str, Any]]) -> None:
    """One JSON array on stdout, an element a line."""
    typer.echo("[" + ",".join("\n  " + as_json(one) for one in rows) + ("\n]" if rows else "]"))
