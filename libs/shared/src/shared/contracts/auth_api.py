"""auth's internal HTTP API: what web and sync send and read, and its error codes."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

#: Postgres takes no NUL in a text, and none of these has more than one line.
_ONE_LINE = r"^[^\x00-\x1f]*$"


class AuthErrorCode(StrEnum):
    """The `code` of an error's body."""

    NOT_FOUND = "not_found"
    SCOPE_MISSING = "scope_missing"
    SIGN_IN_EXPIRED = "sign_in_expired"
    CAPACITY = "capacity"
    REAUTHORIZATION_NEEDED = "reauthorization_needed"
    STRAVA_MISCONFIGURED = "strava_misconfigured"
    UNAVAILABLE = "unavailable"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class AuthorizeUrl(_Model):
    """Where a browser goes to give consent at Strava."""

    url: str


class SignInRequest(_Model):
    """What Strava's callback carried, and the version of the consent that was given."""

    code: str = Field(min_length=1, max_length=500, repr=False)
    scope: str = Field(max_length=500, pattern=_ONE_LINE)
    consent_version: str = Field(min_length=1, max_length=50, pattern=_ONE_LINE)


class SignedInUser(_Model):
    """Who signed in; `first_time` when auth did not know the athlete."""

    user_id: UUID
    athlete_id: int
    display_name: str
    is_admin: bool
    first_time: bool


class AccessToken(_Model):
    """A valid access token of Strava's."""

    access_token: str = Field(repr=False)
    expires_at: datetime
