"""What the demo adds to the default challenge, through the API that organisers' programs use."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx

from devstack.errors import StackError
from devstack.stack.stack import Stack
from shared.contracts.leaderboard_admin_api import (
    BoardDefinition,
    ChallengeEdit,
    ChallengeState,
    PointsDefinition,
)
from shared.contracts.leaderboard_api import BoardMetric, ChallengeInfo
from shared.contracts.organisers_api import CreatedApiKey, NewApiKey, Scope
from shared.contracts.teams_api import TeamMode

CYCLING = ("GravelRide", "MountainBikeRide", "Ride")
POINTS_PER_KM = {
    "Run": Decimal(3),
    "TrailRun": Decimal(4),
    "Ride": Decimal(1),
    "GravelRide": Decimal("1.2"),
    "MountainBikeRide": Decimal("1.5"),
    "Walk": Decimal(2),
    "Hike": Decimal("2.5"),
    "Swim": Decimal(10),
}
ADDITIONS = (
    BoardDefinition(
        slug="points",
        name="All sports",
        metric=BoardMetric.POINTS,
        sport_types=tuple(POINTS_PER_KM),
        points=PointsDefinition(
            unit=BoardMetric.DISTANCE,
            per_unit=POINTS_PER_KM,
            daily_cap=Decimal(60),
            active_day_bonus=Decimal(5),
        ),
        team_mode=TeamMode.BEST,
        team_best=3,
    ),
    BoardDefinition(
        slug="500-km",
        name="500 km by bicycle",
        metric=BoardMetric.DISTANCE,
        sport_types=CYCLING,
        threshold=Decimal(500_000),
    ),
    BoardDefinition(
        slug="10000-m",
        name="10,000 m of climbing",
        metric=BoardMetric.ELEVATION,
        sport_types=("Run", "TrailRun", "Hike", *CYCLING),
        threshold=Decimal(10_000),
    ),
)
ANNOUNCEMENT = (
    "Coffee ride on Saturday at 9:00 from the market square, whatever the weather.\n"
    "W sobotę o 9:00 jedziemy z rynku na kawę, bez względu na pogodę."
)


async def complete_challenge(stack: Stack) -> None:
    """Add the demo's boards, milestones and announcement, unless the challenge has an announcement already.

    Raises StackError when leaderboard refuses it.
    """
    try:
        async with httpx.AsyncClient(timeout=30) as client:
            answer = await client.get(f"{stack.leaderboard_url}/challenges/current")
            challenge = ChallengeInfo.model_validate_json(answer.raise_for_status().content)
            if not challenge.announcement:
                async with _temporary_key(client, stack) as key:
                    await _add(client, f"{stack.leaderboard_url}/admin/challenges/{challenge.slug}", key)
    except httpx.HTTPError as error:
        raise StackError(f"the demo's challenge could not be completed: {error}") from error


async def _add(client: httpx.AsyncClient, url: str, key: str) -> None:
    bearer = {"Authorization": f"Bearer {key}"}
    answer = await client.get(url, headers=bearer)
    state = ChallengeState.model_validate_json(answer.raise_for_status().content)
    present = {board.slug for board in state.boards}
    for board in ADDITIONS:
        if board.slug not in present:
            answer = await client.post(f"{url}/boards", json=board.model_dump(mode="json"), headers=bearer)
            state = ChallengeState.model_validate_json(answer.raise_for_status().content)
    # Last, because it says at the next start that everything is there.
    settings: dict[str, Any] = {name: getattr(state, name) for name in ChallengeEdit.model_fields}
    edit = ChallengeEdit.model_validate(settings | {"announcement": ANNOUNCEMENT})
    (await client.put(url, json=edit.model_dump(mode="json"), headers=bearer)).raise_for_status()


@asynccontextmanager
async def _temporary_key(client: httpx.AsyncClient, stack: Stack) -> AsyncIterator[str]:
    """An API key for challenges, which is revoked at the end."""
    url = f"{stack.leaderboard_internal_url}/api-keys"
    bearer = {"Authorization": f"Bearer {stack.leaderboard_operator_key}"}
    # No two keys ever have the same name.
    wanted = NewApiKey(name=f"Demo {datetime.now(UTC):%Y-%m-%d %H:%M:%S}", scopes={Scope.READ, Scope.CHALLENGES})
    answer = await client.post(url, json=wanted.model_dump(mode="json"), headers=bearer)
    created = CreatedApiKey.model_validate_json(answer.raise_for_status().content)
    try:
        yield created.key
    finally:
        (await client.delete(f"{url}/{created.info.id}", headers=bearer)).raise_for_status()
