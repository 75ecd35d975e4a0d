"""What the boards must show, calculated anew from Strava's own JSON; shares no code with the services.

Written from the documented rules, so that a mistake in the services does not repeat itself here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any
from zoneinfo import ZoneInfo

Json = Mapping[str, Any]

WARSAW = ZoneInfo("Europe/Warsaw")
BOARDS = {"running": {"Run", "TrailRun"}, "cycling": {"Ride", "GravelRide", "MountainBikeRide"}}


@dataclass(frozen=True)
class Outing:
    """One activity that can be recorded."""

    id: int
    sport: str
    begin: datetime
    local: datetime
    metres: Decimal
    moving_s: int
    elapsed_s: int
    climb: Decimal
    indoor: bool

    @property
    def end(self) -> datetime:
        """When it was over, pauses included."""
        return self.begin + timedelta(seconds=self.elapsed_s)


@dataclass(frozen=True)
class Row:
    """One row of a board; equal rows have equal figures."""

    place: int
    name: str
    metres: Decimal
    moving_s: int
    climb: Decimal
    activities: int


def outings(raw: Iterable[Json]) -> list[Outing]:
    """The activities that can be recorded: all that say when they started and hold no nonsense."""
    return [outing for outing in map(_outing, raw) if outing is not None]


def days(everything: Iterable[Sequence[Outing]]) -> tuple[date, date] | None:
    """The first and the last local day on which anything started."""
    locals_ = [outing.local.date() for one in everything for outing in one]
    return (min(locals_), max(locals_)) if locals_ else None


def board(slug: str, athletes: Mapping[str, tuple[str, Sequence[Outing]]]) -> dict[str, Row]:
    """The rows of a default board by athlete; `athletes` maps a key to the display name and all outings."""
    totals: dict[str, tuple[str, list[Outing]]] = {}
    for key, (name, own) in athletes.items():
        kept = _without_twins([o for o in own if o.sport in BOARDS[slug] and not o.indoor])
        if kept:
            totals[key] = (name, kept)
    metres = {key: sum((o.metres for o in kept), Decimal(0)) for key, (_, kept) in totals.items()}
    return {
        key: Row(
            1 + sum(other > metres[key] for other in metres.values()),
            name,
            metres[key],
            sum(o.moving_s for o in kept),
            sum((o.climb for o in kept), Decimal(0)),
            len(kept),
        )
        for key, (name, kept) in totals.items()
    }


def _without_twins(candidates: list[Outing]) -> list[Outing]:
    """Of recordings that overlap by more than three minutes the longest one, then the next longest, and so on."""
    left = sorted(candidates, key=lambda o: (o.metres, o.moving_s, -o.id), reverse=True)
    kept: list[Outing] = []
    while left:
        longest = left.pop(0)
        kept.append(longest)
        left = [o for o in left if not _same_outing(longest, o)]
    return kept


def _same_outing(one: Outing, other: Outing) -> bool:
    for outing in (one, other):
        if (outing.local.hour, outing.local.minute, outing.local.second, outing.local.microsecond) == (0, 0, 1, 0):
            return False
    return min(one.end, other.end) - max(one.begin, other.begin) > timedelta(minutes=3)


def _outing(raw: Json) -> Outing | None:
    start = _start(raw)
    figures = [raw.get(key) for key in ("distance", "moving_time", "elapsed_time", "total_elevation_gain")]
    texts = [raw.get(key) for key in ("sport_type", "type", "visibility", "timezone")]
    flags = [raw.get(key) for key in ("trainer", "commute", "manual", "private")]
    nonsense = (
        start is None
        or any(f is not None and (isinstance(f, bool) or not isinstance(f, int | float) or f < 0) for f in figures)
        or any(t is not None and not isinstance(t, str) for t in texts)
        or any(f is not None and not isinstance(f, bool) for f in flags)
    )
    if nonsense or start is None:
        return None
    distance, moving, elapsed, climb = figures
    moving, elapsed = (elapsed if moving is None else moving), (moving if elapsed is None else elapsed)
    return Outing(
        id=raw["id"],
        sport=raw.get("sport_type") or raw.get("type") or "",
        begin=start[0],
        local=start[1],
        metres=_hundredths(distance),
        moving_s=round(moving or 0),
        elapsed_s=round(elapsed or 0),
        climb=_hundredths(climb),
        indoor=raw.get("trainer") is True,
    )


def _hundredths(value: float | None) -> Decimal:
    return Decimal(str(value or 0)).quantize(Decimal("0.01"), ROUND_HALF_EVEN)


def _start(raw: Json) -> tuple[datetime, datetime] | None:
    utc, local = raw.get("start_date"), raw.get("start_date_local")
    try:
        moment = _read(utc).replace(tzinfo=UTC) if utc else None
        wall = _read(local) if local else None
        if moment is None and wall is None:
            return None
        offset = raw.get("utc_offset")
        zone: timezone | ZoneInfo = (
            _zone(raw.get("timezone")) if offset is None else timezone(timedelta(seconds=offset))
        )
    except (ValueError, TypeError):
        return None
    if wall is None:
        assert moment is not None
        wall = moment.astimezone(zone).replace(tzinfo=None)
    return moment or wall.replace(tzinfo=zone).astimezone(UTC), wall


def _read(text: str) -> datetime:
    return datetime.strptime(text.removesuffix("Z"), "%Y-%m-%dT%H:%M:%S")  # noqa: DTZ007


def _zone(text: str | None) -> ZoneInfo:
    try:
        return ZoneInfo(text.split(") ", 1)[1]) if text else WARSAW
    except (IndexError, KeyError, ValueError):
        return WARSAW
