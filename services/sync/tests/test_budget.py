"""The budget of calls: no call that Strava would refuse, and as many as it allows."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.database.engine import Database
from stravasim.strava import rate_limits
from stravasim.strava.rate_limits import Limits, Usage
from sync.budget import queries
from sync.budget import rules as budget
from sync.budget.rules import NO_FIGURES, Budget, Figures, Permit, Wait, parse_figures
from sync.budget.use_cases import OutOfCalls, record_answer, record_inactive, record_refusal, take_permit
from sync.jobs.rules import RESERVES

NOON = datetime(2026, 5, 1, 12, 7, 30, tzinfo=UTC)


def used_up(wanted: Budget, now: datetime, reserve: float = 0.0) -> tuple[Budget, int, Wait]:
    """Spend until there is nothing left."""
    spent = 0
    while isinstance(decision := budget.spend(wanted, reserve, now), Permit):
        wanted, spent = decision.budget, spent + 1
    return wanted, spent, decision


@pytest.mark.parametrize(
    ("now", "starts", "ends"),
    [
        ("12:00:00", "11:45:00", "12:00:01"),
        ("12:00:01", "12:00:00", "12:15:01"),
        ("12:07:30", "12:00:00", "12:15:01"),
        ("12:15:00.9", "12:00:00", "12:15:01"),
        ("12:15:01", "12:15:00", "12:30:01"),
        ("12:59:59", "12:45:00", "13:00:01"),
    ],
)
def test_a_quarter_hour_is_strava_s_with_a_second_to_spare(now: str, starts: str, ends: str) -> None:
    moment, start, end = (datetime.fromisoformat(f"2026-05-01T{text}+00:00") for text in (now, starts, ends))
    window = budget.new_budget(moment).quarter
    assert (window.starts_at, budget.window_end("quarter", window)) == (start, end)


@pytest.mark.parametrize("end", ["2026-12-31", "2026-02-28", "2028-02-29", "2026-03-28", "2026-10-24", "2026-04-30"])
def test_a_day_is_one_of_utc_whatever_the_month_and_whatever_clocks_are_changed(end: str) -> None:
    late = datetime.fromisoformat(f"{end}T23:59:59+00:00")
    spent, _, wait = used_up(budget.new_budget(late), late)
    midnight = (late + timedelta(seconds=1)).replace(microsecond=0)
    assert wait.until == midnight + timedelta(seconds=1)
    assert isinstance(budget.spend(spent, 0.0, wait.until), Permit)
    assert budget.roll(spent, wait.until).day.starts_at == midnight
    local = datetime.fromisoformat(f"{end}T23:59:59+02:00")
    assert budget.new_budget(local).day.starts_at == late.replace(hour=0, minute=0, second=0)


def test_a_new_application_makes_a_hundred_calls_a_quarter_hour_and_a_thousand_a_day() -> None:
    now = NOON.replace(hour=0, minute=1)
    wanted, made, reasons = budget.new_budget(now), [], []
    for _ in range(10):
        wanted, spent, wait = used_up(wanted, now)
        made.append(spent)
        reasons.append(wait.reason)
        now = wait.until
    assert made == [100] * 10
    assert reasons == ["quarter"] * 9 + ["day"]
    assert now == datetime(2026, 5, 2, 0, 0, 1, tzinfo=UTC)


def test_a_wait_names_the_window_that_is_spent() -> None:
    _, spent, wait = used_up(budget.new_budget(NOON), NOON)
    assert (spent, wait.reason, wait.until) == (100, "quarter", NOON.replace(minute=15, second=1))
    day = Budget(budget.new_budget(NOON).quarter, budget.Window(NOON.replace(hour=0, minute=0, second=0), 9, 9, 9, 9))
    assert budget.spend(day, 0.0, NOON) == Wait(datetime(2026, 5, 2, 0, 0, 1, tzinfo=UTC), "day")


@pytest.mark.parametrize(("kind", "share"), [("webhook", 1.0), ("join", 0.9), ("manual", 0.8), ("nightly", 0.5)])
def test_each_kind_leaves_its_share_to_those_before_it(kind: str, share: float) -> None:
    start = NOON.replace(hour=0, minute=0, second=1)
    _, spent, _ = used_up(budget.new_budget(start), start, RESERVES[kind])  # type: ignore[index]
    assert spent == 100 * share


@given(st.floats(0.01, 0.9), st.integers(0, 898))
def test_a_reserve_that_nobody_needs_is_used_up_by_the_end_of_the_window(reserve: float, second: int) -> None:
    now = NOON.replace(hour=23, minute=45, second=1) + timedelta(seconds=second)
    wanted, spent, wait = used_up(budget.new_budget(now), now, reserve)
    while wait.until < budget.window_end("quarter", wanted.quarter):
        assert wait.until > now
        now = wait.until
        wanted, more, wait = used_up(wanted, now, reserve)
        assert more > 0, "the wait was foreseen"
        spent += more
    assert 99 <= spent <= 100


def test_a_night_leaves_the_day_its_reserve_and_uses_what_the_old_day_has_left() -> None:
    before_midnight = datetime(2026, 5, 1, 23, 5, tzinfo=UTC)
    after_midnight = datetime(2026, 5, 2, 0, 0, 1, tzinfo=UTC)
    full = budget.new_budget(before_midnight)
    full = Budget(budget.Window(full.quarter.starts_at, 9_999, 0, 9_999, 0), full.day)
    _, late, _ = used_up(full, before_midnight, RESERVES["nightly"])
    rolled, early, wait = used_up(full, after_midnight, RESERVES["nightly"])
    assert late > 970
    assert early == 500
    assert wait.reason == "day"
    assert budget.calls_left(rolled, 0.0, after_midnight) == 500


@pytest.mark.parametrize("reserve", [0.0, 0.5])
@pytest.mark.parametrize(
    ("now", "reason", "until"),
    [
        ("2026-05-01T12:15:00+00:00", "quarter", "2026-05-01T12:15:01+00:00"),
        ("2026-05-01T12:15:00.999+00:00", "quarter", "2026-05-01T12:15:01+00:00"),
        ("2026-05-02T00:00:00.5+00:00", "day", "2026-05-02T00:00:01+00:00"),
    ],
)
def test_no_call_is_made_in_the_second_in_which_strava_could_count_it_in_another_window_than_we(
    now: str, reason: str, until: str, reserve: float
) -> None:
    moment = datetime.fromisoformat(now)
    wait = budget.spend(budget.new_budget(moment), reserve, moment)
    assert wait == Wait(datetime.fromisoformat(until), reason)  # type: ignore[arg-type]
    assert isinstance(budget.spend(budget.new_budget(moment), reserve, wait.until), Permit)


MOVES = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.1, 0.2, 0.5]),
        st.integers(0, 40_000),  # tenths of seconds until the next
        st.integers(1, 60),  # calls
    ),
    max_size=40,
)


@settings(max_examples=150)
@given(MOVES, st.tuples(st.integers(1, 30), st.integers(1, 120)), st.tuples(st.integers(1, 30), st.integers(1, 120)))
def test_strava_refuses_no_call_of_ours_and_answers_all_that_it_can(
    moves: list[tuple[float, int, int]], overall: tuple[int, int], read: tuple[int, int]
) -> None:
    limits = Limits(overall[0], overall[1], read[0], read[1])
    now, usage = NOON.replace(hour=22), Usage()
    wanted = budget.new_budget(now)
    wanted = budget.correct(
        wanted, Permit(wanted), Figures(overall[0], 0, read[0], 0), Figures(overall[1], 0, read[1], 0)
    )
    for reserve, tenths, calls in moves:
        now += timedelta(seconds=tenths / 10)
        for _ in range(calls):
            decision = budget.spend(wanted, reserve, now)
            if isinstance(decision, Wait):
                assert decision.until > now
                if reserve == 0.0 and now < budget.window_turn("quarter", budget.roll(wanted, now).quarter):
                    rolled = rate_limits.roll_windows(usage, (now - budget.GRACE).timestamp())
                    _, refused = rate_limits.count_request(rolled, limits, (now - budget.GRACE).timestamp())
                    assert refused is not None, "Strava would have answered"
                break
            usage, refused = rate_limits.count_request(usage, limits, now.timestamp())
            assert refused is None
            figures = parse_figures(_headers(usage, limits))
            wanted = budget.correct(decision.budget, decision, *figures)


def _headers(usage: Usage, limits: Limits, *, read: bool = True) -> dict[str, str]:
    raw = rate_limits.build_headers(usage, limits, read=read)
    return dict(httpx.Headers([(name.decode(), value.decode()) for name, value in raw]))


def test_limits_are_learned_from_the_answers() -> None:
    before = budget.new_budget(NOON)
    after = budget.correct(before, Permit(before), Figures(400, 1, 200, 1), Figures(4_000, 1, 2_000, 1))
    assert used_up(after, NOON)[1] == 199
    assert after.day.read_limit == 2_000


def test_calls_that_others_made_are_learned_from_the_answers() -> None:
    before = budget.new_budget(NOON)
    after = budget.correct(before, Permit(before), Figures(None, 90, None, 70), NO_FIGURES)
    assert used_up(after, NOON)[1] == 30
    after = budget.correct(before, Permit(before), Figures(200, 190, None, 70), NO_FIGURES)
    assert used_up(after, NOON)[1] == 10


def test_only_an_answer_that_says_something_new_is_recorded() -> None:
    permit = budget.spend(budget.new_budget(NOON), 0.0, NOON)
    assert isinstance(permit, Permit)
    as_known = Figures(200, 1, 100, 1), Figures(2_000, 1, 1_000, 1)
    assert not budget.has_news(permit, *as_known)
    assert not budget.has_news(permit, NO_FIGURES, NO_FIGURES)
    assert not budget.has_news(permit, Figures(200, 0, 100, 0), as_known[1])
    for news in (Figures(200, 2, 100, 1), Figures(200, 1, 100, 2), Figures(400, 1, 100, 1), Figures(200, 1, 200, 1)):
        assert budget.has_news(permit, news, as_known[1])
        assert budget.has_news(permit, as_known[0], news)
    probing = budget.spend(budget.mark_inactive(permit.budget, NOON), 0.0, NOON + budget.PROBE_INTERVAL)
    assert isinstance(probing, Permit)
    assert budget.has_news(probing, NO_FIGURES, NO_FIGURES)


def test_an_answer_that_comes_late_says_nothing_of_the_next_window_but_its_limits() -> None:
    before = budget.new_budget(NOON)
    permit = budget.spend(before, 0.0, NOON)
    assert isinstance(permit, Permit)
    later = budget.roll(permit.budget, NOON + budget.QUARTER)
    after = budget.correct(later, permit, Figures(150, 100, 80, 100), Figures(None, 333, None, 333))
    assert (after.quarter.read_used, after.quarter.read_limit) == (0, 80)
    assert after.day.read_used == 333


def test_answers_in_another_order_give_no_calls_back() -> None:
    before = budget.new_budget(NOON)
    after = budget.correct(before, Permit(before), Figures(None, 50, None, 50), NO_FIGURES)
    assert budget.correct(after, Permit(before), Figures(None, 10, None, 10), NO_FIGURES) == after


@pytest.mark.parametrize(
    ("headers", "quarter", "day"),
    [
        ({}, NO_FIGURES, NO_FIGURES),
        ({"X-RateLimit-Limit": "200,2000"}, Figures(overall_limit=200), Figures(overall_limit=2000)),
        ({"x-ratelimit-USAGE": "70,303"}, Figures(overall_used=70), Figures(overall_used=303)),
        ({"X-Readratelimit-Limit": "100,1000"}, Figures(read_limit=100), Figures(read_limit=1000)),
        ({"X-ReadRateLimit-Usage": "5, 6"}, Figures(read_used=5), Figures(read_used=6)),
        ({"X-Readratelimit-Usage": ","}, NO_FIGURES, NO_FIGURES),
        ({"X-Readratelimit-Usage": "5,"}, Figures(read_used=5), NO_FIGURES),
        ({"X-Readratelimit-Usage": ",6"}, NO_FIGURES, Figures(read_used=6)),
        ({"X-Readratelimit-Usage": "7"}, Figures(read_used=7), NO_FIGURES),
        ({"X-Readratelimit-Usage": "-1,x"}, NO_FIGURES, NO_FIGURES),
        ({"X-Readratelimit-Usage": "9" * 5_000 + ",1"}, NO_FIGURES, NO_FIGURES),
        ({"X-Readratelimit-Usage": "1," + "9" * 5_000}, Figures(read_used=1), NO_FIGURES),
    ],
)
def test_headers_are_read_in_any_case_and_with_holes(headers: dict[str, str], quarter: Figures, day: Figures) -> None:
    assert parse_figures(dict(httpx.Headers(headers))) == (quarter, day)


@given(st.dictionaries(st.sampled_from(["x-ratelimit-usage", "x-readratelimit-limit"]), st.text(max_size=60)))
def test_whatever_a_header_says_it_is_read_or_left_alone(headers: dict[str, str]) -> None:
    parse_figures(headers)


def test_a_clock_that_goes_back_gives_no_calls_back_and_one_that_was_far_ahead_blocks_nothing_for_long() -> None:
    spent, _, _ = used_up(budget.new_budget(NOON), NOON)
    assert isinstance(budget.spend(spent, 0.0, NOON - timedelta(minutes=10)), Wait)
    ahead = NOON + timedelta(days=3)
    misdated, _, _ = used_up(budget.new_budget(ahead), ahead)
    wait = budget.spend(misdated, 0.0, NOON)
    assert isinstance(wait, Wait)
    assert wait.until <= NOON + budget.QUARTER


async def test_calls_that_are_taken_at_once_are_never_more_than_there_are(database: Database) -> None:
    async def take() -> bool:
        try:
            await take_permit(database, 0.0, NOON)
        except OutOfCalls:
            return False
        return True

    taken = await asyncio.gather(*(take() for _ in range(130)))
    assert sum(taken) == 100


async def test_a_refusal_that_was_not_foreseen_ends_the_calls_of_the_window(database: Database) -> None:
    permit = await take_permit(database, 0.0, NOON)
    out = await record_refusal(database, permit, (NO_FIGURES, NO_FIGURES), NOON)
    assert (out.reason, out.until) == ("quarter", NOON.replace(minute=15, second=1))
    with pytest.raises(OutOfCalls):
        await take_permit(database, 0.0, NOON)
    async with database.transaction() as session:
        assert await queries.find_refused_at(session) == NOON
    permit = await take_permit(database, 0.0, out.until)
    spent = Figures(overall_used=2_000, read_used=1_000)
    out = await record_refusal(database, permit, (NO_FIGURES, spent), out.until)
    assert (out.reason, out.until) == ("day", datetime(2026, 5, 2, 0, 0, 1, tzinfo=UTC))


async def test_an_inactive_application_is_asked_now_and_then_until_it_is_active(database: Database) -> None:
    permit = await take_permit(database, 0.0, NOON)
    out = await record_inactive(database, permit, (NO_FIGURES, NO_FIGURES), NOON)
    with pytest.raises(OutOfCalls) as refused:
        await take_permit(database, 0.0, NOON + timedelta(minutes=5))
    assert (refused.value.reason, refused.value.until) == ("inactive", out.until)
    probe = await take_permit(database, 0.0, out.until)
    with pytest.raises(OutOfCalls):
        await take_permit(database, 0.0, out.until)
    await record_answer(database, probe, (NO_FIGURES, NO_FIGURES), out.until)
    await take_permit(database, 0.0, out.until)
    async with database.transaction() as session:
        assert (await queries.get_budget(session, out.until)).inactive_since is None
