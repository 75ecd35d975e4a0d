"""What a member does on a day: when, how far, how it is recorded and shared."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from stravasim.dice import Dice
from stravasim.members import Member, Place, is_travel_day, place_on
from stravasim.sports import RARE, RIDE, SPORTS, WALK, Sport

_WEEKDAY = ((6.0, 8.0, 0.25), (11.5, 13.0, 0.1), (16.5, 20.0, 0.65))  # from hour, to hour, weight
_WEEKEND = ((7.0, 12.0, 0.7), (14.0, 18.0, 0.3))
_BREAK = timedelta(minutes=20)
_LAST_END = 23 * 3600  # seconds of the local day
_SHORT_WALK_KM = 2.0
_SOMETHING_ELSE = 0.03  # of the workouts, so that a club of some size does every sport there is
_HEAD_UNITS = ("Garmin Edge 840", "Wahoo ELEMNT BOLT", "Hammerhead Karoo")


@dataclass(frozen=True, slots=True)
class Plan:
    """One activity before it is written in Strava's words: moments in UTC, metres, seconds."""

    sport: Sport
    place: Place
    start: datetime
    uploaded: datetime
    distance: float
    moving: int
    elapsed: int
    device: str
    visibility: str = "everyone"
    trainer: bool = False
    commute: bool = False
    manual: bool = False
    hidden_start: bool = False

    @property
    def has_gps(self) -> bool:
        """Whether there is a track; a virtual ride has one in its virtual world."""
        outdoors = not self.trainer or self.sport.is_virtual
        return self.sport.gps and outdoors and not self.manual and self.distance > 0


def plans_for(member: Member, day: date) -> Iterator[Plan]:
    """Everything the member records on that local day, duplicates included, by start. Same day, same plans."""
    dice = Dice(f"{member.seed}:{day}")
    count = _how_many(member, day, dice)
    place = place_on(member, day)
    hours = sorted(_start_hour(day.weekday() >= 5, dice) for _ in range(count))
    if member.never_rests:
        hours = [dice.uniform(5.5, 7.0), dice.uniform(17.0, 19.0)]
    free_from = datetime.combine(day, time.min, ZoneInfo(place.zone))
    for hour in hours:
        wanted = datetime.combine(day, time.min, ZoneInfo(place.zone)) + timedelta(seconds=round(hour * 3600))
        start = max(wanted, free_from)
        plan = _recorded(_workout(member, place, start.astimezone(UTC), dice), member, dice)
        if member.never_rests:
            if _ends_too_late(start, plan, day):
                plan = plan_of(member, WALK, place, start.astimezone(UTC), dice, km=_SHORT_WALK_KM)
            plan = replace(plan, uploaded=_ended(plan), hidden_start=False)
        if _ends_too_late(start, plan, day):
            return
        free_from = start + timedelta(seconds=plan.elapsed) + _BREAK
        yield plan
        if plan.sport.gear == "b" and not (plan.manual or plan.trainer) and dice.chance(0.05):
            yield _second_recording(plan, dice)


def _ends_too_late(start: datetime, plan: Plan, day: date) -> bool:
    end = start + timedelta(seconds=plan.elapsed)
    return end.date() > day or end.hour * 3600 > _LAST_END


def _how_many(member: Member, day: date, dice: Dice) -> int:
    if is_travel_day(member, day) and not member.never_rests:
        return 0
    rate = member.rate * (1.2 if day.weekday() >= 5 else 0.92)
    active = min(0.9, 0.55 + (rate - 0.6) / 3)
    if not member.never_rests and not dice.chance(active):
        return 0
    return 2 if dice.chance(min(0.85, rate / active - 1)) else 1


def _start_hour(weekend: bool, dice: Dice) -> float:
    slots = _WEEKEND if weekend else _WEEKDAY
    first, last, _ = dice.choices(slots, weights=[weight for _, _, weight in slots])[0]
    return dice.uniform(first, last)


def _workout(member: Member, place: Place, start: datetime, dice: Dice) -> Plan:
    local = start.astimezone(ZoneInfo(place.zone))
    rush_hour = local.weekday() < 5 and (local.hour in {6, 7, 16, 17})
    if member.commutes and rush_hour and dice.chance(0.6):
        sport = RIDE if dice.chance(0.8) else WALK
        low, high = (4.0, 12.0) if sport is RIDE else (1.0, 2.5)
        return replace(plan_of(member, sport, place, start, dice, km=dice.uniform(low, high)), commute=True)
    sport = SPORTS[dice.choices(list(member.habits), weights=list(member.habits.values()))[0]]
    if not member.never_rests and dice.chance(_SOMETHING_ELSE):
        sport = dice.choice(RARE)
    plan = plan_of(member, sport, place, start, dice)
    if sport is RIDE and dice.chance(0.08):
        return replace(plan, trainer=True, distance=0.0 if dice.chance(0.5) else plan.distance)
    if sport.is_virtual:
        return replace(plan, trainer=True, device="Zwift")
    return plan


def plan_of(
    member: Member, sport: Sport, place: Place, start: datetime, dice: Dice, *, km: float | None = None
) -> Plan:
    """A plain plan for one activity of that sport at that moment; `km` fixes its length."""
    if sport.speed == 0:
        distance, moving = 0.0, round(dice.uniform(*sport.minutes) * 60)
    else:
        local = start.astimezone(ZoneInfo(place.zone))
        longer = 1.35 if local.weekday() >= 5 and km is None else 1.0
        low, high = sport.km
        usual = low + (high - low) * dice.random() ** 1.7
        distance = round((km if km is not None else usual * longer) * 1000, 1)
        moving = moving_time(member, sport, distance, dice)
    pause = 0 if dice.chance(0.3) else round(moving * dice.random() ** 3 * 0.35)
    elapsed = moving - 1 if dice.chance(0.002) else moving + pause
    uploaded = start + timedelta(seconds=elapsed + dice.randrange(30, 900))
    return Plan(sport, place, start, uploaded, distance, moving, elapsed, member.device)


def moving_time(member: Member, sport: Sport, distance: float, dice: Dice) -> int:
    """How long the member moves for `distance` metres of that sport, in seconds."""
    return max(1, round(distance / dice.near(sport.speed * member.fitness, 0.15)))


def _recorded(plan: Plan, member: Member, dice: Dice) -> Plan:
    only_me, followers = member.sharing
    throw = dice.random()
    if throw < only_me:
        plan = replace(plan, visibility="only_me")
    elif throw < only_me + followers:
        plan = replace(plan, visibility="followers_only")
    manual_chance = 0.25 if plan.sport.name in {"Swim", "WeightTraining", "Yoga"} else 0.015
    if not plan.commute and not plan.sport.is_virtual and dice.chance(manual_chance):
        late = timedelta(hours=dice.uniform(0.5, 9))
        return replace(plan, manual=True, trainer=False, elapsed=plan.moving, uploaded=plan.uploaded + late)
    if dice.chance(0.025):
        plan = replace(plan, uploaded=plan.uploaded + timedelta(hours=dice.uniform(5, 120)))
    if dice.chance(0.012):
        plan = replace(plan, hidden_start=True)
    return plan


def _second_recording(plan: Plan, dice: Dice) -> Plan:
    # Watch and head unit record the same ride; Strava takes both, because the files differ enough.
    later = timedelta(seconds=dice.randrange(2, 90))
    moving = max(1, plan.moving - dice.randrange(0, 40))
    return replace(
        plan,
        start=plan.start + later,
        uploaded=plan.uploaded + timedelta(seconds=dice.randrange(90, 900)),
        distance=round(dice.near(plan.distance, 0.012), 1),
        moving=moving,
        elapsed=max(moving, plan.elapsed - int(later.total_seconds())),
        device=dice.choice(_HEAD_UNITS),
    )


def _ended(plan: Plan) -> datetime:
    return plan.start + timedelta(seconds=plan.elapsed + 60)
