"""Strava's error answers as values: decided by the rules, written out by the routes."""

import json
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One error answer: the HTTP status, Strava's message, and the single entry of its `errors` list."""

    status: int
    message: str
    resource: str
    field: str
    code: str

    def body(self) -> bytes:
        """The fault as JSON: `{"message", "errors": [{"resource", "field", "code"}]}`."""
        error = {"resource": self.resource, "field": self.field, "code": self.code}
        return json.dumps({"message": self.message, "errors": [error]}, separators=(",", ":")).encode()


def bad_request(resource: str, field: str, code: str = "invalid") -> Fault:
    """A 400: something in the request cannot be used."""
    return Fault(400, "Bad Request", resource, field, code)


def unauthorized(resource: str, field: str, code: str = "invalid") -> Fault:
    """A 401: the secret, the token or its scope does not allow this."""
    return Fault(401, "Authorization Error", resource, field, code)


def not_found(resource: str, field: str = "", code: str = "not found") -> Fault:
    """A 404: there is no such thing, or this token may not see it."""
    return Fault(404, "Resource Not Found", resource, field, code)


BAD_TOKEN = unauthorized("Athlete", "access_token")
NO_ACTIVITY_SCOPE = unauthorized("AccessToken", "activity:read_permission", "missing")
NO_WRITE_SCOPE = unauthorized("AccessToken", "activity:write_permission", "missing")
INACTIVE = Fault(403, "Forbidden", "Application", "Status", "Inactive")
NO_ACTIVITY = not_found("Activity")
SERVER_ERROR = Fault(500, "Internal Server Error", "Application", "", "error")
RATE_LIMITED = Fault(429, "Rate Limit Exceeded", "Application", "rate limit", "exceeded")
OVERALL_RATE_LIMITED = Fault(429, "Rate Limit Exceeded", "Application", "overall rate limit", "exceeded")
UNKNOWN_PATH = Fault(404, "Record Not Found", "resource", "path", "invalid")
