"""What Strava answers, row by row, with the simulator as Strava."""

from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from auth_helpers import ALL, ATHLETE, SECRET, AuthUnderTest

from auth.strava import AuthorizationRevoked, Grant, Misconfigured, SignInExpired, StravaOAuth
from stravasim.strava.oauth import Rotation
from testkit.databases import execute

OAUTH = "http://strava.test/oauth"


@pytest.fixture
def strava(service: AuthUnderTest) -> StravaOAuth:
    return StravaOAuth(service.strava_client, OAUTH, 12345, SECRET)


def set_rotation(service: AuthUnderTest, rotation: Rotation) -> None:
    service.strava.settings = replace(service.strava.settings, rotation=rotation)


async def exchanged(service: AuthUnderTest, strava: StravaOAuth) -> Grant:
    return await strava.exchange(service.code())


@pytest.mark.parametrize(("client_id", "secret"), [(999, SECRET), (12345, "wrong")])
async def test_credentials_that_strava_does_not_know_are_the_operators_affair(
    service: AuthUnderTest, client_id: int, secret: str
) -> None:
    strava = StravaOAuth(service.strava_client, OAUTH, client_id, secret)
    for call in (strava.exchange(service.code()), strava.refresh("any"), strava.revoke("any")):
        with pytest.raises(Misconfigured):
            await call


async def test_a_code_is_good_once_and_for_a_while(service: AuthUnderTest, strava: StravaOAuth) -> None:
    code, late = service.code(), service.code()
    assert (await strava.exchange(code)).athlete
    with pytest.raises(SignInExpired):
        await strava.exchange(code)
    service.clock.moment += timedelta(hours=1)
    with pytest.raises(SignInExpired):
        await strava.exchange(late)


async def test_only_the_answer_to_a_code_names_the_athlete(service: AuthUnderTest, strava: StravaOAuth) -> None:
    first = await exchanged(service, strava)
    assert first.athlete
    assert first.athlete.id == ATHLETE
    assert (await strava.refresh(first.tokens.refresh)).athlete is None


@pytest.mark.parametrize("rotation", list(Rotation))
async def test_a_refresh_with_more_than_an_hour_left_gives_the_same_access_token(
    service: AuthUnderTest, strava: StravaOAuth, rotation: Rotation
) -> None:
    set_rotation(service, rotation)
    first = await exchanged(service, strava)
    again = await strava.refresh(first.tokens.refresh)
    assert again.tokens.access == first.tokens.access
    assert again.expires_at == first.expires_at
    assert (again.tokens.refresh != first.tokens.refresh) is (rotation is Rotation.ALWAYS)


@pytest.mark.parametrize("rotation", list(Rotation))
async def test_a_refresh_in_the_last_hour_gives_another_and_may_kill_the_refresh_token(
    service: AuthUnderTest, strava: StravaOAuth, rotation: Rotation
) -> None:
    set_rotation(service, rotation)
    first = await exchanged(service, strava)
    service.clock.moment += timedelta(hours=5)
    again = await strava.refresh(first.tokens.refresh)
    assert again.tokens.access != first.tokens.access
    if rotation is Rotation.NEVER:
        assert (await strava.refresh(first.tokens.refresh)).tokens.access == again.tokens.access
    else:
        with pytest.raises(AuthorizationRevoked):
            await strava.refresh(first.tokens.refresh)


@pytest.mark.parametrize("rotation", list(Rotation))
async def test_an_athlete_is_served_for_days_however_strava_rotates(
    service: AuthUnderTest, rotation: Rotation
) -> None:
    set_rotation(service, rotation)
    service.set_token_lifetime(minutes=-1)
    user = await service.signed_in()
    service.reset_clock()
    for _ in range(3):
        assert (await service.token(user)).status_code == 200
        await execute(service.database, "update tokens set expires_at = now()")
    assert not await service.events("user.reauthorization_needed")


async def test_revoking_ends_both_tokens_and_is_no_error_twice(service: AuthUnderTest, strava: StravaOAuth) -> None:
    grant = await exchanged(service, strava)
    for token in (grant.tokens.refresh, grant.tokens.refresh, grant.tokens.access, "never issued"):
        await strava.revoke(token)
    assert not service.is_connected()
    with pytest.raises(AuthorizationRevoked):
        await strava.refresh(grant.tokens.refresh)


async def test_the_older_way_needs_a_living_access_token(service: AuthUnderTest, strava: StravaOAuth) -> None:
    grant = await exchanged(service, strava)
    await strava.deauthorize(grant.tokens.access)
    assert not service.is_connected()
    with pytest.raises(AuthorizationRevoked):
        await strava.deauthorize(grant.tokens.access)


async def test_an_inactive_application_still_gets_tokens(service: AuthUnderTest) -> None:
    service.strava.settings = replace(service.strava.settings, inactive=True)
    assert (await service.sign_in()).status_code == 200


async def test_what_the_consent_page_sends_back_signs_in_or_says_why_not(service: AuthUnderTest) -> None:
    async def consent(**form: object) -> httpx.Response:
        browser_state = await service.begin()
        url = httpx.URL(browser_state.json()["url"])
        sent = await service.strava_client.post(
            url.copy_with(query=None), data={**url.params, "athlete_id": str(ATHLETE), **form}
        )
        back = httpx.URL(sent.headers["location"]).params
        return await service.complete(
            **{name: back[name] for name in back if name in ("state", "code", "scope", "error")}
        )

    scopes = ALL.split(",")
    denied = await consent(decision="deny")
    partly = await consent(decision="authorize", granted=["read"])
    private = await consent(decision="authorize", granted=["read", "activity:read"])
    everything = await consent(decision="authorize", granted=scopes)
    assert [answer.status_code for answer in (denied, partly, private, everything)] == [403, 403, 200, 200]
    assert denied.json()["code"] == "access_denied"
    assert partly.json()["code"] == "scope_missing"
    assert private.json()["missing_scopes"] == ["activity:read_all"]
    assert everything.json()["missing_scopes"] == []
