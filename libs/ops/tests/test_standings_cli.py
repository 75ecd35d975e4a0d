"""`gruppetto standings`, as its user runs it."""

import pytest
from operator_api_fakes import LEADERBOARD_KEY, FakeSync, gruppetto, json_of

from shared.contracts.organisers_api import StandingsState

CURRENT = StandingsState(live=3, building=0, retired=0, recalculations=0, last_drift=None)
BUSY = StandingsState(live=1, building=2, retired=1, recalculations=4, last_drift=0)


def leaderboard(path: str, state: StandingsState) -> FakeSync:
    return FakeSync(key=LEADERBOARD_KEY, answers={path: state})


@pytest.mark.parametrize(
    ("state", "lines"),
    [
        (CURRENT, ["3 boards shown, 0 being computed", "never checked"]),
        (
            BUSY,
            [
                "1 board shown, 2 being computed",
                "1 former version to be deleted",
                "4 participants with many activities being scored",
                "0 totals differed at the last check",
            ],
        ),
    ],
)
def test_the_state_is_shown(state: StandingsState, lines: list[str]) -> None:
    done = gruppetto(leaderboard("/standings", state), "standings", "status")
    assert (done.exit_code, done.stdout.splitlines()) == (0, lines)


def test_a_rebuild_begins_and_shows_the_state() -> None:
    server = leaderboard("/standings/rebuild", BUSY)
    done = gruppetto(server, "standings", "rebuild", "--json")
    assert json_of(done) == BUSY.model_dump(mode="json")
    assert server.calls == ["POST /standings/rebuild"]
