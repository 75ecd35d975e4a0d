"""The error responses of Strava's API as values."""

import json
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ApiError:
    """One error response: the HTTP status, Strava's message, and the single entry of its `errors` list."""

    status: int
    message: str
    resource: str
    field: str
    code: str

    def to_json(self) -> bytes:
        """The body: `{"message", "errors": [{"resource", "field", "code"}]}`."""
        error = {"resource": self.resource, "field": self.field, "code": self.code}
        return json.dumps({"message": self.message, "errors": [error]}, separators=(",", ":")).encode()


def bad_request(resource: str, field: str, code: str = "invalid") -> ApiError:
    """A 400: a parameter or the body is invalid."""
    return ApiError(400, "Bad Request", resource, field, code)


def unauthorized(resource: str, field: str, code: str = "invalid") -> ApiError:
    """A 401: the secret, the token or its scope does not allow this."""
    return ApiError(401, "Authorization Error", resource, field, code)


def not_found(resource: str, field: str = "") -> ApiError:
    """A 404: the object does not exist, or this token may not see it."""
    return ApiError(404, "Resource Not Found", resource, field, "not found")


INVALID_TOKEN = unauthorized("Athlete", "access_token")
MISSING_READ_SCOPE = unauthorized("AccessToken", "activity:read_permission", "missing")
MISSING_WRITE_SCOPE = unauthorized("AccessToken", "activity:write_permission", "missing")
APPLICATION_INACTIVE = ApiError(403, "Forbidden", "Application", "Status", "Inactive")
ACTIVITY_NOT_FOUND = not_found("Activity")
SERVER_ERROR = ApiError(500, "Internal Server Error", "Application", "", "error")
RATE_LIMITED = ApiError(429, "Rate Limit Exceeded", "Application", "rate limit", "exceeded")
OVERALL_RATE_LIMITED = ApiError(429, "Rate Limit Exceeded", "Application", "overall rate limit", "exceeded")
PATH_NOT_FOUND = ApiError(404, "Record Not Found", "resource", "path", "invalid")
