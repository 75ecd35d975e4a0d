"""What the documents say is what the code does."""

import json
import re
from datetime import UTC
from pathlib import Path

import pytest
from prometheus_client import Counter, Gauge, Histogram
from pydantic_settings import BaseSettings

from auth import metrics as auth_metrics
from auth.config import Settings as AuthSettings
from auth.token_encryption import Keyring
from auth.users.handlers import make_handlers as make_auth_handlers
from ingest import metrics as ingest_metrics
from ingest.config import Settings as IngestSettings
from ingest.main import make_handlers as make_ingest_handlers
from leaderboard import metrics as leaderboard_metrics
from leaderboard.config import Settings as LeaderboardSettings
from leaderboard.participants.handlers import PARTICIPANT_HANDLERS
from leaderboard.standings.handlers import ACTIVITY_HANDLERS
from shared.contracts.events import EVENTS, JobReleased
from shared.contracts.queues import QUEUES
from shared.messaging.inbox import BatchHandler, DeliveryHandler, Handlers
from shared.observability import metrics
from shared.settings import ServiceSettings
from sync import metrics as sync_metrics
from sync.config import ApiSettings, WorkerSettings
from sync.fetching.worker import Worker
from sync.jobs.handlers import make_handlers as make_sync_handlers
from web.boards.board_cache import BoardCache
from web.config import Settings as WebSettings
from web.live.changes import Changes
from web.sessions.handlers import SESSION_HANDLERS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
OPERATIONS = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
SETTINGS = (ROOT / "docs/settings.md").read_text(encoding="utf-8")

CONSUMERS: dict[str, Handlers] = {
    "auth.people": make_auth_handlers(Keyring("none", {})),
    "sync.people": make_sync_handlers(),
    "sync.jobs": {JobReleased: Worker.run_released},
    "ingest.activity": make_ingest_handlers(UTC),
    "leaderboard.people": PARTICIPANT_HANDLERS,
    "leaderboard.activity": ACTIVITY_HANDLERS,
    "web.people": SESSION_HANDLERS,
}
#: Heard by every replica of web for its open pages, in a queue of its own.
LISTENERS = {"standings.changed": ["web"], "sync.finished": ["web"]}


def test_every_queue_hears_just_what_its_service_handles() -> None:
    assert {queue: set(heard) for queue, heard in QUEUES.items()} == {
        queue: set(handlers) for queue, handlers in CONSUMERS.items()
    }


def test_the_table_of_the_system_is_what_the_code_does() -> None:
    rows = re.findall(r"^\| `([a-z.]+)` \| `([a-z._]+)` \| `(\w+)` \|", ARCHITECTURE, re.MULTILINE)
    actual = {
        (
            queue,
            event.topic,
            (handler.handle if isinstance(handler, BatchHandler | DeliveryHandler) else handler).__name__,
        )
        for queue, handlers in CONSUMERS.items()
        for event, handler in handlers.items()
    }
    assert set(rows) == actual | {
        ("web", "standings.changed", BoardCache.mark_stale.__name__),
        ("web", "standings.changed", Changes.note_change.__name__),
        ("web", "sync.finished", Changes.note_fetch.__name__),
    }


def test_every_folder_of_code_is_explained_and_nothing_else_is() -> None:
    documented = re.findall(r"^\| `((?:libs|services)/[a-z_/]+)` \|", ARCHITECTURE, re.MULTILINE)
    actual = {
        init.parent.relative_to(ROOT).as_posix()
        for part in ("libs", "services")
        for init in ROOT.glob(f"{part}/*/src/**/__init__.py")
    }
    assert sorted(documented) == sorted(actual)


def test_the_event_table_of_the_readme_is_what_the_code_does() -> None:
    rows = re.findall(r"^\| `([a-z._]+)` \| (\w+) \| ([\w, ]+) \|", README, re.MULTILINE)
    documented = {topic: (producer, heard.split(", ")) for topic, producer, heard in rows}
    actual = {}
    for event in EVENTS:
        heard_by = [queue.partition(".")[0] for queue, heard in QUEUES.items() if event in heard]
        heard_by += LISTENERS.get(event.topic, [])
        actual[event.topic] = (event.producer, heard_by or ["the archive"])
    assert documented == actual


@pytest.mark.parametrize(
    ("section", "settings"),
    [
        ("Every service", ServiceSettings),
        ("auth", AuthSettings),
        ("sync api", ApiSettings),
        ("sync worker", WorkerSettings),
        ("ingest", IngestSettings),
        ("leaderboard", LeaderboardSettings),
        ("web", WebSettings),
    ],
)
def test_every_setting_is_documented_and_nothing_else_is(section: str, settings: type[BaseSettings]) -> None:
    text = SETTINGS.split(f"\n## {section}\n")[1].split("\n## ")[0]
    documented = dict(re.findall(r"^\| `([A-Z_]+)` \|([^|]*)\|", text, re.MULTILINE))
    own = {
        name.upper(): field
        for name, field in settings.model_fields.items()
        if settings is ServiceSettings or name not in ServiceSettings.model_fields
    }
    assert documented.keys() == own.keys()
    for name, field in own.items():
        assert field.is_required() == (documented[name].strip() == ""), name


def test_every_make_target_is_explained_and_those_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    assert targets == set(re.findall(r"^([a-z]+):.*## ", makefile, re.MULTILINE))
    assert (
        set(re.findall(r"\bmake ([a-z]+)\b", "\n".join(re.findall(r"`[^`]+`|```.*?```", README, re.DOTALL))))
        <= targets
    )


def test_every_metric_is_explained_and_nothing_else_is() -> None:
    documented = set(re.findall(r"^\| `([a-z_]+)(?:\{[a-z,]+\})?` \|", OPERATIONS, re.MULTILINE))
    everything = [
        *vars(metrics).values(),
        *vars(auth_metrics).values(),
        *vars(sync_metrics).values(),
        *vars(ingest_metrics).values(),
        *vars(leaderboard_metrics).values(),
    ]
    ours = [one for one in everything if isinstance(one, Counter | Gauge | Histogram)]
    actual = {f"{one._name}_total" if isinstance(one, Counter) else one._name for one in ours}
    assert documented == actual


def test_the_smoke_line_of_the_readme_has_the_fields_that_are_printed() -> None:
    line = json.loads(next(re.finditer(r'^\{"athletes".*\}$', README, re.MULTILINE)).group())
    assert list(line) == ["athletes", "activities", "boards", "rows", "mismatches", "seconds"]
