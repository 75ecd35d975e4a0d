"""`gruppetto sessions`, as its user runs it."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from operator_api_fakes import FakeWeb, gruppetto, json_of

from shared.contracts.web_api import Session

USER, OTHER = UUID(int=7), UUID(int=8)
SINCE = datetime(2026, 11, 20, 18, 0, 5, tzinfo=UTC)


def session(id_: str, user: UUID) -> Session:
    return Session(id=id_, user_id=user, created_at=SINCE, last_seen_at=SINCE + timedelta(hours=1))


@pytest.fixture
def web() -> FakeWeb:
    """web with two sessions of one user and one of another."""
    return FakeWeb(
        sessions={one.id: one for one in (session("ab12", USER), session("cd34", USER), session("ef", OTHER))}
    )


def test_sessions_of_a_user_are_listed(web: FakeWeb) -> None:
    done = gruppetto(web, "sessions", "list", str(USER))
    number, titles, _, first, second = done.stdout.splitlines()
    assert (done.exit_code, number) == (0, "2 sessions")
    assert titles.split() == ["id", "since", "(UTC)", "last", "seen", "(UTC)"]
    assert first.split() == ["ab12", "2026-11-20", "18:00:05", "2026-11-20", "19:00:05"]
    assert second.split()[0] == "cd34"


def test_sessions_of_a_user_are_listed_as_json(web: FakeWeb) -> None:
    listed = json_of(gruppetto(web, "sessions", "list", str(USER), "--json"))
    assert listed == [web.sessions[id_].model_dump(mode="json") for id_ in ("ab12", "cd34")]


def test_a_user_without_sessions_has_none_listed(web: FakeWeb) -> None:
    assert gruppetto(web, "sessions", "list", str(UUID(int=9))).output == "0 sessions\n"
    assert json_of(gruppetto(web, "sessions", "list", str(UUID(int=9)), "--json")) == []


def test_one_session_is_ended(web: FakeWeb) -> None:
    done = gruppetto(web, "sessions", "revoke", "cd34")
    assert (done.exit_code, done.output) == (0, "1 session ended\n")
    assert list(web.sessions) == ["ab12", "ef"]


def test_all_sessions_of_a_user_are_ended_and_no_others(web: FakeWeb) -> None:
    done = gruppetto(web, "sessions", "revoke-all", str(USER))
    assert (done.exit_code, done.output) == (0, "2 sessions ended\n")
    assert list(web.sessions) == ["ef"]


def test_ended_sessions_are_counted_in_json(web: FakeWeb) -> None:
    assert json_of(gruppetto(web, "sessions", "revoke", "ef", "--json")) == {"revoked": 1}
    assert json_of(gruppetto(web, "sessions", "revoke-all", str(USER), "--json")) == {"revoked": 2}
    assert json_of(gruppetto(web, "sessions", "revoke-all", str(USER), "--json")) == {"revoked": 0}


def test_a_session_that_is_not_there_cannot_be_ended(web: FakeWeb) -> None:
    done = gruppetto(web, "sessions", "revoke", "99")
    assert (done.exit_code, done.output) == (1, "gruppetto: there is no session 99\n")


@pytest.mark.parametrize(
    "words",
    [
        ("revoke", ""),
        ("revoke", "../sessions"),
        ("revoke", "ab12?user_id=7"),
        ("revoke-all", ""),
        ("revoke-all", "7"),
        ("list", "somebody"),
    ],
)
def test_what_is_no_id_is_not_asked_for(web: FakeWeb, words: tuple[str, ...]) -> None:
    assert gruppetto(web, "sessions", *words).exit_code == 2
    assert web.calls == []
