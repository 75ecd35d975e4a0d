"""`gruppetto vault`, as its user runs it."""

import json
from collections.abc import Iterator
from uuid import UUID

import httpx
import pytest
import stamina
from operator_api_fakes import FakeAuth, gruppetto, json_of, refusal
from stamina.instrumentation import get_on_retry_hooks

from shared.contracts.auth_api import VaultPage

ROWS = [UUID(int=number) for number in range(1, 8)]
AWAY = httpx.ConnectError("canary")


@pytest.fixture(autouse=True)
def no_waits() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3):
        yield


@pytest.fixture
def auth() -> FakeAuth:
    """auth with seven rows, the first two under the active key."""
    return FakeAuth(vault={row: "new" if row in ROWS[:2] else "old" for row in ROWS})


def unreadable(row: UUID, key: str) -> dict[str, str]:
    return {"table": "tokens", "row": str(row), "column": "refresh", "key_id": key}


def test_check_counts_the_rows_under_each_key_and_changes_nothing(auth: FakeAuth) -> None:
    done = gruppetto(auth, "vault", "check")
    assert (done.exit_code, done.stderr) == (0, "")
    number, titles, _, *rows = done.stdout.splitlines()
    assert (number, titles.split()) == ("7 rows", ["key", "rows"])
    assert [row.split() for row in rows] == [["new", "2"], ["old", "5"]]
    assert auth.encrypted == []


def test_check_prints_json(auth: FakeAuth) -> None:
    expected = {"rows": 7, "rows_by_key": {"new": 2, "old": 5}, "unreadable": []}
    assert json_of(gruppetto(auth, "vault", "check", "--json")) == expected


def test_check_reads_every_page_and_adds_them_up() -> None:
    auth = FakeAuth(vault={UUID(int=number): "old" if number % 2 else "new" for number in range(1, 452)})
    expected = {"rows": 451, "rows_by_key": {"new": 225, "old": 226}, "unreadable": []}
    assert json_of(gruppetto(auth, "vault", "check", "--json")) == expected
    assert auth.calls == [
        "GET /vault?limit=200",
        f"GET /vault?limit=200&after={UUID(int=200)}",
        f"GET /vault?limit=200&after={UUID(int=400)}",
    ]


def test_an_empty_vault_is_in_order() -> None:
    assert gruppetto(FakeAuth(), "vault", "check").output == "0 rows\n"
    assert gruppetto(FakeAuth(), "vault", "rotate").stdout == "0 rows, 0 of them re-encrypted\n"


def test_check_names_what_cannot_be_read_and_fails(auth: FakeAuth) -> None:
    auth.altered = {ROWS[0], ROWS[6]}
    auth.vault[ROWS[6]] = "\x1b[31m"
    done = gruppetto(auth, "vault", "check")
    assert done.exit_code == 1
    number, titles, _, first, second = done.stdout.splitlines()[-5:]
    assert number == "2 tokens cannot be read"
    assert titles.split() == ["table", "row", "column", "key"]
    assert first.split() == ["tokens", str(ROWS[0]), "refresh", "new"]
    assert second.split() == ["tokens", str(ROWS[6]), "refresh", r"\x1b[31m"]


def test_check_lists_what_cannot_be_read_as_json_and_fails(auth: FakeAuth) -> None:
    auth.altered = {ROWS[6]}
    done = gruppetto(auth, "vault", "check", "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["unreadable"] == [unreadable(ROWS[6], "old")]


def test_rotate_encrypts_what_is_under_another_key_and_says_how_far_it_is(auth: FakeAuth) -> None:
    done = gruppetto(auth, "vault", "rotate", "--batch", "3")
    assert done.exit_code == 0
    assert done.stderr.splitlines() == [
        "3 rows, 1 of them re-encrypted",
        "6 rows, 4 of them re-encrypted",
        "7 rows, 5 of them re-encrypted",
    ]
    summary, titles, _, row = done.stdout.splitlines()
    assert summary == "7 rows, 5 of them re-encrypted"
    assert (titles.split(), row.split()) == (["key", "rows"], ["new", "7"])
    assert auth.encrypted == ROWS[2:]
    assert auth.calls[1] == f"POST /vault/rotate?limit=3&after={ROWS[2]}"


def test_rotate_prints_json(auth: FakeAuth) -> None:
    done = gruppetto(auth, "vault", "rotate", "--json")
    assert json.loads(done.stdout) == {
        "complete": True,
        "rows": 7,
        "rotated": 5,
        "rows_by_key": {"new": 7},
        "unreadable": [],
    }


def test_rotate_shows_one_moving_line_on_a_terminal(auth: FakeAuth) -> None:
    auth.script = [None, AWAY]
    done = gruppetto(auth, "vault", "rotate", "--batch", "3", FORCE_COLOR="1", TERM="xterm", COLUMNS="100")
    assert done.exit_code == 0
    assert "7 rows, 5 of them re-encrypted" in done.stderr
    assert "\x1b[?25l" in done.stderr, "no line that moves"
    assert "does not answer (ConnectError); trying again in" in done.stderr


def test_rotate_leaves_what_cannot_be_read_and_fails(auth: FakeAuth) -> None:
    auth.altered = {ROWS[4]}
    done = gruppetto(auth, "vault", "rotate", "--json")
    assert done.exit_code == 1
    told = json.loads(done.stdout)
    assert (told["complete"], told["rotated"], told["rows_by_key"]) == (True, 4, {"new": 6, "old": 1})
    assert told["unreadable"] == [unreadable(ROWS[4], "old")]
    assert "1 token cannot be read" in gruppetto(auth, "vault", "rotate").stdout


def test_rotate_goes_on_after_an_interruption_and_touches_no_row_twice(auth: FakeAuth) -> None:
    auth.script = [None, KeyboardInterrupt()]
    stopped = gruppetto(auth, "vault", "rotate", "--batch", "3")
    assert stopped.exit_code == 130
    assert stopped.stderr.splitlines()[-1] == "gruppetto: interrupted; run it again to go on"
    assert stopped.stdout.splitlines()[0] == "3 rows, 1 of them re-encrypted so far"
    done = gruppetto(auth, "vault", "rotate", "--batch", "3")
    assert (done.exit_code, done.stdout.splitlines()[0]) == (0, "7 rows, 4 of them re-encrypted")
    assert auth.encrypted == ROWS[2:]


def test_an_interrupted_rotation_is_not_complete_in_json(auth: FakeAuth) -> None:
    auth.script = [None, KeyboardInterrupt()]
    told = json.loads(gruppetto(auth, "vault", "rotate", "--batch", "3", "--json").stdout)
    assert (told["complete"], told["rows"], told["rotated"]) == (False, 3, 1)


@pytest.mark.parametrize("command", ["check", "rotate"])
@pytest.mark.parametrize("trouble", [AWAY, httpx.ReadError("canary"), refusal(503, "unavailable", "Away.")])
def test_a_page_is_asked_for_again_when_auth_is_away_for_a_moment(
    auth: FakeAuth, command: str, trouble: httpx.Response | Exception
) -> None:
    auth.script = [None, trouble, trouble]
    auth.vault = {UUID(int=number): "new" for number in range(1, 300)}
    hooks = get_on_retry_hooks()
    done = gruppetto(auth, "vault", command, "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["rows"] == 299
    waits = [line for line in done.stderr.splitlines() if "; trying again in " in line]
    assert len(waits) == 2
    assert all(line.startswith("auth at http://auth.test:8001 ") for line in waits)
    assert len(set(auth.calls[1:])) == 1
    assert get_on_retry_hooks() == hooks


def test_rotate_says_that_it_can_be_run_again_when_auth_stays_away(auth: FakeAuth) -> None:
    auth.script = [None, *[refusal(503, "unavailable", "A part is away.")] * 3]
    done = gruppetto(auth, "vault", "rotate", "--batch", "3")
    assert done.exit_code == 1
    assert done.stderr.splitlines()[-1] == (
        "gruppetto: auth at http://auth.test:8001 answers with status 503: A part is away; run it again to go on"
    )
    assert done.stdout.splitlines()[0] == "3 rows, 1 of them re-encrypted so far"


@pytest.mark.parametrize("command", ["check", "rotate"])
def test_a_refused_key_is_not_tried_again(auth: FakeAuth, command: str) -> None:
    done = gruppetto(auth, "vault", command, "--json", AUTH_OPERATOR_KEY="canary-2")
    why = "gruppetto: auth at http://auth.test:8001 refuses the key: check AUTH_OPERATOR_KEY\n"
    assert (done.exit_code, done.stdout, done.stderr) == (1, "", why)
    assert len(auth.calls) == 1


def test_pages_that_come_again_and_again_are_no_endless_loop(auth: FakeAuth) -> None:
    page = VaultPage(rows=1, rows_by_key={"new": 1}, rotated=0, unreadable=(), next_after=ROWS[0])
    auth.script = [httpx.Response(200, content=page.model_dump_json()) for _ in range(3)]
    done = gruppetto(auth, "vault", "check")
    assert (done.exit_code, len(auth.calls)) == (1, 2)
    assert done.stderr == "gruppetto: auth gives the same rows of the vault again and again\n"


@pytest.mark.parametrize("batch", ["0", "501", "many"])
def test_a_batch_is_what_auth_takes(auth: FakeAuth, batch: str) -> None:
    assert gruppetto(auth, "vault", "rotate", "--batch", batch).exit_code == 2
    assert auth.calls == []
