"""What the fields of the panel's forms mean."""

import pytest

from shared.contracts.leaderboard_admin_api import SPORT_TYPES, BoardDefinition
from shared.errors import AppError, Conflict, Forbidden, Invalid, TooManyRequests, Unavailable
from web.admin.messages import explain, refuse, tidy
from web.admin.rules import forms
from web.admin.rules.sports import ALL_SPORTS, GROUPS, in_order
from web.http.sentences import check_form


def test_every_sport_is_in_one_group() -> None:
    assert sorted(ALL_SPORTS) == sorted(SPORT_TYPES)
    assert len({group.name for group in GROUPS}) == len(GROUPS)
    assert in_order(["Yoga", "Curling", "Ride", "Run"]) == ["Run", "Ride", "Yoga", "Curling"]


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Zażółć Gęślą Łódź!", "zazolc-gesla-lodz"),
        ("  100 km  ", "100-km"),
        ("***", ""),
        ("a" * 60, "a" * 40),
        ("x" * 39 + " y", "x" * 39),
    ],
)
def test_a_name_suggests_a_part_of_an_address(name: str, slug: str) -> None:
    assert forms.suggest_slug(name) == slug


@pytest.mark.parametrize(
    ("text", "metric", "stored", "shown"),
    [
        ("42,195", "distance", "42195.000", "42.195"),
        ("1 000", "distance", "1000000", "1000"),
        ("1.5", "moving_time", "5400.0", "1.5"),
        ("8848", "elevation", "8848", "8848"),
        ("many", "distance", "many", None),
        ("", "distance", "", None),
        ("NaN", "distance", "NaN", None),
    ],
)
def test_thresholds_are_entered_in_kilometres_and_hours(
    text: str, metric: str, stored: str, shown: str | None
) -> None:
    assert forms.to_threshold(text, metric) == stored
    if shown:
        assert forms.from_threshold(stored, metric) == shown


def points_form(**changed: list[str]) -> dict[str, list[str]]:
    usual = {
        "kind": ["board"],
        "metric": ["points"],
        "sport_types": ["Run", "Ride"],
        "unit": ["distance"],
        "per_unit.Run": ["2,5"],
        "per_unit.Ride": ["1"],
        "per_unit.Swim": ["9"],
        "daily_cap": ["60"],
        "active_day_bonus": [""],
        "team_mode": ["best"],
        "team_best": ["3"],
    }
    return {**usual, **changed}


def test_a_form_is_a_board_and_a_board_is_the_form_again() -> None:
    fields = points_form()
    values = {**forms.read_rules(fields), **forms.read_team_rules(fields), "slug": "points", "name": "Points"}
    board, problems = check_form(BoardDefinition, values)
    assert problems == {}
    assert board.model_dump(mode="json")["points"] == {
        "unit": "distance",
        "per_unit": {"Run": "2.5", "Ride": "1"},
        "daily_cap": "60",
        "active_day_bonus": "0",
    }
    assert (board.team_mode, board.team_best) == ("best", 3)
    again = forms.show_rules(board.model_dump(), "board")
    assert forms.read_rules(again) == forms.read_rules(fields)


@pytest.mark.parametrize(
    ("changed", "faulty"),
    [
        ({"per_unit.Ride": [""]}, "per_unit.Ride"),
        ({"sport_types": []}, "sport_types"),
        ({"daily_cap": ["much"]}, "daily_cap"),
        ({"metric": ["luck"]}, "metric"),
        ({"metric": ["distance"], "kind": ["milestone"], "threshold": ["0"]}, "threshold"),
        ({"metric": ["distance"], "kind": ["milestone"]}, "threshold"),
        ({"team_best": [""]}, "team_best"),
        ({"sport_types": ["Chess"], "metric": ["distance"]}, "sport_types"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(changed: dict[str, list[str]], faulty: str) -> None:
    fields = points_form(**changed)
    values = {**forms.read_rules(fields), **forms.read_team_rules(fields), "slug": "points", "name": "Points"}
    _, problems = check_form(BoardDefinition, values)
    assert set(tidy(problems)) == {faulty}


@pytest.mark.parametrize(
    ("error", "field", "status"),
    [
        (Conflict("slug: There is a challenge with this slug already."), "slug", 409),
        (Conflict("name: There is a challenge with this name already."), "name", 409),
        (Conflict("Full.", code="team_full"), "", 409),
        (Conflict("Taken.", code="team_name_taken"), "name", 409),
        (Forbidden(), "", 403),
        (TooManyRequests(), "", 429),
        (Unavailable(), "", 503),
        (Invalid(fields={"name": "too odd"}), "name", 422),
    ],
)
def test_a_refusal_is_said_where_it_belongs(error: AppError, field: str, status: int) -> None:
    assert set(explain(error)) == {field}
    assert refuse(error).status == status
