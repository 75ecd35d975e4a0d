"""auth's internal HTTP API: what web, sync and operators send and read, and its error codes."""

from datetime import datetime
from enum import StrEnum
from typing import Literal, TypeAlias
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

#: Postgres takes no NUL in a text, and none of these has more than one line.
_ONE_LINE = r"^[^\x00-\x1f]*$"
#: A random text, URL-safe.
_RANDOM_TEXT = r"^[A-Za-z0-9_-]{20,100}$"
#: An address as it is sent in a header.
_ADDRESS = r"^[\x21-\x7e]*$"
MAX_DISPLAY_NAME = 80  # characters


class AuthErrorCode(StrEnum):
    """The `code` of an error's body."""

    NOT_FOUND = "not_found"
    INVALID = "invalid"
    FORBIDDEN = "forbidden"
    CONFLICT = "conflict"
    RATE_LIMITED = "rate_limited"
    ACCESS_DENIED = "access_denied"
    SCOPE_MISSING = "scope_missing"
    SIGN_IN_EXPIRED = "sign_in_expired"
    CAPACITY = "capacity"
    REAUTHORIZATION_NEEDED = "reauthorization_needed"
    STRAVA_MISCONFIGURED = "strava_misconfigured"
    TOKEN_UNREADABLE = "token_unreadable"  # noqa: S105 - a code, not a token
    UNAVAILABLE = "unavailable"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class AuthorizeOrigin(_Model):
    """Scheme and host of Strava's consent page, which the form that leads there has to allow."""

    origin: str


class AuthorizationRequest(_Model):
    """An authorization begins: `browser` is a secret of the browser that it is bound to.

    `force_prompt` has Strava show its page again to an athlete who has left a scope out before. `return_to` is kept
    for web, which is told it when this authorization brings somebody in; nobody else looks at it.
    """

    browser: str = Field(pattern=_RANDOM_TEXT, repr=False)
    consent_version: str = Field(min_length=1, max_length=50, pattern=_ONE_LINE)
    force_prompt: bool = False
    return_to: str = Field(default="", max_length=500, pattern=_ADDRESS)


class AuthorizeUrl(_Model):
    """Where a browser goes to give consent at Strava; it carries the `state`."""

    url: str = Field(repr=False)


class AuthorizationResponse(_Model):
    """What Strava's callback carried, and the secret of the browser that brought it.

    `code` and `scope` are there after consent, `error` after a refusal.
    """

    browser: str = Field(max_length=500, repr=False)
    state: str = Field(max_length=500, repr=False)
    code: str = Field(default="", max_length=500, repr=False)
    scope: str = Field(default="", max_length=500, pattern=_ONE_LINE)
    error: str = Field(default="", max_length=500)


class SignedInUser(_Model):
    """Who signed in; `first_time` when auth did not know the athlete.

    `missing_scopes` are those that were asked for and left out, and without which most things work; `return_to` is
    what the authorization began with.
    """

    user_id: UUID
    athlete_id: int
    display_name: str
    is_admin: bool
    first_time: bool
    missing_scopes: tuple[str, ...] = ()
    return_to: str = ""


AuthorizationStatus: TypeAlias = Literal["authorized", "reauthorization_needed", "disconnected"]


class User(_Model):
    """What auth knows of somebody; times are in UTC."""

    user_id: UUID
    athlete_id: int
    display_name: str
    status: AuthorizationStatus
    scopes: tuple[str, ...]
    is_admin: bool
    joined_at: datetime
    authorized_at: datetime
    consent_version: str
    consented_at: datetime


class Rename(_Model):
    """A new display name, 1 to 80 characters without the spaces around it."""

    display_name: str = Field(min_length=1, max_length=500)


class AccessToken(_Model):
    """A valid access token of Strava's."""

    access_token: str = Field(repr=False)
    expires_at: datetime


class Admin(_Model):
    """Somebody who may administer challenges; `user_id` and `display_name` are None until they have joined."""

    athlete_id: int
    source: Literal["configuration", "command"]
    user_id: UUID | None
    display_name: str | None


class AdminList(_Model):
    """All admins, by athlete id."""

    admins: tuple[Admin, ...]


class UnreadableToken(_Model):
    """A ciphertext that cannot be decrypted, without any of it."""

    table: str
    row: UUID
    column: str
    key_id: str  # as the ciphertext says; empty if it is none


class VaultPage(_Model):
    """Rows of the vault in the order of their ids; `next_after` is None when there are no more."""

    rows: int
    rows_by_key: dict[str, int]  # as it is after the request
    rotated: int
    unreadable: tuple[UnreadableToken, ...]
    next_after: UUID | None
