"""The OpenAPI document of what the simulator plays of Strava, for tools that read one."""

from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]

_INTEGER = {"type": "integer"}
_TEXT = {"type": "string"}
_ACTIVITY = {
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": {"type": "integer", "format": "int64"},
        "resource_state": _INTEGER,
        "name": _TEXT,
        "distance": {"type": "number"},
        "moving_time": _INTEGER,
        "elapsed_time": _INTEGER,
        "total_elevation_gain": {"type": "number"},
        "type": _TEXT,
        "sport_type": _TEXT,
        "start_date": _TEXT,
        "start_date_local": _TEXT,
        "timezone": _TEXT,
        "utc_offset": {"type": "number"},
    },
}
_ATHLETE = {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer", "format": "int64"}}}
_FAULT = {
    "type": "object",
    "required": ["message", "errors"],
    "properties": {
        "message": _TEXT,
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["resource", "field", "code"],
                "properties": {"resource": _TEXT, "field": _TEXT, "code": _TEXT},
            },
        },
    },
}
_TOKENS = {
    "type": "object",
    "required": ["token_type", "access_token", "refresh_token", "expires_at", "expires_in"],
    "properties": {
        "token_type": {"const": "Bearer"},
        "access_token": _TEXT,
        "refresh_token": _TEXT,
        "expires_at": _INTEGER,
        "expires_in": _INTEGER,
        "athlete": _ATHLETE,
    },
}
_SUBSCRIPTION = {
    "type": "object",
    "required": ["id", "callback_url", "created_at"],
    "properties": {"id": _INTEGER, "application_id": _INTEGER, "callback_url": _TEXT, "created_at": _TEXT},
}


def document() -> Json:
    """OpenAPI 3.1; every path is served under `/api/v3`, the data paths also without it."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Strava, simulated",
            "version": "3",
            "description": "The part of Strava's API v3 that stravasim plays. `/_sim` is its control side.",
        },
        "paths": {
            "/oauth/token": {"post": _operation("Both grants", _TOKENS, form=_token_form(), faults=(400, 401))},
            "/oauth/revoke": {
                "post": _operation("End a connection", None, form={"token": _TEXT}, faults=(400, 401), basic=True)
            },
            "/oauth/deauthorize": {
                "post": _operation("End a connection, the older way", {"type": "object"}, bearer=True)
            },
            "/api/v3/athlete": {"get": _operation("The athlete", _ATHLETE, bearer=True)},
            "/api/v3/athlete/activities": {
                "get": _operation(
                    "One page of activities",
                    {"type": "array", "items": _ACTIVITY},
                    query={"before": _INTEGER, "after": _INTEGER, "page": _INTEGER, "per_page": _INTEGER},
                    faults=(400, 401, 403, 429),
                    bearer=True,
                )
            },
            "/api/v3/activities/{id}": {
                "get": _operation("One activity", _ACTIVITY, path="id", faults=(401, 403, 404, 429), bearer=True)
            },
            "/api/v3/activities": {
                "post": _operation(
                    "A manual activity",
                    _ACTIVITY,
                    form=_activity_form(),
                    status=201,
                    faults=(400, 401, 403, 429),
                    bearer=True,
                )
            },
            "/api/v3/push_subscriptions": {
                "get": _operation(
                    "The webhook subscription",
                    {"type": "array", "items": _SUBSCRIPTION},
                    query=_CREDENTIALS,
                    faults=(400, 401, 403),
                ),
                "post": _operation(
                    "Subscribe, with a handshake",
                    _SUBSCRIPTION,
                    form={**_CREDENTIALS, "callback_url": _TEXT, "verify_token": _TEXT},
                    status=201,
                    faults=(400, 401, 403),
                ),
            },
            "/api/v3/push_subscriptions/{id}": {
                "delete": _operation(
                    "Unsubscribe", None, query=_CREDENTIALS, path="id", status=204, faults=(400, 401, 403, 404)
                )
            },
        },
        "components": {
            "schemas": {"Fault": _FAULT},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "basic": {"type": "http", "scheme": "basic"},
            },
        },
    }


_CREDENTIALS = {"client_id": _INTEGER, "client_secret": _TEXT}


def _token_form() -> Json:
    grants = {"enum": ["authorization_code", "refresh_token"]}
    return {**_CREDENTIALS, "grant_type": grants, "code": _TEXT, "refresh_token": _TEXT}


def _activity_form() -> Json:
    return {
        "name": _TEXT,
        "sport_type": _TEXT,
        "start_date_local": {"type": "string", "format": "date-time"},
        "elapsed_time": _INTEGER,
        "distance": {"type": "number"},
        "trainer": _INTEGER,
        "commute": _INTEGER,
    }


def _operation(
    summary: str,
    schema: Json | None,
    *,
    query: Json | None = None,
    form: Json | None = None,
    path: str = "",
    status: int = 200,
    faults: tuple[int, ...] = (401, 403, 429),
    bearer: bool = False,
    basic: bool = False,
) -> Json:
    parameters = [{"name": name, "in": "query", "schema": kind} for name, kind in (query or {}).items()]
    if path:
        parameters.append({"name": path, "in": "path", "required": True, "schema": {**_INTEGER, "format": "int64"}})
    right = {"description": "Done"} | ({"content": _json(schema)} if schema else {})
    wrong = {"description": "Refused", "content": _json({"$ref": "#/components/schemas/Fault"})}
    operation: Json = {
        "summary": summary,
        "parameters": parameters,
        "responses": {str(status): right, **{str(fault): wrong for fault in faults}},
    }
    if form is not None:
        body = {"application/x-www-form-urlencoded": {"schema": {"type": "object", "properties": form}}}
        operation["requestBody"] = {"content": body}
    if bearer or basic:
        operation["security"] = [{"bearer" if bearer else "basic": []}]
    return operation


def _json(schema: Json) -> Json:
    return {"application/json": {"schema": schema}}
