"""Servers of its own for the chaos, and a scene for each test."""

import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # importlib mode leaves the rig unfindable

from battered import Battered, battered_servers
from scene import Scene, scene_of
from weather import Say


@pytest.fixture(scope="session")
async def battered() -> AsyncIterator[Battered]:
    """Servers that no other test uses, because they get killed."""
    async with battered_servers() as servers:
        yield servers


@pytest.fixture
def say(record_property: Callable[[str, object], None]) -> Say:
    """Show a line when the test has ended, also of one that passes."""
    return lambda line: record_property("said", line)


@pytest.fixture
async def scene(battered: Battered, request: pytest.FixtureRequest, say: Say) -> AsyncIterator[Scene]:
    """A schema, a queue and a crew of this test's own; its name is the test's."""
    name = request.node.name.removeprefix("test_").replace("_", " ")
    async with scene_of(battered, name, say) as scene:
        yield scene
