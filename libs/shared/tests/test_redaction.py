"""What the redactor costs, and what it does with more than it will look at."""

import time
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.observability.redaction import CUT, MAX_DEPTH, MAX_ITEMS, MAX_TEXT, mask, redact

#: What the patterns are made of: whoever wants them to take long repeats some of these.
FRAGMENTS = [
    *("token", "api_key", "e-mail", "code", "state", "Bearer", "DETAIL:", "0123456789abcdef", "://", "%3D", "%3F"),
    *("=", ":", "@", "/", "\\", '"', "'", ",", ";", "&", "?", ".", "-", "_", " ", "\n", "a", "g", "ż", "\x00", "%26"),
]
SMALL, GROWTH = 4_000, 16
#: A linear pattern takes GROWTH times as long for a text GROWTH times as long, a quadratic one its square.
TOLERATED = 4 * GROWTH
#: Below it the clock says nothing.
SHORTEST_S = 0.002


def cpu_time(text: str) -> float:
    """The least of some measurements, so that a busy machine does not count."""
    return min(_cpu_time(text) for _ in range(3))


def _cpu_time(text: str) -> float:
    before = time.thread_time()
    mask(text)
    return time.thread_time() - before


@settings(max_examples=50, deadline=None)
@given(
    before=st.lists(st.sampled_from(FRAGMENTS), max_size=3).map("".join),
    again=st.lists(st.sampled_from(FRAGMENTS), min_size=1, max_size=4).map("".join),
    after=st.lists(st.sampled_from(FRAGMENTS), max_size=3).map("".join),
)
def test_a_longer_text_takes_longer_only_in_proportion(before: str, again: str, after: str) -> None:
    small, large = (before + again * (size // len(again)) + after for size in (SMALL, SMALL * GROWTH))
    assert cpu_time(large) < max(SHORTEST_S, cpu_time(small)) * TOLERATED


@given(
    junk=st.integers(MAX_TEXT - 120, MAX_TEXT + 10),
    space=st.sampled_from([" ", "\n", ""]),
    shape=st.sampled_from(
        [
            "amqp://user:{}@host/",
            "Authorization: Bearer {}",
            '{{"access_token": "{}"}}',
            "refresh_token={}",
            "?code={}",
            "DETAIL:  Failing row contains (1, {}).",
        ]
    ),
)
def test_a_secret_that_the_cut_goes_through_is_gone_whole(junk: int, space: str, shape: str) -> None:
    text = "x" * junk + space + shape.format("canary" * 20) + " y" * 100
    cut = redact(text)
    assert "canary" not in cut
    assert len(cut) < MAX_TEXT + 100
    assert cut.endswith(CUT)


def test_half_of_a_long_hexadecimal_is_not_shown() -> None:
    cut = redact("x" * (MAX_TEXT - 40) + " " + "0123456789abcdef" * 4)
    assert "0123456789" not in cut


def test_what_is_too_many_or_too_deep_is_cut() -> None:
    deep: Any = "bottom"
    for _ in range(10 * MAX_DEPTH):
        deep = [deep]
    shown = repr(redact(deep))
    assert "bottom" not in shown
    assert CUT in shown
    assert redact(list(range(MAX_ITEMS + 1))) == [*range(MAX_ITEMS), CUT]
    assert redact({str(number): number for number in range(MAX_ITEMS + 5)})[CUT] == 5
    assert len(redact(b"\x00" * 10**7)) < 5 * MAX_TEXT
