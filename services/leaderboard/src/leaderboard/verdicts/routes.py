"""Why activities count or do not, and choosing that."""

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Path, Query, Response
from fastapi.responses import StreamingResponse
from sqlalchemy import Row

from leaderboard.activities.rules import Activity
from leaderboard.audit.queries import add_audit_entry
from leaderboard.challenges.routes import get_shown
from leaderboard.dependencies import FOR_WEB, Actor, ApiContext, ContextDep, Scope, ViewerDep, require_scope
from leaderboard.downloads import open_pages, stream_csv, stream_json, to_download
from leaderboard.standings.rules.scoring import Counted, Judgement
from leaderboard.verdicts import queries, use_cases
from leaderboard.verdicts.queries import Place
from leaderboard.verdicts.rules import SENTENCES, explain_points
from leaderboard.verdicts.use_cases import Explained
from shared.contracts.leaderboard_api import (
    ActivitySearch,
    ActivityVerdicts,
    BoardVerdict,
    DayPoints,
    ExclusionReason,
    FoundActivities,
    FoundActivity,
    PrivateSum,
    VerdictPage,
    format_activity_place,
    parse_activity_place,
)
from shared.errors import NotFound
from shared.http.api import Transaction, documented_errors

MAX_ID = 2**63 - 1
EXPORT_PAGE = 1_000  # activities in memory together
_FACTS = (
    *("strava_id", "sport_type", "local_start", "moving_time_s", "elapsed_time_s", "trainer", "commute", "manual"),
    *("flagged", "private", "preferred", "excluded_by_participant", "excluded_by_organiser"),
)

StravaId = Annotated[int, Path(ge=1, le=MAX_ID)]
Organiser = Annotated[Actor, Depends(require_scope(Scope.PEOPLE))]

router = APIRouter(responses=documented_errors(404, 409))


@router.get("/challenges/{slug}/participants/{user_id}/verdicts")
async def list_verdicts(
    slug: str,
    user_id: UUID,
    session: Transaction,
    viewer: ViewerDep,
    until: Annotated[
        date | None, Query(description="the latest day of the page; next_until of the page before")
    ] = None,
) -> VerdictPage:
    """A participant's activities, the latest first, and for each board why it counts or does not.

    For the participant, and for organisers, who see of private activities only what they add up to.
    """
    if viewer.user_id != user_id and not viewer.is_organiser:
        raise NotFound("There is nobody here whose activities you may see.")
    shown = await get_shown(session, slug, viewer)
    days = (shown.row.first_day, shown.row.last_day)
    explained = await use_cases.explain(session, shown.versions, user_id, days, until)
    reasons = await queries.list_exclusion_reasons(session, user_id)
    return _to_page(explained, reasons, is_owner=viewer.user_id == user_id)


@router.put("/participants/{user_id}/activities/{strava_id}/exclusion", status_code=204, dependencies=[FOR_WEB])
async def exclude_own(user_id: UUID, strava_id: StravaId, session: Transaction) -> Response:
    """Let an activity of this participant count nowhere; it stays so when it changes on Strava."""
    await use_cases.exclude(session, strava_id, user_id, "participant")
    return Response(status_code=204)


@router.delete("/participants/{user_id}/activities/{strava_id}/exclusion", status_code=204, dependencies=[FOR_WEB])
async def include_own(user_id: UUID, strava_id: StravaId, session: Transaction) -> Response:
    """Let it count again, unless an organiser excluded it."""
    await use_cases.include(session, strava_id, user_id, "participant")
    return Response(status_code=204)


@router.put("/participants/{user_id}/activities/{strava_id}/preference", status_code=204, dependencies=[FOR_WEB])
async def prefer(user_id: UUID, strava_id: StravaId, session: Transaction) -> Response:
    """Let it count instead of those that took place at the same time, even if it is shorter."""
    await use_cases.prefer(session, strava_id, user_id)
    return Response(status_code=204)


@router.delete("/participants/{user_id}/activities/{strava_id}/preference", status_code=204, dependencies=[FOR_WEB])
async def prefer_no_more(user_id: UUID, strava_id: StravaId, session: Transaction) -> Response:
    """Leave to the rules which of those that took place at the same time counts."""
    await use_cases.prefer_no_more(session, strava_id, user_id)
    return Response(status_code=204)


@router.get("/admin/activities", dependencies=[Depends(require_scope(Scope.PEOPLE))])
async def search_activities(session: Transaction, search: Annotated[ActivitySearch, Query()]) -> FoundActivities:
    """Activities of everybody or of one participant, the one that started last first, without private ones.

    They are in the order of when they started where they took place, and of Strava ids.
    """
    rows = await queries.search_activities(session, search, _parse_place(search.after), search.limit)
    last = rows[-1] if len(rows) == search.limit else None
    return FoundActivities(
        activities=tuple(map(_to_found, rows)),
        next_after=format_activity_place(last.local_start, last.strava_id) if last else None,
    )


def _parse_place(after: str | None) -> Place | None:
    return None if after is None else Place(*parse_activity_place(after))


@router.get(
    "/admin/activities.csv",
    dependencies=[Depends(require_scope(Scope.PEOPLE))],
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
async def download_csv(context: ContextDep, search: Annotated[ActivitySearch, Query()]) -> StreamingResponse:
    """All that are found as CSV in that order, whatever `limit` says, without private ones."""
    pages = await _open_pages(context, search)
    return to_download(stream_csv(list(FoundActivity.model_fields), pages, _to_cells), "activities.csv")


@router.get(
    "/admin/activities.json",
    dependencies=[Depends(require_scope(Scope.PEOPLE))],
    response_class=StreamingResponse,
    responses={200: {"model": tuple[FoundActivity, ...], "description": "Every activity that is found."}},
)
async def download_json(context: ContextDep, search: Annotated[ActivitySearch, Query()]) -> StreamingResponse:
    """The same as one JSON array."""
    pages = await _open_pages(context, search)
    return to_download(stream_json(pages, lambda row: _to_found(row).model_dump_json()), "activities.json")


async def _open_pages(context: ApiContext, search: ActivitySearch) -> AsyncIterator[Sequence[Row[Any]]]:
    async def load(last: Row[Any] | None) -> Sequence[Row[Any]]:
        after = _parse_place(search.after) if last is None else Place(last.local_start, last.strava_id)
        async with context.database.transaction() as session:
            return await queries.search_activities(session, search, after, EXPORT_PAGE)

    return await open_pages(load, EXPORT_PAGE)


def _to_found(row: Row[Any]) -> FoundActivity:
    return FoundActivity.model_validate(dict(row._mapping))


def _to_cells(row: Row[Any]) -> list[object]:
    named = {**row._mapping, "suspicions": " ".join(row.suspicions)}
    return [named[name] for name in FoundActivity.model_fields]


@router.put("/admin/activities/{strava_id}/exclusion", status_code=204)
async def exclude_any(
    strava_id: StravaId,
    session: Transaction,
    actor: Organiser,
    body: Annotated[ExclusionReason, Body(examples=[{"reason": "This was a car ride."}])],
) -> Response:
    """Let an activity of anybody count nowhere, for a reason that its owner reads."""
    if user_id := await use_cases.exclude(session, strava_id, None, "organiser", body.reason):
        details = {"user_id": str(user_id), "reason": body.reason}
        await add_audit_entry(session, actor, "activity.excluded", str(strava_id), details)
    return Response(status_code=204)


@router.delete("/admin/activities/{strava_id}/exclusion", status_code=204)
async def include_any(strava_id: StravaId, session: Transaction, actor: Organiser) -> Response:
    """Let it count again, unless its owner excluded it."""
    if user_id := await use_cases.include(session, strava_id, None, "organiser"):
        await add_audit_entry(session, actor, "activity.included", str(strava_id), {"user_id": str(user_id)})
    return Response(status_code=204)


def _to_page(explained: Explained, exclusion_reasons: dict[int, str], *, is_owner: bool) -> VerdictPage:
    shown = [activity for activity in explained.activities if is_owner or not activity.private]
    return VerdictPage(
        activities=tuple(
            ActivityVerdicts(
                **{name: getattr(activity, name) for name in _FACTS},
                distance_m=float(activity.distance_m),
                elev_gain_m=float(activity.elev_gain_m),
                exclusion_reason=exclusion_reasons.get(activity.strava_id),
                overlaps_with=tuple(explained.overlaps[activity.strava_id]),
                boards=tuple(
                    _to_verdict(version.board.slug, judgements[activity.strava_id])
                    for version, judgements in explained.judgements
                ),
            )
            for activity in shown
        ),
        points=tuple(_explain_days(explained)),
        private=() if is_owner else tuple(_sum_private(explained)),
        next_until=explained.next_until,
    )


def _to_verdict(board: str, judgement: Judgement) -> BoardVerdict:
    if isinstance(judgement, Counted):
        return BoardVerdict(
            board=board,
            counts=True,
            value=float(judgement.value),
            units=_to_float(judgement.units),
            points_per_unit=_to_float(judgement.points_per_unit),
        )
    return BoardVerdict(
        board=board,
        counts=False,
        reason=judgement.reason.value,
        message=SENTENCES[judgement.reason],
        duplicate_of=judgement.duplicate_of,
    )


def _to_float(figure: Any) -> float | None:
    return None if figure is None else float(figure)


def _explain_days(explained: Explained) -> Iterable[DayPoints]:
    for version, judgements in explained.judgements:
        rule = version.board.points
        if rule is not None:
            for day in explain_points(rule, explained.activities, judgements):
                yield DayPoints(
                    board=version.board.slug,
                    day=day.day,
                    counted=float(day.counted),
                    daily_cap=_to_float(day.daily_cap),
                    bonus=float(day.bonus),
                    points=float(day.points),
                )


def _sum_private(explained: Explained) -> Iterable[PrivateSum]:
    private: list[Activity] = [activity for activity in explained.activities if activity.private]
    for version, judgements in explained.judgements:
        counted = [
            judgement.value
            for activity in private
            if isinstance(judgement := judgements[activity.strava_id], Counted)
        ]
        if counted:
            yield PrivateSum(board=version.board.slug, activities=len(counted), value=float(sum(counted)))
