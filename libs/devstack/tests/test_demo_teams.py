"""Who of the demo's club is in which team."""

from collections import Counter

import pytest

from devstack.stack.demo_teams import SEATS, choose_teams

TEAM_SIZE = 5


def test_the_usual_club_fills_every_team_as_planned_and_one_of_them_completely():
    assert Counter(choose_teams(25)) == {**SEATS, None: 5}
    assert max(SEATS.values()) == TEAM_SIZE


@pytest.mark.parametrize("athletes", [1, 2, 3, 6, 10, 24, 25, 26, 300])
def test_in_every_club_the_first_one_is_free_and_a_team_has_room(athletes: int):
    teams = choose_teams(athletes)
    assert len(teams) == athletes
    assert teams[0] is None
    sizes = Counter(team for team in teams if team is not None)
    assert all(size <= TEAM_SIZE for size in sizes.values())
    assert athletes < 2 or min(sizes.values()) < TEAM_SIZE
    assert athletes < 10 or len(sizes) > 1
