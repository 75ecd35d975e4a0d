"""The whole system on one machine: its processes, their settings and the order of their start."""

import base64
import hashlib
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aio_pika
import httpx

from devstack.errors import StackError
from devstack.process.gather_or_cancel import gather_or_cancel
from devstack.process.ports import reserve_ports
from devstack.process.supervisor import Supervisor
from devstack.servers.postgres import PostgresServer
from devstack.servers.rabbitmq import RabbitServer
from devstack.servers.roles import create_roles
from devstack.servers.secret_store import generate_secret, load_or_create, write_private
from devstack.servers.servers import Servers, private_servers
from devstack.stack import expected_activities
from shared.messaging import topology

SERVICES = ("auth", "sync", "ingest", "leaderboard", "web")
START_S = 90.0
CLIENT_ID = "1"
#: In the folder of the data, while the stack runs.
OPERATOR_SETTINGS = "operator.env"

Report = Callable[[str], None]


@dataclass(frozen=True)
class DatasetOptions:
    """The simulator's dataset: generated athletes, or those in a folder of Strava's JSON."""

    athletes: int = 25
    days: int = 60
    seed: int = 1
    data: Path | None = None
    auto_upload_every_s: float = 0  # 0: nobody uploads anything by themselves

    def arguments(self) -> list[str]:
        """The command line arguments for `stravasim serve`."""
        uploads = ["--auto-upload-every", str(self.auto_upload_every_s)]
        if self.data is not None:
            return ["--data", str(self.data), *uploads]
        return ["--athletes", str(self.athletes), "--days", str(self.days), "--seed", str(self.seed), *uploads]


@dataclass(frozen=True)
class RealStrava:
    """The application at Strava, and the public addresses where it sends people and events; None for no events."""

    client_id: int
    client_secret: str = field(repr=False)
    public_url: str
    webhook_url: str | None
    webhook_port: int
    settings: dict[str, str]  # of auth and leaderboard, as they are documented


@dataclass(frozen=True)
class StackConfig:
    """How to run the stack, on a simulated Strava or the real one. With `folder` None data are removed at the end."""

    strava: DatasetOptions | RealStrava
    folder: Path | None
    web_port: int | None = None  # None: any free port
    durable: bool = True
    grace_days: int = 0  # days from the last activity to the end of the challenge
    log_level: str = "INFO"
    freshness_s: int = 600  # within which a change is known that Strava tells of
    organisers: int = 0  # so many of the simulated athletes, the first ones, may organise


@dataclass(frozen=True)
class Athlete:
    """A simulated athlete with all activities, as Strava's JSON."""

    id: int
    activities: list[dict[str, Any]]
    name: str = ""  # the first one, and the initial of the last one


@dataclass(frozen=True)
class Stack:
    """The addresses and the dataset of a running system."""

    web_url: str
    leaderboard_url: str
    leaderboard_internal_url: str
    leaderboard_operator_key: str = field(repr=False)
    strava_url: str
    database_urls: dict[str, str] = field(repr=False)
    rabbitmq_url: str = field(repr=False)
    athletes: list[Athlete] = field(repr=False)


class StackLauncher:
    """Starts the processes, each when its dependencies are ready."""

    def __init__(self, config: StackConfig, supervisor: Supervisor, report: Report) -> None:
        self._config = config
        self._supervisor = supervisor
        self._report = report
        self._secrets: dict[str, str] = {}
        self._athletes: list[Athlete] = []
        self._database_urls: dict[str, str] = {}
        real = config.strava if isinstance(config.strava, RealStrava) else None
        self._real = real
        names = ("strava", *SERVICES, "sync-worker")
        internal = [f"{name} internal" for name in names]
        self._ports = dict(zip((*names, *internal), reserve_ports(2 * len(names)), strict=True))
        if config.web_port is not None:
            self._ports["web"] = config.web_port
        if real is not None:
            self._ports["sync"] = real.webhook_port

    def url(self, name: str) -> str:
        """The base url of a process."""
        return f"http://127.0.0.1:{self._ports[name]}"

    async def start(self, servers: Servers) -> Stack:
        """Start the services, after `prepare_schemas` and `start_strava`, whose dataset determines the days."""
        challenge = self._challenge_settings()
        self._report("starting the services")
        await _declare_topology(servers.rabbitmq)
        servers.mark_topology_declared()  # before any service can publish or consume
        await self._start_services(self._database_urls, servers.rabbitmq.url, challenge)
        self._write_operator_settings(servers)
        return Stack(
            self.url("web"),
            self.url("leaderboard"),
            self.url("leaderboard internal"),
            self._get_secret("leaderboard-operator"),
            self.url("strava"),
            self._database_urls,
            servers.rabbitmq.url,
            self._athletes,
        )

    async def prepare_schemas(self, postgres: PostgresServer) -> None:
        """Create and migrate what each service owns in the database; raises StackError."""
        self._database_urls = await create_roles(postgres, SERVICES)
        await self._supervisor.run(
            "prepare",
            [sys.executable, "-m", "devstack.stack.provision"],
            env=_base_environment() | {"SCHEMAS": json.dumps(self._database_urls)},
        )

    def _challenge_settings(self) -> dict[str, str]:
        if self._real is not None:
            return {}
        activities = [expected_activities.parse_activities(athlete.activities) for athlete in self._athletes]
        days = expected_activities.find_day_range(activities, self._config.grace_days)
        if days is None:
            raise StackError("none of the club's activities says when it started; there is nothing to show")
        last_day = max(days[1], datetime.now(UTC).date())  # of a challenge that is long over, nothing is kept
        return {
            "CHALLENGE_NAME": "The long way home",
            "CHALLENGE_FIRST_DAY": days[0].isoformat(),
            "CHALLENGE_LAST_DAY": last_day.isoformat(),
        }

    async def start_strava(self) -> None:
        """Start the simulated Strava, which needs no server; raises StackError when its dataset is invalid."""
        if not isinstance(self._config.strava, DatasetOptions):
            self._report("starting Postgres and RabbitMQ")
            return
        self._report("starting Postgres, RabbitMQ and the simulated club")
        # Enough calls to fetch all activities at once; the rate limits are tested elsewhere.
        limits = "1000000,10000000,1000000,10000000"
        await self._supervisor.start(
            "strava",
            [
                *(sys.executable, "-m", "stravasim", "serve", "--port", str(self._ports["strava"])),
                *("--limits", limits, "--client-id", CLIENT_ID, "--client-secret", self._get_secret("client")),
                *self._config.strava.arguments(),
            ],
            env=_base_environment(),
        )
        async with httpx.AsyncClient(base_url=self.url("strava"), timeout=30) as client:
            await self._supervisor.wait_until_ready("strava", lambda: is_healthy(client, "/_sim/health"), START_S)
            listed = (await client.get("/_sim/athletes")).json()
            self._athletes = [
                Athlete(
                    one["id"],
                    (await client.get(f"/_sim/athletes/{one['id']}/activities")).json(),
                    f"{one['firstname']} {one['lastname'][:1]}.",
                )
                for one in listed
            ]

    async def _start_services(
        self, database_urls: dict[str, str], rabbitmq_url: str, challenge: dict[str, str]
    ) -> None:
        specific = self._service_settings(challenge)
        for name, settings in specific.items():
            service, _, process = name.partition("-")
            argv = [sys.executable, "-m", f"{service}.main", *([process] if process else [])]
            common = {
                "DATABASE_URL": database_urls[service],
                "RABBITMQ_URL": rabbitmq_url,
                "HTTP_PORT": str(self._ports[_port_name(name)]),
                "INTERNAL_PORT": str(self._ports[f"{_port_name(name)} internal"]),
                "LOG_LEVEL": self._config.log_level,
                "LOG_FORMAT": "console",
            }
            # web first: an open page would ask services that are gone.
            order = -1 if service == "web" else 0
            await self._supervisor.start(
                name, argv, env=_base_environment() | common | settings, shutdown_order=order
            )
        async with httpx.AsyncClient(timeout=5) as client:
            await gather_or_cancel(*(self._wait_until_healthy(client, name) for name in specific))

    async def _wait_until_healthy(self, client: httpx.AsyncClient, name: str) -> None:
        address = f"{self.url(f'{_port_name(name)} internal')}/health/ready"
        await self._supervisor.wait_until_ready(name, lambda: is_healthy(client, address), START_S)

    def _service_settings(self, challenge: dict[str, str]) -> dict[str, dict[str, str]]:
        """Process -> the settings that are specific to it."""
        auth_url = self.url("auth")
        web_key, vault_key = self._get_secret("auth-api"), self._get_secret("vault-access")
        board_key = self._get_secret("leaderboard-api")
        vault = base64.b64encode(hashlib.sha256(self._get_secret("vault").encode()).digest()).decode()
        public_url, credentials, oauth, data_api, webhook_url = self._strava_settings()
        freshness = {"FRESHNESS_S": str(self._config.freshness_s)}
        webhooks = {"WEBHOOK_URL": webhook_url, "WEBHOOK_SECRET": self._get_secret("webhook")} if webhook_url else {}
        own = {} if self._real is None else self._real.settings
        return {
            "auth": {
                **credentials,
                **oauth,
                "STRAVA_REDIRECT_URI": f"{public_url}/auth/strava/callback",
                "VAULT_KEYS": f"demo:{vault}",
                "AUTH_API_KEY": web_key,
                "VAULT_ACCESS_KEY": vault_key,
                "AUTH_OPERATOR_KEY": self._get_secret("auth-operator"),
                "ADMIN_ATHLETE_IDS": ",".join(str(one.id) for one in self._athletes[: self._config.organisers]),
                **own,
            },
            "sync-api": {
                **credentials,
                **data_api,
                **webhooks,
                **freshness,
                "SYNC_OPERATOR_KEY": self._get_secret("sync-operator"),
            },
            "sync-worker": {**data_api, **freshness, "AUTH_URL": auth_url, "VAULT_ACCESS_KEY": vault_key},
            "ingest": {"INGEST_OPERATOR_KEY": self._get_secret("ingest-operator")},
            "leaderboard": {
                **challenge,
                **own,
                "LEADERBOARD_API_KEY": board_key,
                "LEADERBOARD_OPERATOR_KEY": self._get_secret("leaderboard-operator"),
                "SYNC_STATUS_URL": self.url("sync internal"),
                "SYNC_OPERATOR_KEY": self._get_secret("sync-operator"),
            },
            "web": {
                "AUTH_URL": auth_url,
                "AUTH_API_KEY": web_key,
                "LEADERBOARD_URL": self.url("leaderboard"),
                "LEADERBOARD_API_KEY": board_key,
                "WEB_OPERATOR_KEY": self._get_secret("web-operator"),
                "PUBLIC_URL": public_url,
            },
        }

    def _strava_settings(self) -> tuple[str, dict[str, str], dict[str, str], dict[str, str], str | None]:
        """The pages' address, the application's credentials, where OAuth and data are, and where events go."""
        real = self._real
        if real is not None:
            credentials = {"STRAVA_CLIENT_ID": str(real.client_id), "STRAVA_CLIENT_SECRET": real.client_secret}
            return real.public_url, credentials, {}, {}, real.webhook_url
        credentials = {"STRAVA_CLIENT_ID": CLIENT_ID, "STRAVA_CLIENT_SECRET": self._get_secret("client")}
        strava_url = self.url("strava")
        oauth, data_api = {"STRAVA_OAUTH_URL": f"{strava_url}/oauth"}, {"STRAVA_API_URL": f"{strava_url}/api/v3"}
        return self.url("web"), credentials, oauth, data_api, self.url("sync")

    def _write_operator_settings(self, servers: Servers) -> None:
        """The settings of `gruppetto` for this stack, as a file that a shell reads."""
        if self._config.folder is None:
            return
        settings = {
            "RABBITMQ_URL": servers.rabbitmq.url,
            "RABBITMQ_MANAGEMENT_URL": servers.rabbitmq.management_url,
            "AUTH_URL": self.url("auth"),
            "AUTH_OPERATOR_KEY": self._get_secret("auth-operator"),
            "SYNC_INTERNAL_URL": self.url("sync internal"),
            "SYNC_OPERATOR_KEY": self._get_secret("sync-operator"),
            "INGEST_INTERNAL_URL": self.url("ingest internal"),
            "INGEST_OPERATOR_KEY": self._get_secret("ingest-operator"),
            "LEADERBOARD_INTERNAL_URL": self.url("leaderboard internal"),
            "LEADERBOARD_OPERATOR_KEY": self._get_secret("leaderboard-operator"),
            "WEB_INTERNAL_URL": self.url("web internal"),
            "WEB_OPERATOR_KEY": self._get_secret("web-operator"),
        }
        lines = [f"{name}='{value}'\n" for name, value in settings.items()]
        write_private(self._config.folder / OPERATOR_SETTINGS, "".join(lines))

    def _get_secret(self, name: str) -> str:
        """The named secret; the same at every start in one folder."""
        if name not in self._secrets:
            folder = self._config.folder
            self._secrets[name] = generate_secret() if folder is None else load_or_create(folder / f"secret-{name}")
        return self._secrets[name]


@asynccontextmanager
async def running_stack(config: StackConfig, supervisor: Supervisor, report: Report) -> AsyncIterator[Stack]:
    """The whole system, ready to use; it is stopped at the end of the block. Raises StackError."""
    launcher = StackLauncher(config, supervisor, report)
    async with private_servers(
        config.folder,
        supervisor,
        durable=config.durable,
        report=report,
        startup_tasks=[launcher.start_strava],
        on_postgres=launcher.prepare_schemas,
    ) as servers:
        yield await launcher.start(servers)


async def _declare_topology(broker: RabbitServer) -> None:
    try:
        await topology.declare(broker.url, broker.management_url)
    except (topology.TopologyError, OSError, aio_pika.exceptions.AMQPError, httpx.HTTPError) as error:
        raise StackError(f"the broker cannot be prepared: {type(error).__name__}: {error}") from error


def _port_name(process: str) -> str:
    return "sync" if process == "sync-api" else process


def _base_environment() -> dict[str, str]:
    """The variables that every process needs; other variables of our environment must not reach the services."""
    inherited = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "VIRTUAL_ENV")
    return {"PYTHONUNBUFFERED": "1", **{name: os.environ[name] for name in inherited if name in os.environ}}


async def is_healthy(client: httpx.AsyncClient, url: str) -> bool:
    """Whether the url answers with status 200; False when nothing listens there."""
    try:
        return (await client.get(url)).status_code == 200
    except httpx.TransportError:
        return False
