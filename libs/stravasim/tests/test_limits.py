"""The rate limits: what is counted, when the windows turn, what the headers say."""

import pytest

from stravasim.limits import Limits, Usage, count_call, parse_limits

SMALL = Limits(overall_quarter=20, overall_day=50, read_quarter=2, read_day=5)


def usage_of(response):
    return response.headers["x-readratelimit-usage"]


async def test_headers_have_the_recorded_spelling_and_include_the_current_call(world):
    response = await (await world.reader()).get()

    recorded = dict(header for header in response.headers.raw if b"atelimit" in header[0].lower())
    assert recorded == {
        b"X-Ratelimit-Limit": b"200,2000",
        b"X-Ratelimit-Usage": b"1,1",
        b"X-Readratelimit-Limit": b"100,1000",
        b"X-Readratelimit-Usage": b"1,1",
    }


async def test_the_call_that_reaches_the_limit_is_answered_and_the_next_refused_but_counted(open_world):
    async with open_world(limits=SMALL) as world:
        reader = await world.reader()
        answers = [await reader.get() for _ in range(4)]

        assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
        assert [usage_of(answer) for answer in answers] == ["1,1", "2,2", "3,3", "4,4"]
        assert answers[2].json() == {
            "message": "Rate Limit Exceeded",
            "errors": [{"resource": "Application", "field": "rate limit", "code": "exceeded"}],
        }
        calls = (await world.client.get("/_sim/calls")).json()
        assert (calls["refused"], calls["quarter_hour"], calls["day"]) == (2, 4, 4)
        assert calls["paths"]["/api/v3/athlete/activities"] == 4


async def test_the_quarter_hour_turns_on_the_clock_and_the_day_at_midnight_utc(open_world):
    async with open_world(limits=SMALL) as world:
        world.clock.turn(14 * 60 + 59)
        reader = await world.reader()
        seen = [usage_of(await reader.get())]
        world.clock.turn(1)
        seen.append(usage_of(await reader.get()))
        world.clock.turn(12 * 3600 - 15 * 60 - 1)
        renewed = await world.reader()
        seen.append(usage_of(await renewed.get()))
        world.clock.turn(1)
        seen.append(usage_of(await renewed.get()))

        assert seen == ["1,1", "1,2", "1,3", "1,1"]


async def test_a_spent_day_refuses_in_a_fresh_quarter_hour(open_world):
    async with open_world(limits=SMALL) as world:
        reader = await world.reader()
        statuses = []
        for _ in range(3):
            statuses += [(await reader.get()).status_code for _ in range(2)]
            world.clock.turn(900)

        assert statuses == [200, 200, 200, 200, 200, 429]


async def test_refusals_for_other_reasons_are_counted_and_carry_the_headers(world):
    reader = await world.reader(granted="read")
    missing_scope = await reader.get()
    bad_query = await (await world.reader()).get(page="x")
    world.clock.turn(21600)
    expired = await reader.get()

    assert [usage_of(answer) for answer in (missing_scope, bad_query, expired)] == ["1,1", "2,2", "1,3"]
    assert expired.status_code == 401


async def test_a_call_with_an_unknown_token_belongs_to_no_application(world):
    response = await world.client.get("/athlete", headers={"Authorization": "Bearer x"})

    assert response.status_code == 401
    assert not [name for name in response.headers if "ratelimit" in name]
    assert (await world.client.get("/_sim/calls")).json()["day"] == 0


def test_the_overall_limit_has_its_own_name():
    usage, refused = count_call(Usage(), Limits(overall_quarter=0, overall_day=10, read_quarter=10, read_day=10), 0)

    assert usage.overall_quarter == 1
    assert refused is not None
    assert refused.field == "overall rate limit"


def test_limits_are_four_whole_numbers():
    assert parse_limits("1,2,3,4") == Limits(1, 2, 3, 4)
    for text in ("", "1,2,3", "1,2,3,4,5", "1,2,3,x", "1, 2,3,4", "-1,2,3,4"):
        with pytest.raises(ValueError, match="four whole numbers"):
            parse_limits(text)
