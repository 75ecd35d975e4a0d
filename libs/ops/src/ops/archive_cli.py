"""`gruppetto archive`: all events of the last days."""

import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from ops import archive, message_codec
from ops.archive import ArchivedEvent, ArchiveFilter, End, Start
from ops.broker import describe_error
from ops.cli_common import broker_url, require_queue, run
from ops.errors import OperatorError
from ops.republish import republish
from shared.contracts.queues import QUEUES
from shared.messaging.publisher import BROKER_ERRORS, Publisher

archive_app = typer.Typer(
    no_args_is_help=True,
    help="The archive: every event of the last seven days, in the order in which RabbitMQ got them.",
)

From = Annotated[
    str,
    typer.Option(
        "--from",
        help="Where to begin: first, last, next, an offset, a moment in ISO 8601 (UTC if it names no zone), or how "
        "long ago, such as 90s, 15m, 2h, 3d. A moment is when the event occurred.",
    ),
]
Until = Annotated[str, typer.Option("--until", help="Where to end, included: an offset, a moment, or how long ago.")]
Types = Annotated[list[str] | None, typer.Option("--type", help="Only this type; repeat it for more.")]
Subject = Annotated[str, typer.Option("--subject", help="Only events about this, such as an activity's id.")]

_OFFSET = re.compile(r"[0-9]{1,18}")
_AGO = re.compile(r"([0-9]{1,5})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@archive_app.command()
def read(
    *,
    from_: From = "first",
    until: Until = "",
    type_: Types = None,
    subject: Subject = "",
    follow: Annotated[bool, typer.Option("--follow", help="Wait for more events, until Ctrl-C.")] = False,
    limit: Annotated[int, typer.Option(min=0, help="At most so many; 0 for all.")] = 0,
) -> None:
    """Print events, one JSON object a line. It ends with the event that was the last one when it began."""
    start, end, wanted = _start(from_), _end(until), ArchiveFilter(type_ or (), subject)
    if follow and end is not None:
        raise typer.BadParameter("--follow has no --until")
    url = broker_url()
    run(url, _print(url, archive.read(url, start, end, wanted=wanted, follow=follow), limit))


@archive_app.command(short_help="Give events once more to one consumer that lost its state, and to no other.")
def replay(
    queue: Annotated[str, typer.Argument(help="The consumer's queue, such as leaderboard.activity.")],
    *,
    from_: From,
    until: Until = "",
    type_: Types = None,
    subject: Subject = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not count and ask first.")] = False,
) -> None:
    """Give events once more to one consumer that lost its state, and to no other.
    Only events that its queue is bound to are given. What its inbox still has is not handled again.
    """
    require_queue(queue, QUEUES)
    start, end, wanted = _start(from_), _end(until), ArchiveFilter(type_ or (), subject, QUEUES[queue])
    url = broker_url()
    if not yes:
        number = run(url, _count(archive.read(url, start, end, wanted=wanted)))
        typer.confirm(f"Give {_events(number)} to {queue} once more?", abort=True)
    given: list[int] = []
    try:
        run(url, _replay(url, queue, archive.read(url, start, end, wanted=wanted), given))
    except SystemExit:
        if given:  # what was given before the error is given
            _report(queue, given)
        raise
    _report(queue, given)


def _report(queue: str, given: Sequence[int]) -> None:
    last = f"; the last one was {given[-1]}" if given else ""
    typer.echo(f"{queue}: {_events(len(given))} given once more{last}")


def _start(text: str) -> Start:
    match text:
        case "first" | "last" | "next":
            return text
        case _:
            return _place("--from", text)


def _end(text: str) -> End | None:
    return _place("--until", text) if text else None


def _place(option: str, text: str) -> int | datetime:
    if _OFFSET.fullmatch(text):
        return int(text)
    if ago := _AGO.fullmatch(text):
        return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no offset, moment or time span", param_hint=option) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


async def _print(url: str, events: AsyncGenerator[ArchivedEvent, None], limit: int) -> None:
    last = None
    async with aclosing(events):
        try:
            async for event in events:
                typer.echo(_line(event))
                last = event.offset
                limit -= 1
                if limit == 0:
                    return
        except BrokenPipeError:
            raise
        except BROKER_ERRORS as error:
            if last is None:
                raise
            raise OperatorError(f"{describe_error(url, error)}; go on with --from {last + 1}") from None


def _line(event: ArchivedEvent) -> str:
    body, encoding = message_codec.decode_body(event.raw)
    return message_codec.as_json(
        {
            "offset": event.offset,
            "id": event.id,
            "type": event.type,
            "subject": event.subject,
            "time": message_codec.to_json_value(event.time),
            "source": event.source,
            "exchange": event.exchange,
            "routing_key": event.routing_key,
            "traceparent": event.traceparent,
            "body_encoding": encoding,
            "body": body,
        }
    )


async def _count(events: AsyncGenerator[ArchivedEvent, None]) -> int:
    number = 0
    async with aclosing(events):
        async for _ in events:
            number += 1
    return number


async def _replay(url: str, queue: str, events: AsyncGenerator[ArchivedEvent, None], given: list[int]) -> None:
    publisher = Publisher(url, archive.NAME)
    try:
        async with (
            aclosing(events),
            aclosing(republish(publisher, queue, events, lambda event: event.raw)) as confirmed,
        ):
            async for event in confirmed:
                given += [event.offset]
    finally:
        await publisher.close()


def _events(number: int) -> str:
    return "1 event" if number == 1 else f"{number} events"
