"""Trouble with auth and web is one line that helps and shows no secret."""

import httpx
import pytest
from operator_api_fakes import AUTH_KEY, FakeAuth, FakeServer, FakeWeb, gruppetto, refusal

USER = "00000000-0000-4000-8000-000000000007"
ASK_AUTH = ("admins", "list")
ASK_WEB = ("sessions", "list", USER)


def line_of(server: FakeServer | None, *words: str, **env: str) -> str:
    done = gruppetto(server, *words, **env)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("gruppetto: ")
    assert done.stderr.count("\n") == 1
    return done.stderr.removeprefix("gruppetto: ").removesuffix("\n")


@pytest.mark.parametrize(
    ("server", "words", "why"),
    [
        (FakeAuth(), ASK_AUTH, "auth at http://auth.test:8001 refuses the key: check AUTH_OPERATOR_KEY"),
        (FakeWeb(), ASK_WEB, "web at http://web.test:9005 refuses the key: check WEB_OPERATOR_KEY"),
    ],
)
def test_a_refused_key_is_named_by_its_setting(server: FakeServer, words: tuple[str, ...], why: str) -> None:
    assert line_of(server, *words, AUTH_OPERATOR_KEY="canary-2", WEB_OPERATOR_KEY="canary-3") == why


@pytest.mark.parametrize(
    ("env", "words", "problem"),
    [
        ({"AUTH_URL": "canary"}, ASK_AUTH, "AUTH_URL is not valid"),
        ({"AUTH_OPERATOR_KEY": "canary\n"}, ASK_AUTH, "AUTH_OPERATOR_KEY is not valid"),
        ({"AUTH_OPERATOR_KEY": "canarią"}, ("admins", "add", "7"), "AUTH_OPERATOR_KEY is not valid"),
        ({"AUTH_OPERATOR_KEY": ""}, ("admins", "remove", "7"), "AUTH_OPERATOR_KEY is not valid"),
        ({"WEB_INTERNAL_URL": ""}, ASK_WEB, "WEB_INTERNAL_URL is not valid"),
        ({"WEB_OPERATOR_KEY": "canary canary"}, ASK_WEB, "WEB_OPERATOR_KEY is not valid"),
    ],
)
def test_a_malformed_setting_is_named_in_one_line(env: dict[str, str], words: tuple[str, ...], problem: str) -> None:
    done = gruppetto(None, *words, **env)
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert problem in done.stderr


@pytest.mark.parametrize(
    ("setting", "words"), [("AUTH_OPERATOR_KEY", ASK_AUTH), ("AUTH_URL", ASK_AUTH), ("WEB_OPERATOR_KEY", ASK_WEB)]
)
def test_a_command_needs_only_its_own_settings(setting: str, words: tuple[str, ...]) -> None:
    of_others = "WEB_OPERATOR_KEY" if words == ASK_AUTH else "AUTH_OPERATOR_KEY"
    done = gruppetto(None, *words, **{setting: None, of_others: None})
    assert (done.exit_code, done.stderr) == (2, f"cannot start: {setting} is not set\n")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (httpx.ConnectError("canary"), "auth at http://auth.test:8001 does not answer (ConnectError)"),
        (httpx.LocalProtocolError(AUTH_KEY), "auth at http://auth.test:8001 does not answer (LocalProtocolError)"),
        (
            httpx.Response(200, text="<html>canary"),
            "auth at http://auth.test:8001 gives an answer that cannot be read: check AUTH_URL, "
            "and that both sides are of the same release",
        ),
        (
            httpx.Response(404, json={"detail": "canary"}),
            "auth at http://auth.test:8001 answers with status 404 and no reason: check AUTH_URL",
        ),
        (
            httpx.Response(302, headers={"Location": "http://canary.test"}),
            "auth at http://auth.test:8001 answers with status 302 and no reason: check AUTH_URL",
        ),
        (httpx.Response(502, text="canary"), "auth at http://auth.test:8001 answers with status 502"),
        (
            refusal(503, "unavailable", "A part of the system is away."),
            "auth at http://auth.test:8001 answers with status 503: A part of the system is away.",
        ),
        (refusal(422, "invalid", "two\nlines\x1b[31m"), r"two\nlines\x1b[31m"),
    ],
)
def test_an_answer_that_does_not_help_is_one_line(answer: httpx.Response | Exception, why: str) -> None:
    assert line_of(FakeAuth(script=[answer]), *ASK_AUTH) == why


def test_a_server_that_is_not_there_is_named() -> None:
    nowhere = "http://somebody:canary@127.0.0.1:1"
    assert line_of(None, *ASK_AUTH, AUTH_URL=nowhere) == "auth at http://127.0.0.1:1 does not answer (ConnectError)"


def test_an_address_may_have_a_path() -> None:
    server = FakeAuth(script=[httpx.Response(200, json={"admins": []})])
    gruppetto(server, *ASK_AUTH, AUTH_URL="http://auth.test/behind/a/proxy")
    assert server.calls == ["GET /behind/a/proxy/admins"]


def test_ctrl_c_ends_a_command_quietly() -> None:
    done = gruppetto(FakeAuth(script=[KeyboardInterrupt()]), *ASK_AUTH)
    assert (done.exit_code, done.output) == (130, "")
