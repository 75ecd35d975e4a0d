"""How many calls Strava allows now, and to whom: pure, without a clock, without IO.

Strava counts the calls of the application, all of them and the reads among them, in each quarter hour and in each UTC
day. A refused call counts too, so none is made that would be refused.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeAlias

QUARTER = timedelta(minutes=15)
DAY = timedelta(days=1)
#: A window begins so much later here than at Strava: our clock may be ahead, and a call takes a moment to arrive.
GRACE = timedelta(seconds=1)
#: While Strava says that the application is inactive, one call in this time finds out whether it still is.
PROBE_INTERVAL = timedelta(minutes=30)

WindowName: TypeAlias = Literal["quarter", "day"]
WaitReason: TypeAlias = Literal["quarter", "day", "inactive"]
LENGTHS: dict[WindowName, timedelta] = {"quarter": QUARTER, "day": DAY}
_DIGITS = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True)
class Window:
    """The calls of one quarter hour or one day: all of them (`overall`) and the reads among them."""

    starts_at: datetime
    overall_limit: int
    overall_used: int
    read_limit: int
    read_used: int

    @property
    def left(self) -> int:
        """How many more calls Strava would answer."""
        return max(0, min(self.overall_limit - self.overall_used, self.read_limit - self.read_used))

    @property
    def limit(self) -> int:
        """How many calls of ours the whole window allows: each is a read."""
        return min(self.overall_limit, self.read_limit)


@dataclass(frozen=True)
class Budget:
    """Both windows; `inactive_since` and `probe_at` are set while Strava says that the application is inactive."""

    quarter: Window
    day: Window
    inactive_since: datetime | None = None
    probe_at: datetime | None = None


@dataclass(frozen=True)
class Permit:
    """One call may be made now. Its answer corrects the windows that it was taken from, and no later ones."""

    budget: Budget


@dataclass(frozen=True)
class Wait:
    """No call may be made before `until`."""

    until: datetime
    reason: WaitReason


@dataclass(frozen=True)
class Figures:
    """What the headers of an answer say; None where they say nothing."""

    overall_limit: int | None = None
    overall_used: int | None = None
    read_limit: int | None = None
    read_used: int | None = None


NO_FIGURES = Figures()


def new_budget(now: datetime) -> Budget:
    """What a new application has, until an answer says otherwise."""
    return Budget(
        Window(window_start("quarter", now), 200, 0, 100, 0),
        Window(window_start("day", now), 2_000, 0, 1_000, 0),
    )


def window_start(name: WindowName, now: datetime) -> datetime:
    """When the window that `now` belongs to began: at :00, :15, :30 or :45, or at midnight UTC."""
    moment = (now - GRACE).astimezone(UTC).replace(second=0, microsecond=0)
    if name == "day":
        return moment.replace(hour=0, minute=0)
    return moment.replace(minute=moment.minute - moment.minute % 15)


def window_turn(name: WindowName, window: Window) -> datetime:
    """When Strava may begin to count in the next window: from here on no call belongs to `window` for certain."""
    return window.starts_at + LENGTHS[name]


def window_end(name: WindowName, window: Window) -> datetime:
    """When the next window's calls may be made."""
    return window_turn(name, window) + GRACE


def roll(budget: Budget, now: datetime) -> Budget:
    """The budget at `now`: a window that is over starts anew. A clock that goes back gives no calls back."""
    return replace(budget, quarter=_rolled("quarter", budget.quarter, now), day=_rolled("day", budget.day, now))


def _rolled(name: WindowName, window: Window, now: datetime) -> Window:
    start = window_start(name, now)
    if start > window.starts_at:
        return replace(window, starts_at=start, overall_used=0, read_used=0)
    is_misdated = window.starts_at - start > LENGTHS[name]  # by a clock that was far ahead
    return replace(window, starts_at=start) if is_misdated else window


def calls_left(budget: Budget, reserve: float, now: datetime) -> int:
    """How many calls may be made at `now` by who leaves a share `reserve` (0 to 1) of each window to others.

    The reserve shrinks as the window passes: what nobody needed can be used up at its end.
    """
    budget = roll(budget, now)
    if budget.inactive_since is not None:
        return 1 if budget.probe_at is None or budget.probe_at <= now else 0
    return min(
        calls_left_in("quarter", budget.quarter, reserve, now),
        calls_left_in("day", budget.day, reserve, now),
    )


def calls_left_in(name: WindowName, window: Window, reserve: float, now: datetime) -> int:
    """The same in one window, which has been rolled."""
    remaining = min(max((window_turn(name, window) - now) / LENGTHS[name], 0.0), 1.0)
    return max(0, int(window.left - reserve * window.limit * remaining))


def spend(budget: Budget, reserve: float, now: datetime) -> Permit | Wait:
    """Take one call for who leaves `reserve` to others, or say when there will be one.

    Between a window's turn and its end there is none: Strava could count it in the next window, and we in this one.
    """
    budget = roll(budget, now)
    if budget.inactive_since is not None:
        if budget.probe_at is not None and budget.probe_at > now:
            return Wait(budget.probe_at, "inactive")
        budget = replace(budget, probe_at=now + PROBE_INTERVAL)
    windows: dict[WindowName, Window] = {"day": budget.day, "quarter": budget.quarter}
    for name, window in windows.items():
        if now >= window_turn(name, window):
            return Wait(window_end(name, window), name)
        if calls_left_in(name, window, reserve, now) < 1:
            return Wait(_next_call_at(name, window, reserve), name)
    return Permit(replace(budget, quarter=_used_once(budget.quarter), day=_used_once(budget.day)))


def _next_call_at(name: WindowName, window: Window, reserve: float) -> datetime:
    """When the reserve has shrunk enough; the window's end when that never happens."""
    turn, end = window_turn(name, window), window_end(name, window)
    if window.left < 1 or reserve * window.limit <= 0:
        return end
    until = turn - LENGTHS[name] * min(1.0, (window.left - 1) / (reserve * window.limit))
    until += timedelta(seconds=1)  # for what floats round
    return until if until < turn else end


def _used_once(window: Window) -> Window:
    return replace(window, overall_used=window.overall_used + 1, read_used=window.read_used + 1)


def correct(budget: Budget, permit: Permit, quarter: Figures, day: Figures) -> Budget:
    """What an answer's figures say, for the windows that its permit was taken from.

    Usage never goes down within a window: answers arrive in another order than Strava counted them, and calls that
    are under way are counted here and not there. A window that turned since is left alone.
    """
    return replace(
        budget,
        quarter=_corrected(budget.quarter, permit.budget.quarter, quarter),
        day=_corrected(budget.day, permit.budget.day, day),
    )


def _corrected(window: Window, taken_from: Window, figures: Figures) -> Window:
    learned = replace(
        window,
        overall_limit=window.overall_limit if figures.overall_limit is None else figures.overall_limit,
        read_limit=window.read_limit if figures.read_limit is None else figures.read_limit,
    )
    if window.starts_at != taken_from.starts_at:
        return learned
    return replace(
        learned,
        overall_used=max(window.overall_used, figures.overall_used or 0),
        read_used=max(window.read_used, figures.read_used or 0),
    )


def has_news(permit: Permit, quarter: Figures, day: Figures) -> bool:
    """Whether an answer's figures, or that there was an answer, say anything that the permit did not know."""
    known = permit.budget
    return known.inactive_since is not None or (
        _corrected(known.quarter, known.quarter, quarter) != known.quarter
        or _corrected(known.day, known.day, day) != known.day
    )


def mark_spent(budget: Budget, permit: Permit) -> Budget:
    """Strava refused the call: nothing more is sent in the window that is spent.

    That is the day where its figures say so, and the quarter hour in any other case.
    """
    if budget.day.left < 1 or budget.quarter.starts_at != permit.budget.quarter.starts_at:
        return budget
    quarter = budget.quarter
    return replace(
        budget,
        quarter=replace(
            quarter,
            overall_used=max(quarter.overall_used, quarter.overall_limit),
            read_used=max(quarter.read_used, quarter.read_limit),
        ),
    )


def mark_inactive(budget: Budget, now: datetime) -> Budget:
    """Strava says that the application is inactive: nothing is sent but a probe now and then."""
    return replace(budget, inactive_since=budget.inactive_since or now, probe_at=now + PROBE_INTERVAL)


def mark_active(budget: Budget) -> Budget:
    """Strava answered a call of the application."""
    return replace(budget, inactive_since=None, probe_at=None)


def parse_figures(headers: Mapping[str, str]) -> tuple[Figures, Figures]:
    """Quarter hour and day from an answer's headers, whose names are given in lower case.

    Each is "short,long"; Strava leaves out headers, and numbers in them.
    """
    pairs = {
        part: _pair(headers.get(name, ""))
        for part, name in {
            "overall_limit": "x-ratelimit-limit",
            "overall_used": "x-ratelimit-usage",
            "read_limit": "x-readratelimit-limit",
            "read_used": "x-readratelimit-usage",
        }.items()
    }
    quarter, day = ({part: pair[number] for part, pair in pairs.items()} for number in (0, 1))
    return Figures(**quarter), Figures(**day)


def _pair(text: str) -> tuple[int | None, int | None]:
    short, _, long = text[:40].partition(",")
    return _number(short), _number(long)


def _number(text: str) -> int | None:
    text = text.strip(" ")
    return int(text) if _DIGITS.fullmatch(text) else None
