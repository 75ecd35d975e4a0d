"""Admins, named by configuration or by command."""

import pytest
from auth_helpers import ATHLETE, AuthUnderTest, make_context, start_replica

from auth.admins.use_cases import apply_configuration


async def test_admins_are_listed_whether_they_have_joined_or_not(service: AuthUnderTest) -> None:
    user = await service.signed_in()
    assert (await service.operator.put("/admins/99")).json()["source"] == "command"
    listed = (await service.operator.get("/admins")).json()["admins"]
    assert [(one["athlete_id"], one["source"], one["user_id"]) for one in listed] == [
        (ATHLETE, "configuration", user),
        (99, "command", None),
    ]


async def test_who_is_made_an_admin_by_command_is_one_at_once_and_at_every_sign_in(service: AuthUnderTest) -> None:
    user = await service.signed_in(athlete=8)
    for _ in range(2):
        assert (await service.operator.put("/admins/8")).json()["user_id"] == user
    assert [event["is_admin"] for event in await service.events("user.admin_changed")] == [True]
    assert (await service.sign_in(athlete=8)).json()["is_admin"]


async def test_who_is_removed_is_an_admin_no_more(service: AuthUnderTest) -> None:
    user = await service.signed_in(athlete=8)
    await service.operator.put("/admins/8")
    assert (await service.operator.delete("/admins/8")).status_code == 204
    assert [event["is_admin"] for event in await service.events("user.admin_changed")] == [True, False]
    assert not (await service.web.get(f"/users/{user}")).json()["is_admin"]
    assert (await service.operator.delete("/admins/8")).status_code == 404


async def test_who_is_named_by_configuration_cannot_be_removed_by_command(service: AuthUnderTest) -> None:
    refused = await service.operator.delete(f"/admins/{ATHLETE}")
    assert refused.status_code == 409
    assert "ADMIN_ATHLETE_IDS" in refused.json()["message"]
    assert (await service.operator.put(f"/admins/{ATHLETE}")).json()["source"] == "configuration"


async def test_who_was_made_an_admin_before_joining_joins_as_one(service: AuthUnderTest) -> None:
    await service.operator.put("/admins/8")
    assert (await service.sign_in(athlete=8)).json()["is_admin"]


async def test_a_changed_configuration_is_told_at_the_next_start(service: AuthUnderTest) -> None:
    admin, other = await service.signed_in(), await service.signed_in(athlete=8)
    context = make_context(service.database, service.strava_client, admins=frozenset({8}))
    async with start_replica(service.database, service.strava_client, context):
        for _ in range(2):
            await apply_configuration(context)
    told = {event["user_id"]: event["is_admin"] for event in await service.events("user.admin_changed")}
    assert told == {admin: False, other: True}
    assert len(await service.events("user.admin_changed")) == 2


@pytest.mark.parametrize("athlete", ["0", "-1", str(2**63), "Anna", "7.5"])
async def test_what_is_no_athlete_id_is_refused(service: AuthUnderTest, athlete: str) -> None:
    assert (await service.operator.put(f"/admins/{athlete}")).status_code == 422
