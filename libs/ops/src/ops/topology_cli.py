"""`gruppetto topology`: what the broker must have before any service starts."""

import json
from typing import Annotated

import httpx
import typer
from pydantic import AmqpDsn, HttpUrl
from pydantic_settings import BaseSettings, SettingsConfigDict

from ops.cli_common import fail, run
from ops.errors import OperatorError
from shared.contracts.queues import QUEUES
from shared.messaging import topology
from shared.settings import load_settings

topology_app = typer.Typer(no_args_is_help=True, help="Exchanges, queues and policies of the broker.")


_MISSED = "If it was there before, give it what it missed: gruppetto archive replay {} --from TIME_BEFORE_IT_WAS_LOST"


class TopologySettings(BaseSettings):
    """Where the broker and its management API are."""

    model_config = SettingsConfigDict(hide_input_in_errors=True, extra="ignore")

    rabbitmq_url: AmqpDsn
    rabbitmq_management_url: HttpUrl | None = None


@topology_app.command()
def declare(
    *,
    no_policies: Annotated[
        bool, typer.Option("--no-policies", help="Leave them to whoever imports `gruppetto topology policies`.")
    ] = False,
) -> None:
    """Declare everything; doing it again changes nothing."""
    settings = load_settings(TopologySettings)
    if settings.rabbitmq_management_url is None and not no_policies:
        fail("RABBITMQ_MANAGEMENT_URL is not set; policies need it. Without it: import them, and use --no-policies")
    url, management_url = str(settings.rabbitmq_url), settings.rabbitmq_management_url
    declared = run(url, _declare(url, None if no_policies else str(management_url)))
    typer.echo(f"{len(QUEUES)} queues with their retries and dead letters, and the archive, are declared")
    for queue in declared.new_queues:
        typer.echo(f"{queue} is new{'' if declared.archive_is_new else f'. {_MISSED.format(queue)}'}")


async def _declare(url: str, management_url: str | None) -> topology.Declared:
    try:
        return await topology.declare(url, management_url)
    except topology.TopologyError as error:
        raise OperatorError(str(error)) from None
    except httpx.HTTPError as error:
        raise OperatorError(f"the management API does not answer ({type(error).__name__})") from None


@topology_app.command()
def policies(*, virtual_host: Annotated[str, typer.Option(help="Where they will apply.")] = "/") -> None:
    """Print the policies as definitions, for `rabbitmqctl import_definitions` or an operator's own tools."""
    made = [{"vhost": virtual_host, "name": name, **policy} for name, policy in topology.policies().items()]
    typer.echo(json.dumps({"policies": made}, indent=2))
