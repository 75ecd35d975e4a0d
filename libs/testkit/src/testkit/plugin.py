"""The fixtures that every test may use: `pytest_plugins = ["testkit.plugin"]`."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack

import pytest

from shared.database.engine import Database
from testkit import effects
from testkit.consumer_queue import ConsumerQueue, declared_queue
from testkit.databases import open_database
from testkit.servers import LazyServers, running_servers
from testkit.tcp_proxy import TcpProxy, proxy_to


class MeasurementReporter:
    """Prints what a test has measured (the property `measured` of its report), also when it passed elsewhere."""

    def __init__(self, terminal: pytest.TerminalReporter) -> None:
        self._terminal = terminal

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "teardown":
            for name, value in report.user_properties:
                if name == "measured":
                    self._terminal.write(f"\n{value}")


@pytest.hookimpl(trylast=True)  # the terminal reporter is there by then
def pytest_configure(config: pytest.Config) -> None:
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(MeasurementReporter(terminal), "measurements")


@pytest.fixture
def statuses(
    request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> Iterator[Counter[int]]:
    """Counts the responses to hostile requests by status, and prints the counts."""
    counted: Counter[int] = Counter()
    yield counted
    service = request.path.parents[1].name
    record_property(
        "measured", f"{service}: {counted.total()} hostile requests, by status {dict(sorted(counted.items()))}"
    )


@pytest.fixture(scope="session")
def test_servers() -> Iterator[LazyServers]:
    """The session's servers, none of them started yet."""
    with running_servers() as servers:
        yield servers


@pytest.fixture(scope="session")
def postgres_server(test_servers: LazyServers) -> str:
    """A superuser's url of the session's Postgres."""
    return test_servers.superuser_url


@pytest.fixture(scope="session")
def rabbitmq_url(test_servers: LazyServers) -> str:
    """The url of the session's RabbitMQ."""
    return test_servers.rabbitmq[0]


@pytest.fixture(scope="session")
def management_url(test_servers: LazyServers) -> str:
    """The url of its management API."""
    return test_servers.rabbitmq[1]


@pytest.fixture(scope="session")
def database_url_for(test_servers: LazyServers) -> Callable[[str], str]:
    """database_url_for(schema): the schema in a database of its own, the same for the whole session."""
    urls: dict[str, str] = {}

    def url(schema: str) -> str:
        if schema not in urls:
            urls.update(test_servers.database(schema))
        return urls[schema]

    return url


@pytest.fixture
async def queue(rabbitmq_url: str, management_url: str) -> AsyncIterator[ConsumerQueue]:
    """A producer and a consumer's queue of this test only."""
    async with declared_queue(rabbitmq_url, management_url) as declared:
        yield declared


@pytest.fixture
async def make_proxy() -> AsyncIterator[Callable[[str], Awaitable[TcpProxy]]]:
    """make_proxy(url): a proxy to that server."""
    async with AsyncExitStack() as stack:
        yield lambda url: stack.enter_async_context(proxy_to(url))


@pytest.fixture(scope="session")
async def effects_database_url(database_url_for: Callable[[str], str]) -> str:
    """The database with the table of effects."""
    url = database_url_for("effects")
    await effects.create_tables(url)
    return url


@pytest.fixture
async def effects_database(effects_database_url: str) -> AsyncIterator[Database]:
    """The same, empty and open."""
    async with open_database(effects_database_url) as database:
        await effects.truncate_tables(database)
        yield database
