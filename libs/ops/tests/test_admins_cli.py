"""`gruppetto admins`, as its user runs it."""

from uuid import UUID

import pytest
from operator_api_fakes import CONFIGURED, NOT_FOUND, FakeAuth, gruppetto, json_of

from shared.contracts.auth_api import Admin

USER = UUID(int=7)


@pytest.fixture
def auth() -> FakeAuth:
    """auth with one admin of each kind."""
    configured = Admin(athlete_id=7, source="configuration", user_id=USER, display_name="Zofia [b]\x1b[31m")
    commanded = Admin(athlete_id=12, source="command", user_id=None, display_name=None)
    return FakeAuth(admins={12: commanded, 7: configured})


def test_admins_are_listed_with_who_named_them_and_whether_they_joined(auth: FakeAuth) -> None:
    done = gruppetto(auth, "admins", "list")
    number, titles, _, first, second = done.stdout.splitlines()
    assert (done.exit_code, number) == (0, "2 admins")
    assert titles.split() == ["athlete", "named", "by", "user", "name"]
    assert first.split() == ["7", "configuration", str(USER), "Zofia", r"[b]\x1b[31m"]
    assert second.split() == ["12", "command"]


def test_admins_are_listed_as_json(auth: FakeAuth) -> None:
    listed = json_of(gruppetto(auth, "admins", "list", "--json"))
    assert listed == [admin.model_dump(mode="json") for admin in (auth.admins[7], auth.admins[12])]


def test_an_athlete_becomes_an_admin_before_they_join(auth: FakeAuth) -> None:
    done = gruppetto(auth, "admins", "add", "20")
    assert (done.exit_code, done.stdout.splitlines()[0]) == (0, "athlete 20 is an admin as soon as they join")
    assert 20 in auth.admins


def test_adding_somebody_who_is_an_admin_says_who_they_are(auth: FakeAuth) -> None:
    assert gruppetto(auth, "admins", "add", "7").stdout.splitlines()[0] == "athlete 7 is an admin"
    added = json_of(gruppetto(auth, "admins", "add", "7", "--json"))
    assert added == auth.admins[7].model_dump(mode="json")


def test_an_admin_by_command_is_removed(auth: FakeAuth) -> None:
    done = gruppetto(auth, "admins", "remove", "12")
    assert (done.exit_code, done.output) == (0, "athlete 12 is no admin any more\n")
    assert list(auth.admins) == [7]


def test_a_removal_is_reported_as_json(auth: FakeAuth) -> None:
    assert json_of(gruppetto(auth, "admins", "remove", "12", "--json")) == {"removed": 12}


@pytest.mark.parametrize(("athlete_id", "why"), [("99", NOT_FOUND), ("7", CONFIGURED)])
def test_who_is_no_admin_or_named_by_configuration_cannot_be_removed(
    auth: FakeAuth, athlete_id: str, why: str
) -> None:
    done = gruppetto(auth, "admins", "remove", athlete_id)
    assert (done.exit_code, done.stdout, done.stderr) == (1, "", f"gruppetto: {why}\n")
    assert set(auth.admins) == {7, 12}


@pytest.mark.parametrize("athlete_id", ["0", "-1", "7/../../vault", str(2**63)])
def test_what_is_no_athlete_id_is_not_asked_for(auth: FakeAuth, athlete_id: str) -> None:
    assert gruppetto(auth, "admins", "remove", "--", athlete_id).exit_code == 2
    assert auth.calls == []
