"""Every form that a stranger can send is counted."""

from fastapi.routing import APIRoute
from web_fakes import FakeAuth, FakeLeaderboard
from web_harness import build

from shared.database.engine import Database
from web.http.dependencies import LIMIT_FORMS, PAGE_METHODS


def test_each_route_of_a_form_limits_forms(database: Database, leaderboard: FakeLeaderboard, auth: FakeAuth) -> None:
    routes = [route for route in build(database, leaderboard, auth).routes if isinstance(route, APIRoute)]
    forms = [route for route in routes if not route.methods <= set(PAGE_METHODS)]
    assert len(forms) > 30
    assert [route.path for route in forms if LIMIT_FORMS not in route.dependencies] == []
