"""The read API of standings."""

from datetime import UTC, date, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response

from leaderboard.challenges.routes import get_shown, to_board_info, to_challenge_info
from leaderboard.challenges.rules import Metric, local_day
from leaderboard.dependencies import ReadTransaction, ViewerDep
from leaderboard.entity_tags import NOT_MODIFIED, Tags, caching, is_current, not_modified
from leaderboard.standings.reading import ShownBoard, make_etag, read_window
from leaderboard.standings.rules.ranking import Placed
from leaderboard.standings.rules.spreadsheets import to_csv
from leaderboard.standings.rules.windows import MAX_ROWS, Wanted, find_fault
from shared.contracts.leaderboard_api import BoardStandings, StandingEntry
from shared.errors import NotFound
from shared.http.api import documented_errors

router = APIRouter(responses=documented_errors(404))

_CSV: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {}}, "description": "Every row."}}


async def _get_wanted(  # noqa: PLR0917 - each is a query parameter
    limit: Annotated[int | None, Query(ge=1, le=MAX_ROWS)] = None,
    offset: Annotated[int | None, Query(ge=0, le=100_000)] = None,
    around: UUID | None = None,
    search: Annotated[str | None, Query(min_length=1, max_length=80)] = None,
    first_day: date | None = None,
    last_day: date | None = None,
) -> Wanted:
    return Wanted(limit, offset, around, search, first_day, last_day)


async def _get_wanted_days(first_day: date | None = None, last_day: date | None = None) -> Wanted:
    return Wanted(first_day=first_day, last_day=last_day)


async def _get_shown(slug: str, board_slug: str, session: ReadTransaction, viewer: ViewerDep) -> ShownBoard:
    """The board that the address names. Raises NotFound."""
    found = await get_shown(session, slug, viewer)
    version = next((one for one in found.versions if one.board.slug == board_slug), None)
    if version is None:
        raise NotFound("There is no such board.")
    return ShownBoard(
        version=version,
        challenge=to_challenge_info(found),
        board=to_board_info(version),
        revision=found.row.revision,
        as_of=found.row.changed_at.astimezone(UTC),
        today=local_day(found.row, datetime.now(UTC)),
    )


ShownDep = Annotated[ShownBoard, Depends(_get_shown)]
WantedDep = Annotated[Wanted, Depends(_get_wanted)]
WantedDaysDep = Annotated[Wanted, Depends(_get_wanted_days)]


# Before the board itself, whose pattern it has, too.
@router.get("/challenges/{slug}/boards/{board_slug}.csv", response_class=Response, responses=_CSV | NOT_MODIFIED)
async def board_file(
    session: ReadTransaction, shown: ShownDep, wanted: WantedDaysDep, if_none_match: Tags = ""
) -> Response:
    """A board as CSV, whole or for a range of days."""
    _refuse_faults(wanted, shown)
    etag = make_etag(shown, wanted, "csv")
    if is_current(etag, if_none_match):
        return not_modified(etag)
    window = await read_window(session, shown, wanted)
    content = to_csv(window.rows, with_points=shown.version.board.metric is Metric.POINTS)
    name = f"{shown.challenge.slug}-{shown.board.slug}.csv"  # slugs need no quoting
    headers = {**caching(etag), "Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type="text/csv", headers=headers)


@router.get("/challenges/{slug}/boards/{board_slug}", response_model=BoardStandings, responses=NOT_MODIFIED)
async def board_standings(
    session: ReadTransaction, shown: ShownDep, wanted: WantedDep, if_none_match: Tags = ""
) -> Response:
    """A board as it is now: all of it, a page, the rows around somebody, or those whose name contains a text.

    For a range of days the figures and places are those of these days.
    """
    _refuse_faults(wanted, shown)
    etag = make_etag(shown, wanted, "json")
    if is_current(etag, if_none_match):
        return not_modified(etag)
    window = await read_window(session, shown, wanted)
    days = wanted.find_range(shown.days)
    answer = BoardStandings(
        challenge=shown.challenge,
        board=shown.board,
        revision=shown.revision,
        as_of=shown.as_of,
        participants=window.participants,
        first_day=days and days.first_day,
        last_day=days and days.last_day,
        offset=window.offset,
        rows=tuple(map(to_entry, window.rows)),
    )
    # As it is, because the framework would validate each row once more.
    return Response(answer.model_dump_json(), media_type="application/json", headers=caching(etag))


def _refuse_faults(wanted: Wanted, shown: ShownBoard) -> None:
    fault = find_fault(wanted, shown.days)
    if fault:
        raise RequestValidationError([{"loc": ("query", fault.field), "msg": fault.sentence}])


def to_entry(row: Placed) -> StandingEntry:
    """A row as the API has it."""
    return StandingEntry(
        place=row.place,
        user_id=row.user_id,
        display_name=row.display_name,
        movement=row.movement,
        team_id=row.team_id,
        team_name=row.team_name,
        **vars(row.totals),
    )
