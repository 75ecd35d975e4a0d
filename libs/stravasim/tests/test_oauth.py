"""Signing in: the page, the codes, the tokens."""

import pytest

from stravasim.strava.errors import ApiError
from stravasim.strava.oauth import DEFAULT_APPLICATION, is_allowed_redirect, parse_authorization_request

BACK = "http://localhost:8000/callback"


def error_of(response):
    """Status, message and the single entry of an error response."""
    body = response.json()
    (error,) = body["errors"]
    return response.status_code, body["message"], error["resource"], error["field"], error["code"]


async def test_the_page_offers_every_athlete_and_ticks_every_scope_asked(harness):
    page = await harness.page(athlete_id="8")

    assert page.status_code == 200
    assert '<option value="7">' in page.text
    assert '<option value="8" selected>' in page.text
    assert page.text.count(" checked>") == 3
    assert 'name="decision" value="deny"' in page.text
    assert "<script" not in page.text


async def test_the_page_writes_what_it_was_given_as_text_not_as_html(harness):
    page = await harness.page(state='"><script>alert(1)</script>')

    assert "<script" not in page.text


async def test_consent_returns_state_code_and_granted_scopes_comma_separated(harness):
    response = await harness.client.post(
        "/oauth/authorize",
        data=harness.asked
        | {"athlete_id": "7", "decision": "authorize", "granted": ["read", "activity:read_all"], "state": "a b&c"},
    )

    location = response.headers["location"]
    assert response.status_code == 302
    assert location.startswith(f"{BACK}?state=a%20b%26c&code=")
    assert location.endswith("&scope=read,activity:read_all")


async def test_the_redirect_keeps_the_query_of_the_callback_and_an_empty_state(harness):
    query = await harness.submit(redirect_uri=BACK + "?tenant=1", state="")

    assert query["tenant"] == ["1"]
    assert query["state"] == [""]
    assert len(query["code"][0]) == 40


async def test_denial_returns_access_denied_and_no_code(harness):
    assert await harness.submit(decision="deny") == {"state": ["s1"], "error": ["access_denied"]}


async def test_a_scope_that_was_not_asked_for_cannot_be_granted(harness):
    query = await harness.submit(scope="read", granted="read,activity:write")

    assert query["scope"] == ["read"]


async def test_an_athlete_who_granted_the_same_scopes_before_is_redirected_at_once(harness):
    await harness.submit(athlete=7)

    again = await harness.page(athlete_id="7")
    forced = await harness.page(athlete_id="7", approval_prompt="force")
    other_scopes = await harness.page(athlete_id="7", scope="read")
    nobody_chosen = await harness.page()

    assert again.status_code == 302
    assert "code=" in again.headers["location"]
    assert [page.status_code for page in (forced, other_scopes, nobody_chosen)] == [200, 200, 200]


@pytest.mark.parametrize(
    ("changed", "resource", "field"),
    [
        ({"client_id": "99"}, "Application", "client_id"),
        ({"client_id": "x"}, "Application", "client_id"),
        ({"redirect_uri": "https://elsewhere.example/"}, "Application", "redirect_uri"),
        ({"redirect_uri": ""}, "Application", "redirect_uri"),
        ({"response_type": "token"}, "Authorize", "response_type"),
        ({"scope": ""}, "Authorize", "scope"),
        ({"scope": "read,everything"}, "Authorize", "scope"),
        ({"scope": "read activity:read"}, "Authorize", "scope"),
        ({"approval_prompt": "maybe"}, "Authorize", "approval_prompt"),
    ],
)
async def test_a_wrong_request_is_refused_by_page_and_form_alike(harness, changed, resource, field):
    page = await harness.page(**changed)
    form = await harness.client.post("/oauth/authorize", data=harness.asked | changed | {"athlete_id": "7"})

    assert error_of(page) == error_of(form) == (400, "Bad Request", resource, field, "invalid")


async def test_an_unknown_athlete_cannot_sign_in(harness):
    response = await harness.client.post(
        "/oauth/authorize", data=harness.asked | {"athlete_id": "99", "decision": "authorize"}
    )

    assert error_of(response)[0] == 400


@pytest.mark.parametrize(
    ("uri", "allowed"),
    [
        ("http://localhost/x", True),
        ("http://127.0.0.1:9000/x", True),
        ("https://club.example/x", True),
        ("https://app.club.example/x", True),
        ("https://notclub.example/x", False),
        ("https://club.example.evil.example/", False),
        ("https://club.example@evil.example/", False),
        ("https://evil.example\\@club.example/", False),
        ("javascript:alert(1)//localhost", False),
        ("http://[broken", False),
        ("/callback", False),
    ],
)
def test_a_redirect_stays_inside_the_callback_domain(uri, allowed):
    assert is_allowed_redirect(uri, "club.example") is allowed


def test_a_duplicate_scope_is_requested_once():
    asked = {"client_id": "12345", "redirect_uri": BACK, "response_type": "code", "scope": "read,read"}
    request = parse_authorization_request(asked, DEFAULT_APPLICATION)

    assert not isinstance(request, ApiError)
    assert request.scopes == ("read",)


@pytest.mark.parametrize("path", ["/oauth/token", "/api/v3/oauth/token"])
@pytest.mark.parametrize("where", ["data", "params"])
async def test_a_code_is_exchanged_for_tokens_and_the_athlete_with_the_recorded_keys(harness, path, where):
    code = (await harness.submit())["code"][0]
    fields = {
        "client_id": "12345",
        "client_secret": "simulated-secret",
        "code": code,
        "grant_type": "authorization_code",
    }
    response = await harness.client.post(path, **{where: fields})

    body = response.json()
    assert response.status_code == 200
    assert list(body) == ["token_type", "expires_at", "expires_in", "refresh_token", "access_token", "athlete"]
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 21600)
    assert body["expires_at"] == harness.clock.now().timestamp() + 21600
    assert len(body["access_token"]) == len(body["refresh_token"]) == 40
    assert list(body["athlete"])[:5] == ["id", "username", "resource_state", "firstname", "lastname"]
    assert body["athlete"]["id"] == 7
    assert not [name for name in response.headers if "ratelimit" in name]


async def test_a_code_is_valid_once_and_expires(harness):
    used = (await harness.submit())["code"][0]
    old = (await harness.submit())["code"][0]
    await harness.exchange(used)
    reused = await harness.exchange(used)
    harness.clock.advance(600)
    late = await harness.exchange(old)

    expected = (400, "Bad Request", "AuthorizationCode", "code", "invalid")
    assert error_of(reused) == error_of(late) == expected


async def test_a_refresh_with_more_than_an_hour_left_returns_the_same_token_and_its_remaining_lifetime(harness):
    first = await harness.tokens()
    harness.clock.advance(21600 - 3601)
    second = (await harness.refresh(first["refresh_token"])).json()

    assert list(second) == ["token_type", "access_token", "expires_at", "expires_in", "refresh_token"]
    assert second["access_token"] == first["access_token"]
    assert second["refresh_token"] == first["refresh_token"]
    assert (second["expires_at"], second["expires_in"]) == (first["expires_at"], 3601)


async def test_a_refresh_with_an_hour_left_renews_and_invalidates_the_old_refresh_token(harness):
    first = await harness.tokens()
    harness.clock.advance(21600 - 3600)
    second = (await harness.refresh(first["refresh_token"])).json()
    dead = await harness.refresh(first["refresh_token"])

    assert second["access_token"] != first["access_token"]
    assert second["refresh_token"] != first["refresh_token"]
    assert second["expires_in"] == 21600
    assert error_of(dead) == (400, "Bad Request", "RefreshToken", "refresh_token", "invalid")
    assert (await harness.refresh(second["refresh_token"])).status_code == 200


async def test_old_and_new_access_tokens_both_work_until_each_expires(harness):
    first = await harness.tokens()
    harness.clock.advance(21600 - 60)
    second = (await harness.refresh(first["refresh_token"])).json()

    async def status(token):
        headers = {"Authorization": f"Bearer {token['access_token']}"}
        return (await harness.client.get("/api/v3/athlete", headers=headers)).status_code

    assert [await status(first), await status(second)] == [200, 200]
    harness.clock.advance(60)
    assert [await status(first), await status(second)] == [401, 200]


async def test_rotation_can_be_on_every_refresh_or_never(open_harness):
    async with open_harness(rotation="always") as harness:
        first = await harness.tokens()
        second = (await harness.refresh(first["refresh_token"])).json()
        assert second["access_token"] == first["access_token"]
        assert second["refresh_token"] != first["refresh_token"]
    async with open_harness(rotation="never") as harness:
        first = await harness.tokens()
        harness.clock.advance(21600)
        second = (await harness.refresh(first["refresh_token"])).json()
        assert second["access_token"] != first["access_token"]
        assert second["refresh_token"] == first["refresh_token"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"client_id": "9"}, (400, "Bad Request", "Application", "client_id", "invalid")),
        ({"client_secret": "guess"}, (401, "Authorization Error", "Application", "", "invalid")),
        ({}, (400, "Bad Request", "Application", "grant_type", "invalid")),
        (
            {"grant_type": "authorization_code"},
            (400, "Bad Request", "AuthorizationCode", "code", "invalid"),
        ),
        (
            {"grant_type": "refresh_token", "refresh_token": "0" * 40},
            (400, "Bad Request", "RefreshToken", "refresh_token", "invalid"),
        ),
    ],
)
async def test_token_errors_have_the_known_bodies(harness, fields, expected):
    assert error_of(await harness.token(**fields)) == expected


async def test_expired_tokens_are_purged_in_a_long_run(harness):
    refresh = (await harness.tokens())["refresh_token"]
    for _ in range(100):
        harness.clock.advance(21_600)
        await harness.submit()
        refresh = (await harness.refresh(refresh)).json()["refresh_token"]
    tokens = harness.app.state.simulator.tokens
    assert len(tokens._access) < 15
    assert len(tokens._codes) < 15
    assert len(tokens._current) == 1
