"""Builds a DetailedActivity: the summary and the keys that only the detail request returns."""

from collections.abc import Mapping

from stravasim.dataset.rng import SeededRandom

# Keys that can be set on an activity and that only its detail has.
DETAIL_ONLY = frozenset(
    {"description", "calories", "perceived_exertion", "prefer_perceived_exertion", "hide_from_home", "private_note"}
)
_SPLIT_M = {"splits_metric": 1_000.0, "splits_standard": 1_609.344}
_MAX_SPLITS = 500
_MAX = 1e12  # metres or seconds; uploads are not validated
_RUNS = {"Run", "TrailRun", "VirtualRun"}


def build_detail(summary: Mapping[str, object]) -> dict[str, object]:
    """The detail with the keys that were recorded; the same summary gives the same detail."""
    rng = SeededRandom(f"detail:{summary['id']}")
    distance, moving = _read_number(summary, "distance"), int(_read_number(summary, "moving_time"))
    gear = summary.get("gear_id")
    return {
        **summary,
        "resource_state": 3,
        "map": _build_map(summary),
        "description": None if rng.chance(0.8) else "Z wiatrem",
        "calories": round(moving * rng.uniform(0.1, 0.25), 1),
        "perceived_exertion": None,
        "prefer_perceived_exertion": None,
        "hide_from_home": rng.chance(0.03),
        "segment_efforts": [],
        **{key: _build_splits(distance, moving, length_m) for key, length_m in _SPLIT_M.items()},
        "laps": [_build_lap(summary, distance, moving)],
        **({"best_efforts": []} if summary.get("sport_type") in _RUNS else {}),
        **({"gear": _build_gear(gear)} if isinstance(gear, str) else {}),
        "photos": {"primary": None, "count": summary.get("total_photo_count", 0)},
        "stats_visibility": [{"type": name, "visibility": "everyone"} for name in ("heart_rate", "pace", "power")],
        "embed_token": f"{rng.getrandbits(160):040x}",
        "similar_activities": None,
        "available_zones": ["heartrate"] if summary.get("has_heartrate") else [],
        **{key: summary[key] for key in DETAIL_ONLY & summary.keys()},
    }


def _read_number(summary: Mapping[str, object], key: str) -> float:
    value = summary.get(key)
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _MAX:
        return float(value)
    return 0.0


def _build_map(summary: Mapping[str, object]) -> object:
    drawn = summary.get("map")
    if not isinstance(drawn, dict):
        return drawn
    return {**drawn, "polyline": drawn.get("summary_polyline"), "resource_state": 3}


def _build_splits(distance: float, moving: int, length_m: float) -> list[dict[str, object]]:
    speed = distance / moving if distance > 0 and moving > 0 else 0.0
    if not speed:  # also for a distance that is too small to be divided
        return []
    whole = min(int(distance // length_m), _MAX_SPLITS)
    lengths = [length_m] * whole + ([distance % length_m] if distance % length_m else [])
    return [
        {
            "distance": round(length, 1),
            "elapsed_time": round(length / speed),
            "elevation_difference": 0.0,
            "moving_time": round(length / speed),
            "split": number,
            "average_speed": round(speed, 2),
            "average_grade_adjusted_speed": None,
            "pace_zone": 0,
        }
        for number, length in enumerate(lengths, start=1)
    ]


def _build_lap(summary: Mapping[str, object], distance: float, moving: int) -> dict[str, object]:
    return {
        "id": summary["id"],
        "resource_state": 2,
        "name": "Lap 1",
        "activity": {"id": summary["id"], "resource_state": 1},
        "athlete": summary.get("athlete"),
        "elapsed_time": int(_read_number(summary, "elapsed_time")),
        "moving_time": moving,
        "start_date": summary.get("start_date"),
        "start_date_local": summary.get("start_date_local"),
        "distance": distance,
        "average_speed": summary.get("average_speed"),
        "max_speed": summary.get("max_speed"),
        "lap_index": 1,
        "split": 1,
        "start_index": 0,
        "end_index": max(0, moving - 1),
        "total_elevation_gain": summary.get("total_elevation_gain"),
    }


def _build_gear(gear_id: str) -> dict[str, object]:
    return {
        "id": gear_id,
        "primary": True,
        "name": "Rower" if gear_id.startswith("b") else "Buty",
        "nickname": None,
        "resource_state": 2,
        "retired": False,
        "distance": 0,
        "converted_distance": 0.0,
    }
