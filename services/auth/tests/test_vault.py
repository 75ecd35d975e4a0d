"""The vault as a whole: checking it, and encrypting it anew under another key while it is used."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
import uuid_utils.compat as uuid_utils
from auth_helpers import KEYRING, NEW_KEY, OLD_KEY, AuthUnderTest, Replica, make_context, start_replica

from auth.main import check_keys
from auth.tables import TokenRow, UserRow
from auth.token_encryption import Cell, Keyring, TokenPair, encrypt_pair
from auth.vault import queries
from shared.database.engine import Database
from testkit.databases import execute, fetch_rows
from testkit.waiting import wait_until

BOTH = Keyring.parse(f"k2:{NEW_KEY},k1:{OLD_KEY}")
ATHLETES = 10_000
TOKEN_REQUESTS = 400


async def fill(database: Database, athletes: int) -> list[UUID]:
    """So many athletes with living tokens under the old key."""
    now = datetime.now(UTC)
    users: list[UUID] = [uuid_utils.uuid7() for _ in range(athletes)]
    common = {"status": "authorized", "scopes": [], "is_admin": False, "consent_version": "1", "consented_at": now}
    dates = {"joined_at": now, "authorized_at": now}
    lives = {"expires_at": now + timedelta(hours=6), "refreshed_at": now, "grant_id": users[0]}
    async with database.transaction() as session:
        await session.run_sync(
            lambda sync: sync.bulk_insert_mappings(
                UserRow,
                [
                    {"id": user, "athlete_id": number, "display_name": "Ola", **common, **dates}
                    for number, user in enumerate(users, 1)
                ],
            )
        )
        await session.run_sync(
            lambda sync: sync.bulk_insert_mappings(
                TokenRow,
                [
                    {"user_id": user, **vars(encrypt_pair(KEYRING, "tokens", user, _pair(user))), **lives}
                    for user in users
                ],
            )
        )
    return users


def _pair(user: UUID) -> TokenPair:
    return TokenPair(f"access of {user}", f"refresh of {user}")


async def rotate_all(replica: Replica, limit: int = 200) -> list[dict[str, Any]]:
    """Every page of a rotation."""
    return await _pages(replica, "POST", "/vault/rotate", limit)


async def check_all(replica: Replica, limit: int = 200) -> list[dict[str, Any]]:
    return await _pages(replica, "GET", "/vault", limit)


async def _pages(replica: Replica, method: str, path: str, limit: int) -> list[dict[str, Any]]:
    pages: list[dict[str, Any]] = []
    after: dict[str, str] = {}
    while True:
        answer = await replica.operator.request(method, path, params={"limit": limit, **after})
        assert answer.status_code == 200, answer.text
        pages.append(answer.json())
        if answer.json()["next_after"] is None:
            return pages
        after = {"after": answer.json()["next_after"]}


async def test_ten_thousand_athletes_are_encrypted_anew_while_token_requests_go_on(service: AuthUnderTest) -> None:
    users = await fill(service.database, ATHLETES)
    context = make_context(service.database, service.strava_client, keyring=BOTH)
    async with start_replica(service.database, service.strava_client, context) as replica:
        rotation = asyncio.create_task(rotate_all(replica))
        asked = 0
        while not rotation.done() or asked < TOKEN_REQUESTS:
            user = users[asked * 7919 % len(users)]
            answer = await replica.token(str(user))
            assert (answer.status_code, answer.json()["access_token"]) == (200, f"access of {user}")
            asked += 1
        pages = await rotation
        assert sum(page["rotated"] for page in pages) == ATHLETES
        assert [page["unreadable"] for page in pages if page["unreadable"]] == []
        found = await check_all(replica, 500)
        assert sum(page["rows_by_key"].get("k2", 0) for page in found) == ATHLETES
        assert {key for page in found for key in page["rows_by_key"]} == {"k2"}
        assert sum(page["rotated"] for page in await rotate_all(replica, 500)) == 0, "nothing is left to do"
    only_new = make_context(service.database, service.strava_client, keyring=Keyring.parse(f"k2:{NEW_KEY}"))
    await check_keys(only_new)


async def test_a_rotation_goes_on_where_it_was_interrupted(service: AuthUnderTest) -> None:
    await fill(service.database, 30)
    context = make_context(service.database, service.strava_client, keyring=BOTH)
    async with start_replica(service.database, service.strava_client, context) as replica:
        assert (await replica.operator.post("/vault/rotate", params={"limit": 10})).json()["rotated"] == 10
        assert [page["rotated"] for page in await rotate_all(replica, 10)] == [0, 10, 10, 0]


async def test_a_refresh_under_way_is_not_lost_to_a_rotation(service: AuthUnderTest) -> None:
    user = await service.expired_user()
    context = make_context(service.database, service.strava_client, keyring=BOTH)
    async with start_replica(service.database, service.strava_client, context) as replica:
        service.transport.before[service.transport.calls + 1] = lambda: rotate_all(replica)
        answer = await replica.token(user)
        assert answer.status_code == 200
        row = await service.tokens_row()
        cell = Cell("tokens", UUID(user), "refresh")
        assert BOTH.decrypt(row.refresh_token, cell).encode() in service.transport.response_bodies[-1]
        assert BOTH.is_current(row.refresh_token)


async def test_a_refresh_that_ends_during_a_rotation_is_not_overwritten(
    service: AuthUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    user, lock = await service.expired_user(), queries.lock_rows
    context = make_context(service.database, service.strava_client, keyring=BOTH)
    asking: list[asyncio.Task[httpx.Response]] = []

    async with start_replica(service.database, service.strava_client, context) as replica:

        async def lock_and_refresh(*arguments: Any) -> Any:
            locked = await lock(*arguments)
            before = await service.tokens_row()
            asking.append(asyncio.create_task(replica.token(user)))

            async def saves_or_waits() -> bool:
                waiting = (
                    "select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like 'UPDATE tokens%'"
                )
                replaced = (await service.tokens_row()).grant_id != before.grant_id
                return replaced or bool(await fetch_rows(service.database, waiting))

            await wait_until(saves_or_waits, "the refresh waits or is saved")
            return locked

        monkeypatch.setattr(queries, "lock_rows", lock_and_refresh)
        await rotate_all(replica)
        assert (await asking[0]).status_code == 200
    cell = Cell("tokens", UUID(user), "refresh")
    refreshed = BOTH.decrypt((await service.tokens_row()).refresh_token, cell)
    assert refreshed.encode() in service.transport.response_bodies[-1]


async def test_permissions_that_are_still_to_be_revoked_are_encrypted_anew_as_well(service: AuthUnderTest) -> None:
    user = await service.signed_in()
    await service.web.delete(f"/users/{user}")
    context = make_context(service.database, service.strava_client, keyring=BOTH)
    async with start_replica(service.database, service.strava_client, context) as replica:
        assert [page["rotated"] for page in await rotate_all(replica)] == [1]
    [row] = await fetch_rows(service.database, "select * from revocations")
    assert BOTH.is_current(row.refresh_token)
    assert await service.replica.operator.get("/vault")


@pytest.mark.parametrize("path", ["/vault", "/vault/rotate"])
async def test_what_cannot_be_decrypted_is_named_by_row_and_stays_as_it_is(service: AuthUnderTest, path: str) -> None:
    users = await fill(service.database, 4)
    swapped = "update tokens as t set refresh_token = o.refresh_token from tokens as o"
    await execute(service.database, f"{swapped} where t.user_id = :a and o.user_id = :b", a=users[0], b=users[1])
    foreign = Keyring.parse(f"lost:{NEW_KEY}").encrypt("x", Cell("tokens", users[2], "access"))
    await execute(service.database, "update tokens set access_token = :it where user_id = :a", it=foreign, a=users[2])
    await execute(service.database, "update tokens set access_token = 'garbage' where user_id = :a", a=users[3])
    before = await fetch_rows(service.database, "select * from tokens order by user_id")
    context = make_context(service.database, service.strava_client, keyring=BOTH)
    async with start_replica(service.database, service.strava_client, context) as replica:
        method = "GET" if path == "/vault" else "POST"
        [page] = await _pages(replica, method, path, 200)
    found = {(one["row"], one["column"], one["key_id"]) for one in page["unreadable"]}
    assert found == {
        (str(users[0]), "refresh", "k1"),
        (str(users[2]), "access", "lost"),
        (str(users[3]), "access", ""),
    }
    after = await fetch_rows(service.database, "select * from tokens order by user_id")
    for index in (0, 2, 3):
        assert after[index] == before[index]
    assert "of " not in str(page)


async def refused_start(service: AuthUnderTest, capsys: pytest.CaptureFixture[str], keys: str) -> str:
    """What a process with that keyring says when it does not start."""
    context = make_context(service.database, service.strava_client, keyring=Keyring.parse(keys))
    with pytest.raises(SystemExit) as ended:
        await check_keys(context)
    assert ended.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


async def test_a_process_without_a_key_that_is_needed_does_not_start(
    service: AuthUnderTest, capsys: pytest.CaptureFixture[str]
) -> None:
    await check_keys(service.replica.context)
    await service.signed_in()
    told = await refused_start(service, capsys, f"k2:{NEW_KEY}")
    assert told == "cannot start: VAULT_KEYS lacks k1, under which tokens are encrypted"


async def test_a_process_with_another_key_of_the_same_id_does_not_start(
    service: AuthUnderTest, capsys: pytest.CaptureFixture[str]
) -> None:
    await check_keys(service.replica.context)
    told = await refused_start(service, capsys, f"k1:{NEW_KEY}")
    assert told == "cannot start: VAULT_KEYS has another key as k1 than the one under which tokens are encrypted"


async def test_a_key_that_is_not_used_any_more_may_go_and_its_id_come_back(service: AuthUnderTest) -> None:
    for keys in (f"k1:{OLD_KEY}", f"k2:{NEW_KEY}", f"k1:{NEW_KEY}"):
        await check_keys(make_context(service.database, service.strava_client, keyring=Keyring.parse(keys)))


async def test_an_altered_row_does_not_keep_a_process_from_starting(service: AuthUnderTest) -> None:
    await check_keys(service.replica.context)
    await service.signed_in()
    await execute(service.database, "update tokens set access_token = replace(access_token, 'v1.k1.', 'v1.k0.')")
    await check_keys(service.replica.context)


async def test_an_empty_vault_has_an_empty_page(service: AuthUnderTest) -> None:
    page = (await service.operator.get("/vault")).json()
    assert page == {"rows": 0, "rows_by_key": {}, "rotated": 0, "unreadable": [], "next_after": None}


@pytest.mark.parametrize("params", [{"limit": 0}, {"limit": 501}, {"after": "x"}])
async def test_an_odd_page_is_refused(service: AuthUnderTest, params: dict[str, Any]) -> None:
    assert (await service.operator.get("/vault", params=params)).status_code == 422
