"""Errors with a sentence for people; the docstring is the default sentence."""

import inspect
from collections.abc import Mapping


class AppError(Exception):
    """Something went wrong. Please try again in a moment."""

    status = 500
    code = "internal"

    def __init__(self, message: str | None = None, *, code: str | None = None) -> None:
        self.message = message or inspect.getdoc(self) or self.code
        self.code = code or self.code
        super().__init__(self.message)


class NotFound(AppError):
    """There is nothing here."""

    status = 404
    code = "not_found"


class Conflict(AppError):
    """That is not possible in the present state."""

    status = 409
    code = "conflict"


class Forbidden(AppError):
    """That is not yours to do."""

    status = 403
    code = "forbidden"


class Invalid(AppError):
    """Something about this cannot be right."""

    status = 422
    code = "invalid"

    def __init__(
        self, message: str | None = None, *, code: str | None = None, fields: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message, code=code)
        self.fields = dict(fields or {})  # field -> what is wrong with it


class TooManyRequests(AppError):
    """That was too often. Please try again in a minute."""

    status = 429
    code = "rate_limited"


class Unavailable(AppError):
    """A part of the system is away. It will be tried again; please come back in a moment."""

    status = 503
    code = "unavailable"
