"""Keeps the club alive: every now and then somebody uploads an activity."""

import asyncio
from collections.abc import Iterator

from stravasim.additions import upload_something
from stravasim.dice import Dice
from stravasim.simulator import Simulator


def turns(seed: int, athletes: tuple[int, ...]) -> Iterator[int]:
    """Who uploads next, for ever; the same seed gives the same sequence of athletes."""
    dice = Dice(f"{seed}:lively")
    while True:
        yield dice.choice(athletes)


async def keep_lively(simulator: Simulator, every: float) -> None:
    """Let an athlete of the club upload an activity that has just ended, every `every` seconds, for ever."""
    for athlete_id in turns(simulator.settings.seed, tuple(simulator.club.members)):
        await asyncio.sleep(every)
        activity = upload_something(simulator.club, athlete_id, simulator.clock.now())
        simulator.add(athlete_id, activity)
