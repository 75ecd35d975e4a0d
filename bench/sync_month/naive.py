"""A naive nightly poll beside ours: every night, page after page of everybody until the empty one."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
from club import Doer, issue_token, make_simulator
from season import FRESHNESS, Action, lower_bound

from stravasim.simulator import Settings

WARSAW = ZoneInfo("Europe/Warsaw")
GIVE_UP_AFTER = timedelta(hours=7)  # whoever was not reached by the morning is not that night


async def poll_nightly(size: int, seed: int, days: int, actions: list[Action], since: datetime) -> dict[str, Any]:
    """The same month, with a client that lists everybody each night and waits for the next quarter when refused."""
    begin = since + timedelta(days=1)
    app, simulator = make_simulator(size, seed, begin, Settings())
    doer = Doer(simulator)
    athletes = list(simulator.dataset.athletes)
    pending = list(reversed(actions))
    first_seen: dict[int, datetime] = {}
    known: dict[int, set[int]] = {athlete: set() for athlete in athletes}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://strava.test/api/v3") as client:
        for day in range(days + 1):
            night = (begin + timedelta(days=day + 1)).astimezone(WARSAW).replace(hour=0, minute=5, second=0)
            while pending and pending[-1].at <= night:
                simulator.clock.set(to=pending[-1].at, frozen=True)
                doer.do(pending.pop())
            simulator.clock.set(to=night.astimezone(UTC), frozen=True)
            for athlete in athletes:
                listed = await _list(client, simulator, athlete, night + GIVE_UP_AFTER, since)
                if listed is not None:
                    known[athlete] = listed
                    for strava_id in listed:
                        first_seen.setdefault(strava_id, simulator.clock.now())
    uploads = [action for action in actions if action.kind == "upload"]
    soon = [
        first_seen.get(doer.ids[one.number], datetime.max.replace(tzinfo=UTC)) - one.at <= FRESHNESS
        for one in uploads
    ]
    missing = 0
    for athlete in athletes:
        entries = simulator.dataset.get_index(athlete).entries
        missing += len({entry.id for entry in entries if entry.start >= since.timestamp()} - known[athlete])
    calls = sum(simulator.athlete_counts.values()) + simulator.rate_limited
    return {
        "calls": calls,
        "ratio": round(calls / lower_bound(actions, athletes), 3),
        "refused": simulator.rate_limited,
        "missing": missing,
        "known_within_10_min": round(sum(soon) / len(soon), 4),
    }


async def _list(
    client: httpx.AsyncClient, simulator: Any, athlete: int, deadline: datetime, since: datetime
) -> set[int] | None:
    bearer = {"Authorization": f"Bearer {issue_token(simulator, athlete)}"}
    listed: set[int] = set()
    page = 1
    while simulator.clock.now() < deadline:
        params = {"after": int(since.timestamp()), "page": page, "per_page": 200}
        answer = await client.get("/athlete/activities", params=params, headers=bearer)
        if answer.status_code == 429:
            now = simulator.clock.now()
            quarter = now.replace(minute=now.minute - now.minute % 15, second=0, microsecond=0)
            simulator.clock.set(to=quarter + timedelta(minutes=15), frozen=True)
            continue
        items = json.loads(answer.content)
        if not items:
            return listed
        listed |= {item["id"] for item in items}
        page += 1
    return None
