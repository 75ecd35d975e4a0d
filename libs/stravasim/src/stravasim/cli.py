"""The command line: `stravasim serve`."""

import socket
import sys
from contextlib import ExitStack, suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
import uvicorn
from typer.core import TyperGroup

from stravasim.app import create_app
from stravasim.dataset.athletes import HOME_ZONE
from stravasim.dataset.dataset import Dataset
from stravasim.dataset.generator import generate_dataset
from stravasim.dataset.loader import InvalidDatasetError, load_dataset
from stravasim.simulator import Settings
from stravasim.strava.oauth import DEFAULT_APPLICATION, Application, Rotation
from stravasim.strava.rate_limits import parse_limits


class _OneLineErrors(TyperGroup):
    """Reports usage errors in one line, which scripts can show."""

    def main(self, *args: Any, **extra: Any) -> Any:
        standalone_mode = extra.pop("standalone_mode", True)
        try:
            result = super().main(*args, **(extra | {"standalone_mode": False}))
        except Exception as error:
            message = getattr(error, "format_message", None)
            if message is None or not standalone_mode:
                raise
            _exit_with(" ".join(str(message()).split()))
        if standalone_mode:
            sys.exit(result if isinstance(result, int) else 0)
        return result


app = typer.Typer(cls=_OneLineErrors, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def main() -> None:
    """A simulated Strava for development and tests: OAuth, activities, rate limits, webhooks, and injected faults."""


@app.command()
def serve(
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes any free one.")] = 8100,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    athletes: Annotated[int, typer.Option(min=1, max=100_000, help="Number of generated athletes.")] = 40,
    days: Annotated[int, typer.Option(min=1, max=10_000, help="Days of history, the last included.")] = 120,
    seed: Annotated[int, typer.Option(help="The same seed generates the same dataset.")] = 1,
    until: Annotated[str, typer.Option(help="Last day, YYYY-MM-DD; today in Warsaw if not given.")] = "",
    data: Annotated[
        Path | None,
        typer.Option(help="Serve this folder of <athlete_id>.json instead of a generated dataset."),
    ] = None,
    limits: Annotated[
        str, typer.Option(help="Requests allowed: overall15,overallday,read15,readday.")
    ] = "200,2000,100,1000",
    client_id: Annotated[int, typer.Option(min=1, help="The application's id.")] = DEFAULT_APPLICATION.client_id,
    client_secret: Annotated[str, typer.Option(help="The application's secret.")] = DEFAULT_APPLICATION.client_secret,
    callback_domain: Annotated[
        str, typer.Option(help="Callback domain; localhost and 127.0.0.1 always work.")
    ] = DEFAULT_APPLICATION.callback_domain,
    rotation: Annotated[
        Rotation, typer.Option(help="When a refresh returns a new refresh token.")
    ] = Rotation.RENEWAL,
    short_pages: Annotated[
        bool, typer.Option("--short-pages", help="Pages have fewer items than requested.")
    ] = False,
    hide_after_paging: Annotated[
        bool, typer.Option("--hide-after-paging", help="Pages are cut first, so one may be empty before the last.")
    ] = False,
    auto_upload_every: Annotated[
        float, typer.Option(min=0, help="Seconds between uploads by random athletes; 0 for none.")
    ] = 0,
) -> None:
    """Serve a simulated Strava until Ctrl-C. Usage errors are one line on stderr with exit code 2.

    The page at / shows athletes and requests; /openapi.json and /_sim/openapi.json describe both APIs.
    """
    try:
        settings = Settings(
            application=Application(client_id, client_secret, callback_domain),
            limits=parse_limits(limits),
            rotation=rotation,
            short_pages=short_pages,
            hide_after_paging=hide_after_paging,
            auto_upload_every_s=auto_upload_every or None,
            seed=seed,
        )
        dataset = load_dataset(data) if data is not None else _generate(athletes, days, seed, until)
        listener = _listen(host, port)
    except (ValueError, InvalidDatasetError) as error:
        _exit_with(str(error))
    _run(dataset, settings, listener)


def _generate(athletes: int, days: int, seed: int, until: str) -> Dataset:
    now = datetime.now(UTC)
    try:
        last = date.fromisoformat(until) if until else now.astimezone(HOME_ZONE).date()
    except ValueError as error:
        raise ValueError(f"--until must be a date such as 2026-09-30, not {until!r}") from error
    return generate_dataset(athletes=athletes, days=days, seed=seed, until=last, now=now)


def _listen(host: str, port: int) -> socket.socket:
    # Bound here and not by uvicorn, which would report a taken port as a log line and exit code 1.
    with ExitStack() as on_failure:
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            listener = on_failure.enter_context(socket.socket(family, kind, protocol))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen()
        except OSError as error:
            raise ValueError(f"cannot listen on {host} port {port}: {error.strerror}") from error
        on_failure.pop_all()
    return listener


def _run(dataset: Dataset, settings: Settings, listener: socket.socket) -> None:
    host, port = listener.getsockname()[:2]
    address = f"[{host}]" if ":" in host else host
    typer.echo(f"Simulating Strava for {len(dataset.athletes)} athletes on http://{address}:{port}", err=True)
    application = create_app(dataset, settings=settings)
    # A request with an injected timeout must not delay the shutdown.
    config = uvicorn.Config(application, log_level="warning", access_log=False, timeout_graceful_shutdown=1)
    with suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listener])


def _exit_with(message: str) -> NoReturn:
    typer.echo(f"stravasim: {message}", err=True)
    sys.exit(2)
