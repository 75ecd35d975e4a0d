"""What the commands share: settings, errors in one line, output as tables and as JSON."""

import asyncio
import logging
from collections.abc import Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from functools import partial
from typing import Any, Literal, NoReturn, TypeVar

import httpx
import typer
from pydantic import AmqpDsn, HttpUrl
from pydantic_settings import BaseSettings, SettingsConfigDict
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ops.broker import describe_error
from ops.errors import OperatorError
from ops.internal_api import Endpoint, InternalApi, OperatorKey, open_api
from ops.message_codec import as_json, escape_control, to_json_value
from shared.messaging.publisher import BROKER_ERRORS
from shared.settings import load_settings

T = TypeVar("T")

_PIPE_WIDTH = 1_000  # for grep: a line stays a line


class OpsSettings(BaseSettings):
    """The settings of commands that use the broker."""

    model_config = SettingsConfigDict(hide_input_in_errors=True, extra="ignore")

    rabbitmq_url: AmqpDsn


class AuthSettings(BaseSettings):
    """The settings of commands that ask auth."""

    model_config = SettingsConfigDict(hide_input_in_errors=True, extra="ignore")

    auth_url: HttpUrl
    auth_operator_key: OperatorKey


class SyncSettings(BaseSettings):
    """The settings of commands that ask sync."""

    model_config = SettingsConfigDict(hide_input_in_errors=True, extra="ignore")

    sync_internal_url: HttpUrl
    sync_operator_key: OperatorKey


class IngestSettings(BaseSettings):
    """The settings of commands that ask ingest."""

    model_config = SettingsConfigDict(hide_input_in_errors=True, extra="ignore")

    ingest_internal_url: HttpUrl
    ingest_operator_key: OperatorKey


class LeaderboardSettings(BaseSettings):
    """The settings of commands that ask leaderboard."""

    model_config = SettingsConfigDict(hide_input_in_errors=True, extra="ignore")

    leaderboard_internal_url: HttpUrl
    leaderboard_operator_key: OperatorKey


class WebSettings(BaseSettings):
    """The settings of commands that ask web."""

    model_config = SettingsConfigDict(hide_input_in_errors=True, extra="ignore")

    web_internal_url: HttpUrl
    web_operator_key: OperatorKey


def broker_url() -> str:
    """The broker's address, from RABBITMQ_URL."""
    return str(load_settings(OpsSettings).rabbitmq_url)


def run(url: str, work: Coroutine[Any, Any, T]) -> T:
    """Run the coroutine; an expected error is one line on stderr and exit status 1."""
    # They log each lost connection with its stack; the operator reads one line instead.
    for name in ("aiormq", "aio_pika"):
        logging.getLogger(name).addHandler(logging.NullHandler())
    with _reporting():
        try:
            return asyncio.run(work)
        except BrokenPipeError:  # whoever reads our output has enough
            raise
        except BROKER_ERRORS as error:
            raise OperatorError(describe_error(url, error)) from None


@contextmanager
def _service_api(
    ctx: typer.Context, *, service: str, settings: type[BaseSettings], url: str, key: str
) -> Iterator[InternalApi]:
    """The service that the settings named `url` and `key` say; an OperatorError inside is one line, exit status 1."""
    loaded = load_settings(settings)
    endpoint = Endpoint(service, getattr(loaded, url.lower()), url, getattr(loaded, key.lower()), key)
    with _open(ctx, endpoint) as api:
        yield api


#: Each takes the command's context and gives a client for a block of code.
auth_api = partial(_service_api, service="auth", settings=AuthSettings, url="AUTH_URL", key="AUTH_OPERATOR_KEY")
sync_api = partial(
    _service_api, service="sync", settings=SyncSettings, url="SYNC_INTERNAL_URL", key="SYNC_OPERATOR_KEY"
)
ingest_api = partial(
    _service_api, service="ingest", settings=IngestSettings, url="INGEST_INTERNAL_URL", key="INGEST_OPERATOR_KEY"
)
leaderboard_api = partial(
    _service_api,
    service="leaderboard",
    settings=LeaderboardSettings,
    url="LEADERBOARD_INTERNAL_URL",
    key="LEADERBOARD_OPERATOR_KEY",
)
web_api = partial(_service_api, service="web", settings=WebSettings, url="WEB_INTERNAL_URL", key="WEB_OPERATOR_KEY")


@contextmanager
def _open(ctx: typer.Context, endpoint: Endpoint) -> Iterator[InternalApi]:
    # Whoever runs the command in its own process may bring another transport.
    with _reporting(), open_api(endpoint, ctx.find_object(httpx.BaseTransport)) as api:
        yield api


@contextmanager
def _reporting() -> Iterator[None]:
    """An OperatorError inside is one line on stderr and exit status 1; Ctrl-C is exit status 130."""
    try:
        yield
    except OperatorError as error:
        fail(str(error))
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


def write_object(fields: Mapping[str, Any]) -> None:
    """One JSON object on stdout."""
    typer.echo(as_json(fields, indent=2))


def print_table(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table on stdout; numbers are to the right."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for title in titles:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*(Text(escape_control(str(cell)), justify=_side(cell)) for cell in row))
    make_console().print(table)


def _side(cell: object) -> Literal["left", "right"]:
    return "right" if isinstance(cell, int) else "left"


def format_time(moment: datetime | None) -> str:
    """A moment for people."""
    return "never" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Such as `1 row` or `2 rows`."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"
