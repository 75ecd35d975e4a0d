"""Names of teams, and dealing people out: rules without a database."""

from collections import Counter
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from leaderboard.names import fold_name
from leaderboard.teams.rules import deal, find_repeated, number_teams, shuffle
from shared.contracts.teams_api import TeamName

people = st.lists(st.uuids(), unique=True, max_size=60)
seeds = st.integers(0, 2**53 - 1)


@pytest.mark.parametrize(
    ("name", "folded"),
    [
        ("Night Owls", "night owls"),
        ("  NIGHT \t\u00a0 owls ", "night owls"),
        ("\uff2e\uff49\uff47\uff48\uff54\u3000Owls", "night owls"),
        ("Żółwie", "żółwie"),
        ("Z\u0307o\u0301łwie", "żółwie"),
        ("STRASSE", "strasse"),
        ("Straße", "strasse"),
        ("oﬃce", "office"),
    ],
)
def test_names_are_the_same_whatever_their_case_width_and_spaces(name: str, folded: str) -> None:
    assert fold_name(name) == folded


@given(st.text())
def test_a_folded_name_stays_as_it_is(name: str) -> None:
    folded = fold_name(name)
    assert fold_name(folded) == folded
    assert folded == " ".join(folded.split())
    assert fold_name(f" {name}\n") == folded


@given(st.text(st.characters(codec="ascii", categories=["L", "N", "Zs"])))
def test_case_and_spaces_make_no_other_name(name: str) -> None:
    assert fold_name(name.upper().replace(" ", "   ")) == fold_name(name.lower())


@given(st.text(max_size=70))
def test_a_name_that_is_accepted_is_trimmed_printable_and_leaves_something_to_compare(name: str) -> None:
    try:
        accepted = TypeAdapter(TeamName).validate_python(name)
    except ValidationError:
        assert not 1 <= len(name.strip()) <= 60 or not name.strip().isprintable()
    else:
        assert accepted == name.strip()
        assert 1 <= len(accepted) <= 60
        assert fold_name(accepted)


def test_a_name_that_is_given_twice_is_found() -> None:
    assert find_repeated(["Owls", "Larks", "OWLS "]) == "OWLS "
    assert find_repeated(["Owls", "Larks"]) is None


def test_numbered_teams_pass_over_the_names_that_are_taken() -> None:
    assert number_teams("Team", 3, {"team 2", "owls"}) == ["Team 1", "Team 3", "Team 4"]
    taken = {fold_name(name) for name in ("DRUŻYNA 2", "Sowy")}
    assert number_teams("Drużyna", 3, taken) == ["Drużyna 1", "Drużyna 3", "Drużyna 4"]


def test_the_strongest_are_dealt_out_back_and_forth() -> None:
    assert deal("abcdefgh", 3) == [["a", "f", "g"], ["b", "e", "h"], ["c", "d"]]


@given(people, st.integers(1, 20))
def test_sizes_differ_by_at_most_one_and_everyone_is_dealt_exactly_once(group: list[UUID], teams: int) -> None:
    dealt = deal(group, teams)
    sizes = [len(team) for team in dealt]
    assert len(dealt) == teams
    assert max(sizes) - min(sizes) <= 1
    assert Counter(person for team in dealt for person in team) == Counter(group)


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=60), st.integers(1, 20))
def test_no_team_is_stronger_than_another_by_more_than_the_strongest_person(values: list[int], teams: int) -> None:
    sums = [sum(team) for team in deal(sorted(values, reverse=True), teams)]
    assert max(sums) - min(sums) <= max(values)


@given(people, seeds)
def test_a_seed_makes_the_same_order_however_people_are_given(group: list[UUID], seed: int) -> None:
    shuffled = shuffle(group, seed)
    assert sorted(shuffled) == sorted(group)
    assert shuffle(reversed(group), seed) == shuffled


def test_other_seeds_make_other_orders_in_which_everybody_is_first_about_as_often() -> None:
    group = [UUID(int=n) for n in range(4)]
    first = Counter(shuffle(group, seed)[0] for seed in range(400))
    assert all(70 < first[person] < 130 for person in group)
