"""`gruppetto api-keys`, as its user runs it."""

import json
from datetime import UTC, datetime

import httpx
import pytest
from operator_api_fakes import LEADERBOARD_KEY, FakeServer, FakeSync, gruppetto, json_of, refusal

from shared.contracts.organisers_api import ApiKeyInfo, ApiKeyList, CreatedApiKey

NOW = datetime(2026, 11, 20, 18, 0, 5, tzinfo=UTC)
INFO = ApiKeyInfo(
    id=3,
    name="Results page",
    scopes=("people", "read"),
    created_by="operator",
    created_at=NOW,
    revoked_at=None,
    last_used_at=None,
)
CREATED = CreatedApiKey(info=INFO, key="gruppetto_3_secret")


def leaderboard(**answers: object) -> FakeSync:
    """leaderboard: what it answers by path."""
    return FakeSync(key=LEADERBOARD_KEY, answers=answers)  # type: ignore[arg-type]


class Creating(FakeServer):
    """leaderboard, which makes the key that is asked for."""

    wanted: object = None

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.wanted = json.loads(request.content)
        return httpx.Response(201, content=CREATED.model_dump_json())


def test_a_key_is_made_and_printed_alone() -> None:
    server = Creating(LEADERBOARD_KEY)
    words = ("create", "Results page", "--scope", "read", "--scope", "people", "--scope", "read")
    done = gruppetto(server, "api-keys", *words)
    assert (done.exit_code, done.stdout) == (0, "gruppetto_3_secret\n")
    assert done.stderr == "key 3 may people, read; it is not shown again\n"
    assert (server.calls, server.wanted) == (
        ["POST /api-keys"],
        {"name": "Results page", "scopes": ["people", "read"]},
    )


def test_a_key_is_made_as_json() -> None:
    done = gruppetto(Creating(LEADERBOARD_KEY), "api-keys", "create", "Results page", "--scope", "read", "--json")
    assert json_of(done) == CREATED.model_dump(mode="json")


@pytest.mark.parametrize("words", [("x",), ("x", "--scope", "everything"), ("--scope", "read")])
def test_what_is_no_key_is_not_asked_for(words: tuple[str, ...]) -> None:
    server = Creating(LEADERBOARD_KEY)
    assert gruppetto(server, "api-keys", "create", *words).exit_code == 2
    assert server.calls == []


def test_a_name_that_was_given_is_one_line() -> None:
    server = Creating(LEADERBOARD_KEY, script=[refusal(409, "conflict", "There is or was an API key of that name.")])
    done = gruppetto(server, "api-keys", "create", "x", "--scope", "read")
    assert (done.exit_code, done.stderr) == (1, "gruppetto: There is or was an API key of that name.\n")


def test_keys_are_listed() -> None:
    revoked = INFO.model_copy(update={"id": 2, "name": "Old", "revoked_at": NOW, "last_used_at": NOW})
    answers = {"/api-keys": ApiKeyList(keys=(INFO, revoked))}
    done = gruppetto(leaderboard(**answers), "api-keys", "list")
    number, titles, _, first, second = done.stdout.splitlines()
    assert (done.exit_code, number) == (0, "2 keys")
    assert titles.split() == ["id", "name", "scopes", "created", "by", "created", "last", "used", "revoked"]
    assert first.split() == [
        "3",
        "Results",
        "page",
        "people,",
        "read",
        "operator",
        "2026-11-20",
        "18:00:05",
        "UTC",
        "never",
    ]
    assert second.split()[-3:] == ["2026-11-20", "18:00:05", "UTC"]
    listed = json_of(gruppetto(leaderboard(**answers), "api-keys", "list", "--json"))
    assert listed == [one.model_dump(mode="json") for one in (INFO, revoked)]


def test_without_keys_there_is_little_to_list() -> None:
    answers = {"/api-keys": ApiKeyList(keys=())}
    assert gruppetto(leaderboard(**answers), "api-keys", "list").output == "0 keys\n"


def test_a_key_is_revoked() -> None:
    answers = {"/api-keys/3": INFO.model_copy(update={"revoked_at": NOW})}
    server = leaderboard(**answers)
    done = gruppetto(server, "api-keys", "revoke", "3")
    assert (done.exit_code, done.output) == (0, "key 3, Results page, is revoked\n")
    assert server.calls == ["DELETE /api-keys/3"]
    assert json_of(gruppetto(leaderboard(**answers), "api-keys", "revoke", "3", "--json")) == answers[
        "/api-keys/3"
    ].model_dump(mode="json")


@pytest.mark.parametrize("missing", ["LEADERBOARD_INTERNAL_URL", "LEADERBOARD_OPERATOR_KEY"])
def test_a_missing_setting_is_one_line(missing: str) -> None:
    done = gruppetto(leaderboard(), "api-keys", "list", **{missing: None})
    assert (done.exit_code, done.stderr) == (2, f"cannot start: {missing} is not set\n")
