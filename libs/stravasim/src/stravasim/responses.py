"""JSON responses, and the form parameters of requests, for the Strava routes and the control API."""

import json
from collections.abc import Mapping

from fastapi import Request, Response

from stravasim.strava.errors import ApiError
from stravasim.strava.rate_limits import Headers

JSON_TYPE = "application/json; charset=utf-8"


def dump_json(value: Mapping[str, object]) -> bytes:
    """JSON without whitespace, keys in their order."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def json_response(status: int, body: bytes, headers: Headers | None = None) -> Response:
    """A JSON response; the case of the extra header names is kept."""
    response = Response(body, status_code=status, media_type=JSON_TYPE)
    response.raw_headers.extend(headers or [])
    return response


def error_response(error: ApiError, headers: Headers | None = None) -> Response:
    """An error of Strava's API as a response."""
    return json_response(error.status, error.to_json(), headers)


async def read_parameters(request: Request) -> Mapping[str, str]:
    """The text fields of the form and of the query: Strava accepts both. The form takes precedence."""
    form = await request.form()
    return {**request.query_params, **{key: value for key, value in form.items() if isinstance(value, str)}}
