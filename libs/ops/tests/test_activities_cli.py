"""`gruppetto activities`, as its user runs it."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from operator_api_fakes import FakeIngest, gruppetto, json_of, refusal

from shared.contracts.ingest_api import (
    ActivityHistory,
    ActivityVersion,
    PurgeReport,
    RecordCounts,
    RejectedActivity,
    RejectedPage,
    ReplayedRejections,
)

NOW = datetime(2026, 11, 20, 18, 0, 5, tzinfo=UTC)
USER, MESSAGE = UUID(int=7), UUID(int=99)
COUNTS = RecordCounts(
    people=2,
    recorded=40,
    rejected=3,
    private=4,
    removed=1,
    flagged=1,
    suspicious=2,
    overlapping=6,
    rejections={"distance is out of range": 2, "start_date is not a time": 1},
    kept_from=NOW,
    purged_before=None,
)
HISTORY = ActivityHistory(
    strava_id=9_000_000_001,
    user_id=USER,
    state="recorded",
    fetch_seq=12,
    rejection=None,
    facts={"sport_type": "Run", "overlaps_with": [5]},
    versions=(
        ActivityVersion(
            version=2,
            event="revised",
            reason="fetched",
            changed=("distance_m", "suspicions"),
            changed_at=NOW,
            message_id=MESSAGE,
        ),
        ActivityVersion(version=1, event="recorded", reason="fetched", changed=(), changed_at=NOW, message_id=None),
    ),
)


def test_counts_say_what_is_on_record_and_why_the_rest_is_not() -> None:
    done = gruppetto(FakeIngest(answers={"/counts": COUNTS}), "activities", "counts")
    assert done.exit_code == 0
    first, second, third, *table = done.stdout.splitlines()
    assert first == ("40 activities of 2 people, of which 1 flagged by Strava, 2 suspicious, 6 overlapping")
    assert second == "not on record: 3 rejected, 4 private, 1 removed"
    assert third == "kept from 2026-11-20 18:00:05 UTC on; older ones are being deleted"
    assert [line.split(maxsplit=1) for line in table[2:]] == [
        ["2", "distance is out of range"],
        ["1", "start_date is not a time"],
    ]


def test_of_an_empty_record_there_is_little_to_say() -> None:
    nothing = COUNTS.model_copy(update={"recorded": 0, "people": 0, "rejections": {}, "kept_from": None})
    done = gruppetto(FakeIngest(answers={"/counts": nothing}), "activities", "counts")
    assert done.stdout.startswith("0 activities of 0 people")
    assert len(done.stdout.splitlines()) == 2


def test_a_history_names_the_message_of_each_version() -> None:
    done = gruppetto(FakeIngest(answers={"/activities/9000000001": HISTORY}), "activities", "show", "9000000001")
    assert done.exit_code == 0
    assert done.stdout.startswith(f"activity 9000000001 of user {USER}: recorded, last said in fetch 12\n")
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert f"2 revised fetched distance_m, suspicions 2026-11-20 18:00:05 UTC {MESSAGE}" in lines
    assert "1 recorded fetched 2026-11-20 18:00:05 UTC" in lines


def test_a_rejected_activity_says_why() -> None:
    rejected = HISTORY.model_copy(
        update={"state": "rejected", "rejection": "distance is out of range", "facts": None, "versions": ()}
    )
    done = gruppetto(FakeIngest(answers={"/activities/1": rejected}), "activities", "show", "1")
    assert "rejected because: distance is out of range" in done.stdout


def test_an_unknown_activity_is_one_line() -> None:
    server = FakeIngest(script=[refusal(404, "not_found", "No activity of that id was ever fetched.")])
    done = gruppetto(server, "activities", "show", "77")
    assert (done.exit_code, done.stderr) == (1, "gruppetto: No activity of that id was ever fetched.\n")


@pytest.mark.parametrize("strava_id", ["0", "-1", "run", str(2**63)])
def test_an_impossible_id_is_not_asked_for(strava_id: str) -> None:
    server = FakeIngest()
    assert gruppetto(server, "activities", "show", "--", strava_id).exit_code == 2
    assert server.calls == []


def page(*strava_ids: int, next_after: int | None) -> RejectedPage:
    rejected = tuple(
        RejectedActivity(
            strava_id=strava_id,
            user_id=USER,
            fetch_seq=1,
            reason="the end is beyond the calendar",
            rejected_at=NOW,
            fields={"sport_type": "Run"},
        )
        for strava_id in strava_ids
    )
    return RejectedPage(rejected=rejected, next_after=next_after)


def test_all_rejected_ones_are_listed() -> None:
    answers = {"/rejected0": page(1, 2, next_after=2), "/rejected2": page(3, next_after=None)}
    done = gruppetto(FakeIngest(answers=dict(answers)), "activities", "rejected")
    assert done.stdout.startswith("3 activities rejected\n")
    assert done.stdout.count("the end is beyond the calendar") == 3
    listed = json_of(gruppetto(FakeIngest(answers=dict(answers)), "activities", "rejected", "--json"))
    assert isinstance(listed, list)
    assert [one["strava_id"] for one in listed] == [1, 2, 3]
    assert listed[0]["fields"] == {"sport_type": "Run"}


def test_a_replay_says_what_it_came_to() -> None:
    server = FakeIngest(answers={"/rejected/replay": ReplayedRejections(tried=1, accepted=1)})
    done = gruppetto(server, "activities", "replay")
    assert done.stdout == "1 activity tried again, 1 not rejected any more\n"
    assert server.calls == ["POST /rejected/replay"]


@pytest.mark.parametrize(
    ("words", "call", "verb"),
    [((), "POST /purge", "deleted"), (("--dry-run",), "GET /purge", "would be deleted")],
)
def test_a_purge_and_its_dry_run_report_alike(words: tuple[str, ...], call: str, verb: str) -> None:
    report = PurgeReport(before=NOW, recorded=1_234, rejected=1, private=2, removed=3)
    server = FakeIngest(answers={"/purge": report})
    done = gruppetto(server, "activities", "purge", *words)
    assert done.stdout == (
        f"{verb}, because they started before 2026-11-20 18:00:05 UTC: 1234 activities, "
        "and what is known of 1 rejected, 2 private and 3 removed ones\n"
    )
    assert server.calls == [call]


def test_without_a_date_nothing_is_purged() -> None:
    report = PurgeReport(before=None, recorded=0, rejected=0, private=0, removed=0)
    done = gruppetto(FakeIngest(answers={"/purge": report}), "activities", "purge")
    assert done.stdout == "nothing: leaderboard has not said yet from when on activities are kept\n"


@pytest.mark.parametrize(
    ("words", "path", "answer"),
    [
        (("counts",), "/counts", COUNTS),
        (("show", "9000000001"), "/activities/9000000001", HISTORY),
        (("purge", "--dry-run"), "/purge", PurgeReport(before=NOW, recorded=1, rejected=1, private=2, removed=3)),
    ],
)
def test_json_is_what_ingest_says(words: tuple[str, ...], path: str, answer: RecordCounts) -> None:
    done = gruppetto(FakeIngest(answers={path: answer}), "activities", *words, "--json")
    assert json_of(done) == answer.model_dump(mode="json")


@pytest.mark.parametrize("missing", ["INGEST_INTERNAL_URL", "INGEST_OPERATOR_KEY"])
def test_a_missing_setting_is_one_line(missing: str) -> None:
    done = gruppetto(FakeIngest(), "activities", "counts", **{missing: None})
    assert (done.exit_code, done.stderr) == (2, f"cannot start: {missing} is not set\n")
