"""The OpenAPI document of the simulated part of Strava's API.

The error schema has Strava's own name for it, Fault.
"""

from typing import Any, TypeAlias

from stravasim.strava.oauth import Application

Json: TypeAlias = dict[str, Any]

_INTEGER = {"type": "integer"}
_TEXT = {"type": "string"}
_NON_EMPTY_TEXT = {"type": "string", "minLength": 1}
_EPOCH = {"type": "integer", "minimum": -(10**17), "maximum": 10**17}
_COUNT = {"type": "integer", "minimum": 1, "maximum": 10**17}
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
_ERROR = {
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


def build_openapi(application: Application) -> Json:
    """OpenAPI 3.1; every path is served under `/api/v3`, the data paths also without it.

    The one application's credentials are constants in it, so that tools which follow the document are authorized.
    """
    credentials = {
        "client_id": {"type": "integer", "const": application.client_id},
        "client_secret": {"type": "string", "const": application.client_secret},
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Strava, simulated",
            "version": "3",
            "description": "Strava's API v3 as far as simulated; `/_sim/openapi.json` is the control API.",
        },
        "paths": {**_oauth_paths(credentials), **_data_paths(), **_webhook_paths(credentials)},
        "components": {
            "schemas": {"Fault": _ERROR},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "basic": {"type": "http", "scheme": "basic"},
            },
        },
    }


def _oauth_paths(credentials: Json) -> Json:
    grants = {"enum": ["authorization_code", "refresh_token"]}
    form = {**credentials, "grant_type": grants, "code": _TEXT, "refresh_token": _TEXT}
    return {
        "/oauth/token": {
            "post": _operation(
                "token",
                "Token request of both grant types",
                _TOKENS,
                form=form,
                required=(*credentials, "grant_type"),
                errors=(400, 401),
            )
        },
        "/oauth/revoke": {
            "post": _operation(
                "revoke", "Revoke an authorization", None, form={"token": _TEXT}, errors=(400, 401), security="basic"
            )
        },
        "/oauth/deauthorize": {
            "post": _operation(
                "deauthorize", "Revoke an authorization with its access token", {"type": "object"}, security="bearer"
            )
        },
    }


def _data_paths() -> Json:
    bounds = {"before": _EPOCH, "after": _EPOCH, "page": _COUNT, "per_page": _COUNT}
    activities = {"type": "array", "items": _ACTIVITY}
    return {
        "/api/v3/athlete": {"get": _operation("athlete", "The athlete", _ATHLETE, security="bearer")},
        "/api/v3/athlete/activities": {
            "get": _operation(
                "activities",
                "One page of activities",
                activities,
                query=bounds,
                errors=(400, 401, 403, 429),
                security="bearer",
            )
        },
        "/api/v3/activities/{id}": {
            "get": _operation(
                "activity", "One activity", _ACTIVITY, path="id", errors=(401, 403, 404, 429), security="bearer"
            )
        },
        "/api/v3/activities": {
            "post": _operation(
                "create",
                "A manual activity",
                _ACTIVITY,
                form=_ACTIVITY_FORM,
                required=("name", "sport_type", "start_date_local", "elapsed_time"),
                status=201,
                link="activity",
                errors=(400, 401, 403, 429),
                security="bearer",
            )
        },
    }


def _webhook_paths(credentials: Json) -> Json:
    subscriptions = {"type": "array", "items": _SUBSCRIPTION}
    form = {**credentials, "callback_url": _TEXT, "verify_token": _TEXT}
    return {
        "/api/v3/push_subscriptions": {
            "get": _operation(
                "subscriptions",
                "The webhook subscription",
                subscriptions,
                query=credentials,
                required=tuple(credentials),
                errors=(400, 401, 403),
            ),
            "post": _operation(
                "subscribe",
                "Subscribe, with a handshake",
                _SUBSCRIPTION,
                form=form,
                required=(*credentials, "callback_url"),
                status=201,
                link="unsubscribe",
                errors=(400, 401, 403),
            ),
        },
        "/api/v3/push_subscriptions/{id}": {
            "delete": _operation(
                "unsubscribe",
                "Unsubscribe",
                None,
                query=credentials,
                required=tuple(credentials),
                path="id",
                status=204,
                errors=(400, 401, 403, 404),
            )
        },
    }


_ACTIVITY_FORM = {
    "name": _NON_EMPTY_TEXT,
    "sport_type": _NON_EMPTY_TEXT,
    "start_date_local": {"type": "string", "format": "date-time"},
    "elapsed_time": {"type": "integer", "minimum": 0, "maximum": 10**8},
    "distance": {"type": "number", "minimum": 0, "maximum": 10**8},
    "trainer": {"enum": [0, 1]},
    "commute": {"enum": [0, 1]},
}


def _operation(
    name: str,
    summary: str,
    schema: Json | None,
    *,
    query: Json | None = None,
    form: Json | None = None,
    required: tuple[str, ...] = (),
    path: str = "",
    status: int = 200,
    link: str = "",
    errors: tuple[int, ...] = (401, 403, 429),
    security: str = "",
) -> Json:
    """One operation; the `id` of its response is the parameter of the operation `link`."""
    parameters = [
        {"name": parameter, "in": "query", "schema": kind, "required": parameter in required}
        for parameter, kind in (query or {}).items()
    ]
    if path:
        parameters.append({"name": path, "in": "path", "required": True, "schema": {**_INTEGER, "format": "int64"}})
    success: Json = {"description": "Done"} | ({"content": _json_content(schema)} if schema else {})
    if link:
        success["links"] = {link: {"operationId": link, "parameters": {"id": "$response.body#/id"}}}
    error = {"description": "Refused", "content": _json_content({"$ref": "#/components/schemas/Fault"})}
    operation: Json = {
        "operationId": name,
        "summary": summary,
        "parameters": parameters,
        "responses": {str(status): success, **{str(status_code): error for status_code in errors}},
    }
    if form is not None:
        body = {"type": "object", "properties": form, "required": list(required)}
        operation["requestBody"] = {"content": {"application/x-www-form-urlencoded": {"schema": body}}}
    if security:
        operation["security"] = [{security: []}]
    return operation


def _json_content(schema: Json) -> Json:
    return {"application/json": {"schema": schema}}
