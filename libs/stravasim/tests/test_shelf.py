"""Many athletes within a bound of memory: packed, let go and made anew, and nobody's activities ever change."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from stravasim.activities import Entry, log_of
from stravasim.shelf import Shelf

BODY = b'{"name":"' + b"x" * 1_000 + b'"}'


def entries(athlete: int, count: int = 5) -> list[Entry]:
    return [Entry(start, athlete * 100 + start, bool(start % 2), BODY) for start in range(count)]


def shelf(most_bytes: int) -> tuple[Shelf, Counter[int]]:
    made: Counter[int] = Counter()

    def make(athlete: int) -> list[Entry]:
        made[athlete] += 1
        return entries(athlete)

    return Shelf(make, most_bytes), made


def test_within_the_bound_nothing_is_made_twice():
    kept, made = shelf(10**9)
    for athlete in (*range(20), *range(20)):
        assert kept.get(athlete).entries == log_of(entries(athlete)).entries
    assert set(made.values()) == {1}


def test_what_was_not_asked_for_lately_is_compressed_rather_than_made_again():
    kept, made = shelf(20_000)
    for _ in range(3):
        for athlete in range(10):
            assert kept.get(athlete).entries == log_of(entries(athlete)).entries
    assert set(made.values()) == {1}
    assert len(kept._ready) < 10
    assert kept._held <= 20_000


def test_beyond_what_compression_can_do_the_unchanged_are_made_again_and_the_changed_are_kept():
    kept, made = shelf(6_000)
    changed = log_of(entries(0, 3))
    kept.put(0, changed)
    for _ in range(2):
        for athlete in range(1, 40):
            assert kept.get(athlete).entries == log_of(entries(athlete)).entries
    assert max(made.values()) > 1
    assert kept._held <= 6_000
    assert kept.get(0).entries == changed.entries
    assert made[0] == 0


@given(
    steps=st.lists(st.tuples(st.integers(0, 5), st.none() | st.integers(0, 4)), max_size=60),
    most_bytes=st.sampled_from([1, 3_000, 8_000, 20_000, 10**9]),
)
def test_whatever_the_bound_everyone_has_what_was_put_there_last(steps, most_bytes):
    kept, _ = shelf(most_bytes)
    expected = {athlete: log_of(entries(athlete)) for athlete in range(6)}
    for athlete, count in steps:
        if count is not None:
            expected[athlete] = log_of(entries(athlete, count))
            kept.put(athlete, expected[athlete])
        assert kept.get(athlete) == expected[athlete]
    held = (*kept._ready.values(), *kept._packed.values())
    assert kept._held == sum(log.size for log in held)
