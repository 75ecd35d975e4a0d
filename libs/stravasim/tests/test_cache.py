"""The activity cache: bounded memory by compression and eviction, without changing any activity."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from stravasim.dataset.cache import ActivityCache
from stravasim.strava.listing import ActivityEntry, build_index

BODY = b'{"name":"' + b"x" * 1_000 + b'"}'


def entries(athlete: int, count: int = 5) -> list[ActivityEntry]:
    return [ActivityEntry(start, athlete * 100 + start, bool(start % 2), BODY) for start in range(count)]


def cache(max_bytes: int) -> tuple[ActivityCache, Counter[int]]:
    built: Counter[int] = Counter()

    def build(athlete: int) -> list[ActivityEntry]:
        built[athlete] += 1
        return entries(athlete)

    return ActivityCache(build, max_bytes), built


def test_within_the_bound_nothing_is_built_twice():
    cached, built = cache(10**9)
    for athlete in (*range(20), *range(20)):
        assert cached.get(athlete).entries == build_index(entries(athlete)).entries
    assert set(built.values()) == {1}


def test_the_least_recently_used_are_compressed_rather_than_built_again():
    cached, built = cache(20_000)
    for _ in range(3):
        for athlete in range(10):
            assert cached.get(athlete).entries == build_index(entries(athlete)).entries
    assert set(built.values()) == {1}
    assert len(cached._recent) < 10
    assert cached._total <= 20_000


def test_beyond_what_compression_can_do_the_unmodified_are_built_again_and_the_modified_are_cached():
    cached, built = cache(6_000)
    changed = build_index(entries(0, 3))
    cached.put(0, changed)
    for _ in range(2):
        for athlete in range(1, 40):
            assert cached.get(athlete).entries == build_index(entries(athlete)).entries
    assert max(built.values()) > 1
    assert cached._total <= 6_000
    assert cached.get(0).entries == changed.entries
    assert built[0] == 0


@given(
    steps=st.lists(st.tuples(st.integers(0, 5), st.none() | st.integers(0, 4)), max_size=60),
    max_bytes=st.sampled_from([1, 3_000, 8_000, 20_000, 10**9]),
)
def test_within_any_bound_every_athlete_has_the_index_that_was_put_last(steps, max_bytes):
    cached, _ = cache(max_bytes)
    expected = {athlete: build_index(entries(athlete)) for athlete in range(6)}
    for athlete, count in steps:
        if count is not None:
            expected[athlete] = build_index(entries(athlete, count))
            cached.put(athlete, expected[athlete])
        assert cached.get(athlete) == expected[athlete]
    held = (*cached._recent.values(), *cached._compressed.values())
    assert cached._total == sum(index.size for index in held)
