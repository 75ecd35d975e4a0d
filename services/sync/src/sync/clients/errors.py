"""Errors of both clients."""

from shared.contracts.auth_api import AuthErrorCode
from shared.errors import AppError


class AuthorizationLost(AppError):
    """Strava does not allow access to this athlete's data any more; they need to connect again."""

    status = 409
    code = AuthErrorCode.REAUTHORIZATION_NEEDED
