"""`gruppetto dead-letters`: the dead letters of all consumers."""

from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC
from typing import Annotated, Any, TypeAlias

import typer
from aiormq.abc import AbstractConnection
from rich import box
from rich.table import Table
from rich.text import Text

from ops import dead_letters, message_codec
from ops.broker import open_connection
from ops.cli_common import broker_url, fail, make_console, require_queue, run, to_row, write_array
from ops.dead_letters import DeadLetter, DeadLetterFilter, DeadLetterPage, LeasedDeadLetter
from ops.message_codec import escape_control, short_type
from shared.contracts.queues import QUEUES
from shared.messaging.publisher import Publisher

NAME = "gruppetto dead-letters"

dead_letters_app = typer.Typer(
    no_args_is_help=True,
    help="Dead letters: messages that a consumer could not handle. Listing them changes nothing. While one command "
    "reads a queue its dead letters are invisible, and other commands wait for their turn; RabbitMQ gives them back, "
    "in their order, when the command ends, however it ends.",
)

Queue = Annotated[str, typer.Argument(help="The consumer's queue, such as leaderboard.activity.")]
Ids = Annotated[list[str] | None, typer.Option("--id", help="A dead letter's id as listed; repeat it for more.")]
All = Annotated[bool, typer.Option("--all", help="Every dead letter that the filters leave.")]
Type = Annotated[str, typer.Option("--type", help="Only this type, such as activity.recorded.")]
Reason = Annotated[str, typer.Option("--reason", help="Only if the reason contains this text, in any case.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON array instead of text.")]

OnDone: TypeAlias = Callable[[DeadLetter], None]


@dead_letters_app.command("list")
def list_(
    queue: Annotated[str, typer.Argument(help="One consumer's queue; without it, all.")] = "",
    *,
    type_: Type = "",
    reason: Reason = "",
    limit: Annotated[int, typer.Option(min=0, help="At most so many of each queue; 0 for all.")] = 0,
    json: Json = False,
) -> None:
    """List dead letters, oldest first, and how many there are."""
    queues, url, wanted = _queues(queue), broker_url(), DeadLetterFilter(type=type_, reason=reason)
    pages = run(url, _list_pages(url, queues, wanted, limit))
    if json:
        write_array([to_row(letter) for page in pages for letter in page.dead_letters])
    for page in pages:
        shown = "" if len(page.dead_letters) == page.total else f", {len(page.dead_letters)} of them listed"
        typer.echo(f"{page.queue}: {_number(page.total)}{shown}", err=json)
        if page.dead_letters and not json:
            _print_table(page.dead_letters)


@dead_letters_app.command()
def show(
    id_: Annotated[str, typer.Argument(metavar="ID", help="The dead letter's id as listed.")],
    *,
    queue: Annotated[str, typer.Option(help="Look only here.")] = "",
    json: Json = False,
) -> None:
    """Show a dead letter with its body, or all that have this id."""
    queues, url = _queues(queue), broker_url()
    found = run(url, _find(url, queues, id_))
    if not found:
        fail(_missing([id_], queues))
    if json:
        write_array(found)
        return
    for letter in found:
        _print_details(letter)


@dead_letters_app.command(short_help="Give dead letters to their consumer once more, and to no other consumer.")
def replay(
    queue: Queue, *, id_: Ids = None, all_: All = False, type_: Type = "", reason: Reason = "", json: Json = False
) -> None:
    """Give dead letters to their consumer once more, and to no other consumer.
    Each is removed after RabbitMQ has confirmed its copy. If the command is interrupted in between, both stay: a
    duplicate, which the consumer's inbox absorbs, and never a loss. Dead letters with the same id go together.
    """
    require_queue(queue, QUEUES)
    wanted, url = _wanted(id_, all_, type_, reason), broker_url()
    _report("replayed", queue, wanted, json, lambda on_done: run(url, _replay(url, queue, wanted, on_done)))


@dead_letters_app.command()
def discard(
    queue: Queue,
    *,
    id_: Ids = None,
    all_: All = False,
    type_: Type = "",
    reason: Reason = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Remove dead letters for ever. Dead letters with the same id go together."""
    require_queue(queue, QUEUES)
    wanted, url = _wanted(id_, all_, type_, reason), broker_url()
    chosen = wanted if yes else _confirmed(url, queue, wanted, json)
    _report("discarded", queue, wanted, json, lambda on_done: run(url, _discard(url, queue, chosen, on_done)))


def _queues(queue: str) -> Sequence[str]:
    return [require_queue(queue, QUEUES)] if queue else list(QUEUES)


def _wanted(ids: Sequence[str] | None, all_: bool, type_: str, reason: str) -> DeadLetterFilter:
    if bool(ids) == all_:
        raise typer.BadParameter("say which letters: either --id or --all")
    return DeadLetterFilter(frozenset(ids) if ids else None, type_, reason)


def _confirmed(url: str, queue: str, wanted: DeadLetterFilter, json: bool) -> DeadLetterFilter:
    """Exactly those that the operator has seen and agreed to, held by nobody meanwhile."""
    [page] = run(url, _list_pages(url, [queue], wanted, 0))
    if page.dead_letters:
        _print_table(page.dead_letters, err=json)
        typer.confirm(f"Discard {_number(len(page.dead_letters))} of {queue} for ever?", abort=True, err=json)
    return replace(wanted, ids=frozenset(letter.id for letter in page.dead_letters))


def _report(verb: str, queue: str, wanted: DeadLetterFilter, json: bool, act: Callable[[OnDone], None]) -> None:
    done: list[DeadLetter] = []
    try:
        act(done.append)
    except SystemExit:
        if done:
            _print_done(verb, queue, done, json)
        raise
    _print_done(verb, queue, done, json)
    missing = (wanted.ids or frozenset()) - {letter.id for letter in done}
    if missing:
        fail(_missing(sorted(missing), [queue]))


def _print_done(verb: str, queue: str, done: Sequence[DeadLetter], json: bool) -> None:
    if json:
        write_array([to_row(letter) for letter in done])
        return
    typer.echo(f"{queue}: {_number(len(done))} {verb}")
    if done:
        _print_table(done)


async def _list_pages(url: str, queues: Sequence[str], wanted: DeadLetterFilter, limit: int) -> list[DeadLetterPage]:
    async with open_connection(url, NAME) as connection:
        return [await dead_letters.list_dead_letters(connection, queue, wanted, limit) for queue in queues]


async def _find(url: str, queues: Sequence[str], id_: str) -> list[dict[str, Any]]:
    found = []
    async with open_connection(url, NAME) as connection:
        for queue in queues:
            async with dead_letters.browse(connection, queue, DeadLetterFilter(frozenset([id_]))) as same:
                found += [_to_details(leased) async for leased in same]
    return found


async def _replay(url: str, queue: str, wanted: DeadLetterFilter, on_done: OnDone) -> None:
    publisher = Publisher(url, NAME)
    try:
        await _each(url, lambda connection: dead_letters.replay(connection, publisher, queue, wanted), on_done)
    finally:
        await publisher.close()


async def _discard(url: str, queue: str, wanted: DeadLetterFilter, on_done: OnDone) -> None:
    await _each(url, lambda connection: dead_letters.discard(connection, queue, wanted), on_done)


async def _each(
    url: str, act: Callable[[AbstractConnection], AsyncGenerator[DeadLetter, None]], on_done: OnDone
) -> None:
    async with open_connection(url, NAME) as connection, aclosing(act(connection)) as steps:
        async for letter in steps:
            on_done(letter)


def _to_details(leased: LeasedDeadLetter) -> dict[str, Any]:
    raw = leased.raw
    properties = {
        key: message_codec.to_json_value(value) for key, value in raw.header.properties if key != "headers" and value
    }
    body, encoding = message_codec.decode_body(raw)
    return {
        **to_row(leased.letter),
        "properties": properties,
        "headers": message_codec.to_json_value(dict(message_codec.headers(raw))),
        "body_encoding": encoding,
        "body": body,
    }


def _missing(ids: Iterable[str], queues: Sequence[str]) -> str:
    return f"no dead letter {', '.join(map(repr, ids))} in {', '.join(queues)}"


def _number(letters_: int) -> str:
    return "1 dead letter" if letters_ == 1 else f"{letters_} dead letters"


def _print_table(found: Iterable[DeadLetter], *, err: bool = False) -> None:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("id", no_wrap=True)
    for title in ("type", "subject", "reason", "attempts", "when (UTC)"):
        table.add_column(title, overflow="fold", justify="right" if title == "attempts" else "left")
    for letter in found:
        when = letter.died_at or letter.occurred_at
        cells = (
            letter.id,
            short_type(letter.type),
            letter.subject,
            letter.reason,
            "" if letter.attempts is None else str(letter.attempts),
            f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if when else "",
        )
        table.add_row(*(Text(escape_control(cell)) for cell in cells))
    make_console(err=err).print(table)


def _print_details(letter: dict[str, Any]) -> None:
    for key, value in letter.items():
        if key not in ("properties", "headers", "body"):
            typer.echo(f"{key:<14}{'' if value is None else escape_control(str(value))}")
    for title in ("properties", "headers"):
        typer.echo(f"\n{title}")
        for key, value in letter[title].items():
            typer.echo(f"  {escape_control(key)}: {message_codec.as_json(value)}")
    typer.echo("\nbody")
    if letter["body_encoding"] == "json":
        typer.echo(message_codec.as_json(letter["body"], indent=2))
    else:
        typer.echo("\n".join(escape_control(line) for line in letter["body"].split("\n")))
