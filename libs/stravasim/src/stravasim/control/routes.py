"""The control API under `/_sim`, for tests and demos: not authenticated, never counted against the rate limits."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from fastapi import APIRouter, Request, Response

from stravasim.control.models import (
    AthleteSummary,
    ClockUpdate,
    FaultRuleCreate,
    NetworkConditionsUpdate,
    RequestCounts,
    SettingsUpdate,
    athlete_summaries,
    request_counts,
)
from stravasim.dataset.activity_factory import build_activity
from stravasim.dataset.dataset import Dataset
from stravasim.dependencies import SimulatorDep
from stravasim.fault_injection import FaultRule
from stravasim.responses import dump_json, error_response, json_response
from stravasim.simulator import RequestRecord, Simulator
from stravasim.strava.errors import ACTIVITY_NOT_FOUND, ApiError, bad_request, not_found
from stravasim.strava.listing import ListQuery, build_entry, render_page
from stravasim.webhook_dispatcher import NetworkConditions

_REFUSED: dict[str, Any] = {"description": "Refused, with a reason"}


router = APIRouter(prefix="/_sim", responses={400: _REFUSED, 404: _REFUSED})


@router.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


@router.get("/athletes")
async def list_athletes(simulator: SimulatorDep) -> list[AthleteSummary]:
    return athlete_summaries(simulator)


@router.get("/athletes/{athlete_id}/activities")
async def list_activities(simulator: SimulatorDep, athlete_id: int) -> Response:
    if athlete_id not in simulator.dataset.athletes:
        return error_response(not_found("Athlete"))
    index = simulator.dataset.get_index(athlete_id)
    return json_response(200, render_page(index, ListQuery(per_page=max(1, len(index)))))


@router.post("/athletes/{athlete_id}/activities")
async def add_activity(simulator: SimulatorDep, athlete_id: int, request: Request) -> Response:
    if athlete_id not in simulator.dataset.athletes:
        return error_response(not_found("Athlete"))
    fields = await _read_object(request)
    if fields is None:
        return error_response(bad_request("Activity", ""))
    error = _check_id(fields, simulator.dataset)
    return _add_activity(simulator, athlete_id, fields) if error is None else error_response(error)


@router.patch("/athletes/{athlete_id}/activities/{activity_id}")
async def update_activity(simulator: SimulatorDep, athlete_id: int, activity_id: int, request: Request) -> Response:
    changes = await _read_object(request)
    if changes is None:
        return error_response(bad_request("Activity", ""))
    is_known = athlete_id in simulator.dataset.athletes
    try:
        after = simulator.update_activity(athlete_id, activity_id, changes) if is_known else None
    except ValueError:
        return error_response(bad_request("Activity", ""))
    return error_response(ACTIVITY_NOT_FOUND) if after is None else json_response(200, dump_json(after))


@router.delete("/athletes/{athlete_id}/activities/{activity_id}")
async def delete_activity(simulator: SimulatorDep, athlete_id: int, activity_id: int) -> Response:
    is_known = athlete_id in simulator.dataset.athletes
    if not is_known or not simulator.delete_activity(athlete_id, activity_id):
        return error_response(ACTIVITY_NOT_FOUND)
    return Response(status_code=204)


@router.delete("/athletes/{athlete_id}/authorization")
async def revoke(simulator: SimulatorDep, athlete_id: int) -> dict[str, bool]:
    return {"was_connected": simulator.revoke(athlete_id)}


@router.get("/requests")
async def list_requests(simulator: SimulatorDep, athlete_id: int | None = None) -> list[RequestRecord]:
    return [record for record in simulator.request_log if athlete_id is None or record.athlete_id == athlete_id]


@router.get("/requests/counts")
async def get_request_counts(simulator: SimulatorDep) -> RequestCounts:
    return request_counts(simulator)


@router.delete("/requests", status_code=204)
async def clear_requests(simulator: SimulatorDep) -> None:
    simulator.path_counts.clear()
    simulator.athlete_counts.clear()
    simulator.request_log.clear()
    simulator.rate_limited = 0


@router.get("/clock")
async def get_clock(simulator: SimulatorDep) -> dict[str, Any]:
    return {"now": simulator.clock.now().isoformat(), "frozen": simulator.clock.frozen}


@router.post("/clock")
async def set_clock(simulator: SimulatorDep, update: ClockUpdate) -> Response:
    try:
        simulator.clock.set(to=update.now, advance_s=update.advance_s, frozen=update.frozen)
    except OverflowError:
        return error_response(bad_request("Clock", "now"))
    return json_response(200, dump_json(await get_clock(simulator)))


@router.get("/settings")
async def get_settings(simulator: SimulatorDep) -> dict[str, Any]:
    settings = asdict(simulator.settings)
    return {name: settings[name] for name in SettingsUpdate.model_fields}


@router.patch("/settings")
async def update_settings(simulator: SimulatorDep, update: SettingsUpdate) -> dict[str, Any]:
    given = update.model_dump(exclude_unset=True)
    new_limits = {name: value for name, value in (given.pop("limits", None) or {}).items() if value is not None}
    limits = replace(simulator.settings.limits, **new_limits)
    changes = {name: value for name, value in given.items() if value is not None or name == "capacity"}
    simulator.settings = replace(simulator.settings, limits=limits, **changes)
    return await get_settings(simulator)


@router.get("/faults")
async def list_faults(simulator: SimulatorDep) -> list[dict[str, Any]]:
    return [{"id": rule_id, **asdict(rule)} for rule_id, rule in simulator.faults.items()]


@router.post("/faults", status_code=201)
async def add_fault(simulator: SimulatorDep, rule: FaultRuleCreate) -> dict[str, int]:
    return {"id": simulator.faults.add(FaultRule(**rule.model_dump()))}


@router.delete("/faults", status_code=204)
async def clear_faults(simulator: SimulatorDep) -> None:
    simulator.faults.clear()


@router.delete("/faults/{fault_id}", status_code=204)
async def delete_fault(simulator: SimulatorDep, fault_id: int) -> None:
    simulator.faults.remove(fault_id)


@router.get("/webhooks")
async def get_webhooks(simulator: SimulatorDep) -> dict[str, Any]:
    deliveries = [
        {"event": json.loads(one.body), "outcome": one.outcome, "attempts": one.attempts}
        for one in simulator.webhooks.deliveries
    ]
    subscription = simulator.subscription
    return {"subscription": subscription and dict(subscription.to_dict()), "deliveries": deliveries}


@router.put("/webhooks/network", status_code=204)
async def set_network_conditions(simulator: SimulatorDep, conditions: NetworkConditionsUpdate) -> None:
    simulator.webhooks.network = NetworkConditions(**conditions.model_dump())


async def _read_object(request: Request) -> dict[str, object] | None:
    try:
        body: object = await request.json()
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def _check_id(fields: Mapping[str, object], dataset: Dataset) -> ApiError | None:
    activity_id = fields.get("id")
    if activity_id is None:
        return None
    if not isinstance(activity_id, int):
        return bad_request("Activity", "id")
    return None if dataset.is_id_free(activity_id) else bad_request("Activity", "id", "already exists")


def _add_activity(simulator: Simulator, athlete_id: int, fields: Mapping[str, object]) -> Response:
    activity = build_activity(simulator.dataset, athlete_id, fields, simulator.clock.now())
    try:
        entry = build_entry(activity)
    except ValueError:
        return error_response(bad_request("Activity", "id" if "id" in fields else ""))
    simulator.add_activity(athlete_id, activity)
    return json_response(201, entry.body)
