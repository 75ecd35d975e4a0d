"""Uploads activities of random athletes at a fixed interval."""

import asyncio
from collections.abc import Iterator

from stravasim.dataset.activity_factory import random_upload
from stravasim.dataset.rng import SeededRandom
from stravasim.simulator import Simulator


def athlete_sequence(seed: int, athlete_ids: tuple[int, ...]) -> Iterator[int]:
    """An endless sequence of athlete ids; the same seed gives the same one."""
    rng = SeededRandom(f"{seed}:auto-upload")
    while True:
        yield rng.choice(athlete_ids)


async def run_auto_upload(simulator: Simulator, every_s: float) -> None:
    """Add an activity that has just ended, of a random athlete, every `every_s` seconds, until cancelled."""
    for athlete_id in athlete_sequence(simulator.settings.seed, tuple(simulator.dataset.athletes)):
        await asyncio.sleep(every_s)
        activity = random_upload(simulator.dataset, athlete_id, simulator.clock.now())
        simulator.add_activity(athlete_id, activity)
