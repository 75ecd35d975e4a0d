"""The rate limits: counting, windows, response headers."""

import pytest

from stravasim.strava.rate_limits import Limits, Usage, count_request, parse_limits

SMALL = Limits(overall_quarter=20, overall_day=50, read_quarter=2, read_day=5)


def usage_of(response):
    return response.headers["x-readratelimit-usage"]


async def test_headers_have_the_recorded_spelling_and_include_the_current_call(harness):
    response = await (await harness.reader()).get()

    recorded = dict(header for header in response.headers.raw if b"atelimit" in header[0].lower())
    assert recorded == {
        b"X-Ratelimit-Limit": b"200,2000",
        b"X-Ratelimit-Usage": b"1,1",
        b"X-Readratelimit-Limit": b"100,1000",
        b"X-Readratelimit-Usage": b"1,1",
    }


async def test_the_call_that_reaches_the_limit_is_answered_and_the_next_refused_but_counted(open_harness):
    async with open_harness(limits=SMALL) as harness:
        reader = await harness.reader()
        answers = [await reader.get() for _ in range(4)]

        assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
        assert [usage_of(answer) for answer in answers] == ["1,1", "2,2", "3,3", "4,4"]
        assert answers[2].json() == {
            "message": "Rate Limit Exceeded",
            "errors": [{"resource": "Application", "field": "rate limit", "code": "exceeded"}],
        }
        calls = (await harness.client.get("/_sim/requests/counts")).json()
        assert (calls["rate_limited"], calls["read_quarter"], calls["read_day"]) == (2, 4, 4)
        assert calls["paths"]["/api/v3/athlete/activities"] == 4


async def test_the_quarter_hour_follows_the_clock_and_the_day_ends_at_midnight_utc(open_harness):
    async with open_harness(limits=SMALL) as harness:
        harness.clock.advance(14 * 60 + 59)
        reader = await harness.reader()
        seen = [usage_of(await reader.get())]
        harness.clock.advance(1)
        seen.append(usage_of(await reader.get()))
        harness.clock.advance(12 * 3600 - 15 * 60 - 1)
        renewed = await harness.reader()
        seen.append(usage_of(await renewed.get()))
        harness.clock.advance(1)
        seen.append(usage_of(await renewed.get()))

        assert seen == ["1,1", "1,2", "1,3", "1,1"]


async def test_an_exhausted_day_refuses_in_a_new_quarter_hour(open_harness):
    async with open_harness(limits=SMALL) as harness:
        reader = await harness.reader()
        statuses = []
        for _ in range(3):
            statuses += [(await reader.get()).status_code for _ in range(2)]
            harness.clock.advance(900)

        assert statuses == [200, 200, 200, 200, 200, 429]


async def test_refusals_for_other_reasons_are_counted_and_carry_the_headers(harness):
    reader = await harness.reader(granted="read")
    missing_scope = await reader.get()
    bad_query = await (await harness.reader()).get(page="x")
    harness.clock.advance(21600)
    expired = await reader.get()

    assert [usage_of(answer) for answer in (missing_scope, bad_query, expired)] == ["1,1", "2,2", "1,3"]
    assert expired.status_code == 401


async def test_a_call_with_an_unknown_token_belongs_to_no_application(harness):
    response = await harness.client.get("/athlete", headers={"Authorization": "Bearer x"})

    assert response.status_code == 401
    assert not [name for name in response.headers if "ratelimit" in name]
    assert (await harness.client.get("/_sim/requests/counts")).json()["read_day"] == 0


def test_the_overall_limit_has_its_own_name():
    limits = Limits(overall_quarter=0, overall_day=10, read_quarter=10, read_day=10)
    usage, error = count_request(Usage(), limits, 0)

    assert usage.overall_quarter == 1
    assert error is not None
    assert error.field == "overall rate limit"


def test_limits_are_four_whole_numbers():
    assert parse_limits("1,2,3,4") == Limits(1, 2, 3, 4)
    for text in ("", "1,2,3", "1,2,3,4,5", "1,2,3,x", "1, 2,3,4", "-1,2,3,4"):
        with pytest.raises(ValueError, match="four whole numbers"):
            parse_limits(text)
