"""What the fields of the panel's forms mean for leaderboard, and the other way round: pure, without IO."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from web.admin.rules.sports import in_order

MAX_SLUG = 40
#: How many of leaderboard's units (metres, seconds) one of the form's has; climb, activities and points are the same.
_FACTORS: Mapping[str, int] = {"distance": 1_000, "moving_time": 3_600}
_POLISH = str.maketrans("łŁ", "lL")

Fields = Mapping[str, Sequence[str]]


def first(fields: Fields, name: str) -> str:
    """The value of a field without the spaces around it; empty when it was not sent."""
    values = fields.get(name) or ("",)
    return values[0].strip()


def to_number(text: str) -> str:
    """A number as people write it, with a comma or a point and with spaces between thousands."""
    return "".join(text.split()).replace(",", ".")


def to_text(value: object) -> str:
    """A number without needless zeros behind the point; empty for None."""
    if value is None:
        return ""
    text = f"{Decimal(str(value)):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def suggest_slug(name: str) -> str:
    """The part of an address that a name suggests: small letters, digits and single hyphens."""
    plain = unicodedata.normalize("NFKD", name.translate(_POLISH)).encode("ascii", "ignore").decode().lower()
    return re.sub("[^a-z0-9]+", "-", plain).strip("-")[:MAX_SLUG].strip("-")


def to_threshold(text: str, metric: str) -> str:
    """Kilometres or hours as metres or seconds; what is no number stays as it is."""
    try:
        value = Decimal(to_number(text)) * _FACTORS.get(metric, 1)
        return f"{value:f}" if value.is_finite() else text
    except InvalidOperation:
        return text


def from_threshold(value: object, metric: str) -> str:
    """Metres or seconds as kilometres or hours."""
    if value is None:
        return ""
    return to_text(Decimal(str(value)) / _FACTORS.get(metric, 1))


def read_settings(fields: Fields) -> dict[str, Any]:
    """A challenge's settings as the contract takes them."""
    names = ("name", "first_day", "last_day", "time_zone", "visibility", "team_size")
    return {
        **{name: first(fields, name) for name in names},
        "announcement": first(fields, "announcement").replace("\r\n", "\n"),
        **{name: first(fields, name) == "yes" for name in ("counts_manual", "counts_trainer", "counts_commute")},
    }


def read_rules(fields: Fields) -> dict[str, Any]:
    """The rules of a board or, if the form is for one, of a milestone."""
    metric = first(fields, "metric")
    sports = list(dict.fromkeys(fields.get("sport_types") or ()))
    rules: dict[str, Any] = {"metric": metric, "sport_types": sports}
    if metric == "points":
        rules["points"] = {
            "unit": first(fields, "unit"),
            "per_unit": {sport: to_number(first(fields, f"per_unit.{sport}")) for sport in sports} or {"Run": 1},
            "daily_cap": to_number(first(fields, "daily_cap")) or None,
            "active_day_bonus": to_number(first(fields, "active_day_bonus")) or 0,
        }
    if first(fields, "kind") == "milestone":
        rules["threshold"] = to_threshold(first(fields, "threshold"), metric)
    return rules


def read_team_rules(fields: Fields) -> dict[str, Any]:
    """What teams have on the board."""
    mode = first(fields, "team_mode") or "sum"
    return {"team_mode": mode} | ({"team_best": first(fields, "team_best")} if mode == "best" else {})


def show_rules(rules: Mapping[str, Any], kind: str) -> dict[str, list[str]]:
    """Rules of a board as the fields of the form."""
    points = rules.get("points") or {}
    metric = str(rules.get("metric") or "distance")
    per_unit = {f"per_unit.{sport}": [to_text(value)] for sport, value in (points.get("per_unit") or {}).items()}
    return {
        "kind": [kind],
        "metric": [metric],
        "sport_types": in_order(rules.get("sport_types") or ()),
        "unit": [str(points.get("unit") or "distance")],
        "daily_cap": [to_text(points.get("daily_cap"))],
        "active_day_bonus": [to_text(points.get("active_day_bonus") or None)],
        "threshold": [from_threshold(rules.get("threshold"), metric)],
        **per_unit,
    }


def read_team_names(text: str) -> list[str]:
    """The names of teams, one a line."""
    return [name for line in text.splitlines() if (name := line.strip())]


def find_differences(shown: Mapping[str, str], entered: Fields) -> list[str]:
    """The fields in which a form differs from what is stored now."""
    return [name for name, value in shown.items() if first(entered, name) != value]


def keep_known(fields: Fields, names: Iterable[str]) -> list[tuple[str, str]]:
    """The pairs of these fields that have a value, in order, for an address."""
    return [(name, value) for name in names for value in fields.get(name) or () if value]


def percentage(part: int, whole: int) -> int:
    """How much of the whole that is, from 0 to 100."""
    return min(100, max(0, round(100 * part / whole))) if whole > 0 else 0
