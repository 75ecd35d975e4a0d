"""The redactor: whatever is logged, and however, no secret is in the line."""

import json
import logging
import string
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.observability.logs import configure_logging

KEYS = ["access_token", "refreshToken", "client_secret", "Authorization", "password", "Set-Cookie", "code", "state"]
KEYS += ["email", "e-mail".replace("-", "_"), "SECRET_KEY_BASE", "x-api-key".replace("-", "_"), "credentials"]

#: Texts in which a secret is known by its place.
SHAPES = [
    "GET https://www.strava.com/oauth?client_id=7&code={}&scope=read",
    "/callback?state={}",
    "POST body refresh_token={}&grant_type=refresh_token",
    "/webhook?hub.verify_token={}&hub.mode=subscribe",
    "redirect to /go?next=%2Fcallback%3Fcode%3D{}",
    "Authorization: Bearer {}",
    "bearer {}",
    "Authorization: Basic {}",
    "cannot reach postgresql://user:{}@host:5432/db",
    "amqp://user:{}@127.0.0.1:5672/",
    '{{"access_token": "{}", "expires_in": 21600}}',
    "{{'client_secret': '{}'}}",
    'body was "{{\\"refresh_token\\": \\"{}\\"}}"',
    "password={}",
    "api_key: {}",
    "null value in column\nDETAIL:  Failing row contains (1, {}, x).",
]
secrets = st.text(alphabet=string.ascii_letters + string.digits + "-_.~+/=", min_size=8, max_size=80).map(
    "canary".__add__
)
hex_secrets = st.text(alphabet="0123456789abcdef", min_size=40, max_size=128)
shaped = st.builds(str.format, st.sampled_from(SHAPES), secrets)
bare = hex_secrets.map("got {} from Strava".format) | hex_secrets.map("tok_{}_x".format)


class Odd:
    """Something that a library might log."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return f"<Odd {self.text}>"

    __repr__ = __str__


def nested(leaf: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    words = st.text(alphabet=string.ascii_lowercase, min_size=1, max_size=6).map("x_".__add__)
    wrapped = leaf | leaf.map(Odd) | leaf.map(str.encode) | leaf.map(ValueError) | leaf.map(lambda text: {text})
    return st.recursive(
        wrapped, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(words, inner, max_size=2), max_leaves=4
    )


@pytest.fixture
def line(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., str]]:
    """line(level, text, **values): what is printed for it."""
    before = structlog.get_config()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def log(method: str, *arguments: Any, style: str = "json", **values: Any) -> str:
        configure_logging("tests", "INFO", style)
        getattr(structlog.get_logger("some.module"), method)(*arguments, **values)
        return capsys.readouterr().out

    yield log
    structlog.contextvars.clear_contextvars()
    structlog.configure(**before)
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.raiseExceptions = True


relaxed = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)


@relaxed
@given(value=nested(shaped), style=st.sampled_from(["json", "console"]))
def test_no_secret_survives_by_its_shape(line: Callable[..., str], value: Any, style: str) -> None:
    printed = line("info", "event", value=value, style=style)
    assert "event" in printed
    assert "canary" not in printed


@relaxed
@given(
    junk=st.text(alphabet="ab \"'\\,;&", max_size=8),
    times=st.integers(1, 3),
    style=st.sampled_from(["json", "console"]),
)
def test_no_part_of_a_secret_survives_whose_quotes_are_escaped(
    line: Callable[..., str], junk: str, times: int, style: str
) -> None:
    body: Any = {"access_token": f"canary{junk}canary"}
    for _ in range(times):
        body = json.dumps(body)
    printed = line("info", "body was " + body, style=style)
    assert "body was" in printed
    assert "canary" not in printed


@relaxed
@given(value=nested(bare))
def test_no_long_hexadecimal_survives(line: Callable[..., str], value: Any) -> None:
    logged = json.loads(line("info", "event", value=value))
    assert not [run for run in _hex_runs(json.dumps(logged)) if len(run) >= 40]


def _hex_runs(text: str) -> list[str]:
    return "".join(c if c in "0123456789abcdef" else " " for c in text).split()


@relaxed
@given(key=st.sampled_from(KEYS), secret=secrets | st.lists(secrets) | st.dictionaries(st.just("x"), secrets))
def test_no_secret_survives_under_its_key(line: Callable[..., str], key: str, secret: Any) -> None:
    for values in ({key: secret}, {"deep": [{key: secret}]}):
        printed = line("info", "event", **values)
        assert "event" in printed
        assert "canary" not in printed


@relaxed
@given(text=shaped, style=st.sampled_from(["json", "console"]))
def test_no_secret_survives_in_an_exception_or_a_message(line: Callable[..., str], text: str, style: str) -> None:
    token = text  # a local variable, which a careless traceback would show
    try:
        try:
            raise ValueError(token)
        except ValueError as error:
            raise RuntimeError({"access_token": token}) from error
    except RuntimeError:
        printed = line("exception", text, style=style)
    assert "RuntimeError" in printed
    assert "canary" not in printed


@relaxed
@given(text=shaped)
def test_no_secret_survives_a_library_s_own_logging(line: Callable[..., str], text: str) -> None:
    line("info", "configured")
    logging.getLogger("library").warning("failed: %s", text, extra={"headers": {"authorization": text}})
    printed = line("info", "next")
    assert "failed: " in printed
    assert "canary" not in printed


def test_a_line_that_cannot_be_formatted_does_not_leak_past_the_redactor(
    line: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    line("info", "configured")
    logging.getLogger("library").warning("only one %s", "canary", "two")  # noqa: PLE1205
    assert capsys.readouterr().err == ""


def test_what_is_no_secret_stays_readable(line: Callable[..., str]) -> None:
    user = UUID(int=7)
    at = datetime(2026, 10, 1, tzinfo=UTC)
    url = "http://127.0.0.1:8000/boards?page=2"
    logged = json.loads(line("info", "fetched", user_id=user, at=at, url=url, count=3, ok=True, nothing=None))
    assert logged["event"] == "fetched"
    assert logged["service"] == "tests"
    assert logged["level"] == "info"
    assert logged["user_id"] == str(user)
    assert logged["at"] == "2026-10-01 00:00:00+00:00"
    assert logged["url"] == url
    assert (logged["count"], logged["ok"], logged["nothing"]) == (3, True, None)
