"""`gruppetto letters`: the dead letters of all consumers."""

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

from ops import letters, messages
from ops.broker import connected
from ops.command import broker_url, fail, known, row, run, terminal, write_array
from ops.letters import Held, Letter, Pile, Wanted
from ops.messages import printable, short_type
from shared.contracts.queues import QUEUES
from shared.messaging.publisher import Publisher

NAME = "gruppetto letters"

letters_app = typer.Typer(
    no_args_is_help=True,
    help="Dead letters: messages that a consumer could not handle. Looking at them changes nothing. While one "
    "command looks at a queue its letters are invisible, and other commands wait for their turn; RabbitMQ gives them "
    "back, in their order, when the command ends, however it ends.",
)

Queue = Annotated[str, typer.Argument(help="The consumer's queue, such as leaderboard.activity.")]
Ids = Annotated[list[str] | None, typer.Option("--id", help="A letter's id as listed; repeat it for more.")]
All = Annotated[bool, typer.Option("--all", help="Every letter that the filters leave.")]
Type = Annotated[str, typer.Option("--type", help="Only this type, such as activity.recorded.")]
Reason = Annotated[str, typer.Option("--reason", help="Only if the reason contains this text, in any case.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON array instead of text.")]

Note: TypeAlias = Callable[[Letter], None]


@letters_app.command("list")
def list_(
    queue: Annotated[str, typer.Argument(help="One consumer's queue; without it, all.")] = "",
    *,
    type_: Type = "",
    reason: Reason = "",
    limit: Annotated[int, typer.Option(min=0, help="At most so many of each queue; 0 for all.")] = 0,
    json: Json = False,
) -> None:
    """List dead letters, oldest first, and how many there are."""
    queues, url, wanted = _queues(queue), broker_url(), Wanted(type=type_, reason=reason)
    piles = run(url, _piles(url, queues, wanted, limit))
    if json:
        write_array([row(letter) for pile in piles for letter in pile.letters])
    for pile in piles:
        shown = "" if len(pile.letters) == pile.total else f", {len(pile.letters)} of them listed"
        typer.echo(f"{pile.queue}: {_number(pile.total)}{shown}", err=json)
        if pile.letters and not json:
            _show_table(pile.letters)


@letters_app.command()
def show(
    id_: Annotated[str, typer.Argument(metavar="ID", help="The letter's id as listed.")],
    *,
    queue: Annotated[str, typer.Option(help="Look only here.")] = "",
    json: Json = False,
) -> None:
    """Show all of a letter, its body too, or of all that have this id."""
    queues, url = _queues(queue), broker_url()
    found = run(url, _find(url, queues, id_))
    if not found:
        fail(_missing([id_], queues))
    if json:
        write_array(found)
        return
    for letter in found:
        _show_whole(letter)


@letters_app.command(short_help="Give letters to their consumer once more, and to no other consumer.")
def replay(
    queue: Queue, *, id_: Ids = None, all_: All = False, type_: Type = "", reason: Reason = "", json: Json = False
) -> None:
    """Give letters to their consumer once more, and to no other consumer.
    Each is removed after RabbitMQ has confirmed its copy. If the command is interrupted in between, both stay: a
    duplicate, which the consumer's inbox absorbs, and never a loss. Letters with the same id go together.
    """
    known(queue, QUEUES)
    wanted, url = _wanted(id_, all_, type_, reason), broker_url()
    _tell("replayed", queue, wanted, json, lambda note: run(url, _replay(url, queue, wanted, note)))


@letters_app.command()
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
    """Remove letters for ever. Letters with the same id go together."""
    known(queue, QUEUES)
    wanted, url = _wanted(id_, all_, type_, reason), broker_url()
    chosen = wanted if yes else _confirmed(url, queue, wanted, json)
    _tell("discarded", queue, wanted, json, lambda note: run(url, _discard(url, queue, chosen, note)))


def _queues(queue: str) -> Sequence[str]:
    return [known(queue, QUEUES)] if queue else list(QUEUES)


def _wanted(ids: Sequence[str] | None, all_: bool, type_: str, reason: str) -> Wanted:
    if bool(ids) == all_:
        raise typer.BadParameter("say which letters: either --id or --all")
    return Wanted(frozenset(ids) if ids else None, type_, reason)


def _confirmed(url: str, queue: str, wanted: Wanted, json: bool) -> Wanted:
    """Exactly those that the operator has seen and agreed to, held by nobody meanwhile."""
    [pile] = run(url, _piles(url, [queue], wanted, 0))
    if pile.letters:
        _show_table(pile.letters, err=json)
        typer.confirm(f"Discard {_number(len(pile.letters))} of {queue} for ever?", abort=True, err=json)
    return replace(wanted, ids=frozenset(letter.id for letter in pile.letters))


def _tell(verb: str, queue: str, wanted: Wanted, json: bool, act: Callable[[Note], None]) -> None:
    done: list[Letter] = []
    try:
        act(done.append)
    except SystemExit:
        if done:
            _show_done(verb, queue, done, json)
        raise
    _show_done(verb, queue, done, json)
    missing = (wanted.ids or frozenset()) - {letter.id for letter in done}
    if missing:
        fail(_missing(sorted(missing), [queue]))


def _show_done(verb: str, queue: str, done: Sequence[Letter], json: bool) -> None:
    if json:
        write_array([row(letter) for letter in done])
        return
    typer.echo(f"{queue}: {_number(len(done))} {verb}")
    if done:
        _show_table(done)


async def _piles(url: str, queues: Sequence[str], wanted: Wanted, limit: int) -> list[Pile]:
    async with connected(url, NAME) as connection:
        return [await letters.pile(connection, queue, wanted, limit) for queue in queues]


async def _find(url: str, queues: Sequence[str], id_: str) -> list[dict[str, Any]]:
    found = []
    async with connected(url, NAME) as connection:
        for queue in queues:
            async with letters.look(connection, queue, Wanted(frozenset([id_]))) as same:
                found += [_whole(held) async for held in same]
    return found


async def _replay(url: str, queue: str, wanted: Wanted, note: Note) -> None:
    publisher = Publisher(url, NAME)
    try:
        await _each(url, lambda connection: letters.replay(connection, publisher, queue, wanted), note)
    finally:
        await publisher.close()


async def _discard(url: str, queue: str, wanted: Wanted, note: Note) -> None:
    await _each(url, lambda connection: letters.discard(connection, queue, wanted), note)


async def _each(url: str, act: Callable[[AbstractConnection], AsyncGenerator[Letter, None]], note: Note) -> None:
    async with connected(url, NAME) as connection, aclosing(act(connection)) as steps:
        async for letter in steps:
            note(letter)


def _whole(held: Held) -> dict[str, Any]:
    raw = held.raw
    properties = {key: messages.plain(value) for key, value in raw.header.properties if key != "headers" and value}
    body, encoding = messages.body(raw)
    return {
        **row(held.letter),
        "properties": properties,
        "headers": messages.plain(dict(messages.headers(raw))),
        "body_encoding": encoding,
        "body": body,
    }


def _missing(ids: Iterable[str], queues: Sequence[str]) -> str:
    return f"no dead letter {', '.join(map(repr, ids))} in {', '.join(queues)}"


def _number(letters_: int) -> str:
    return "1 dead letter" if letters_ == 1 else f"{letters_} dead letters"


def _show_table(found: Iterable[Letter], *, err: bool = False) -> None:
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
        table.add_row(*(Text(printable(cell)) for cell in cells))
    terminal(err=err).print(table)


def _show_whole(letter: dict[str, Any]) -> None:
    for key, value in letter.items():
        if key not in ("properties", "headers", "body"):
            typer.echo(f"{key:<14}{'' if value is None else printable(str(value))}")
    for title in ("properties", "headers"):
        typer.echo(f"\n{title}")
        for key, value in letter[title].items():
            typer.echo(f"  {printable(key)}: {messages.as_json(value)}")
    typer.echo("\nbody")
    if letter["body_encoding"] == "json":
        typer.echo(messages.as_json(letter["body"], indent=2))
    else:
        typer.echo("\n".join(printable(line) for line in letter["body"].split("\n")))
