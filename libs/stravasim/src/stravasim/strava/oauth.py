"""Strava's OAuth rules: authorize requests, redirects, token requests, expiry and rotation.

Times are whole epoch seconds.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from stravasim.strava.errors import INVALID_TOKEN, ApiError, bad_request, unauthorized

CODE_LIFETIME = 600  # seconds; Strava's documentation says only "short-lived"
ACCESS_LIFETIME = 21_600  # seconds
RENEWAL_MARGIN = 3_600  # seconds: with more than this left, a refresh returns the same access token
# For so many seconds an expired token is distinguished from one that was never issued.
EXPIRED_TOKEN_RETENTION = 172_800
SCOPES = (
    "read",
    "read_all",
    "profile:read_all",
    "profile:write",
    "activity:read",
    "activity:read_all",
    "activity:write",
)
LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1"})


class Application(NamedTuple):
    """The one registered application: its id, its secret, and its callback domain."""

    client_id: int
    client_secret: str
    callback_domain: str


DEFAULT_APPLICATION = Application(12_345, "simulated-secret", "localhost")


class Rotation(StrEnum):
    """When a refresh returns a new refresh token (Strava's documentation: it may or may not differ)."""

    RENEWAL = "renewal"  # together with a new access token
    ALWAYS = "always"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A valid request for the consent page; scopes in the requested order."""

    redirect_uri: str
    scopes: tuple[str, ...]
    state: str
    force: bool


@dataclass(frozen=True, slots=True)
class Grant:
    """The scopes that one athlete granted."""

    athlete_id: int
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class AccessToken:
    """One access token with its grant, valid until `expires_at`."""

    value: str
    expires_at: int
    grant: Grant


@dataclass(frozen=True, slots=True)
class TokenResponse:
    """A successful token response. `athlete_id` is set on the code grant, whose response includes the athlete."""

    access: AccessToken
    refresh_token: str
    expires_in: int
    athlete_id: int | None

    def to_dict(self, athlete: Mapping[str, object] | None) -> dict[str, object]:
        """The body, its keys in the recorded order, which differs between the two grants."""
        expiry = {"expires_at": self.access.expires_at, "expires_in": self.expires_in}
        refresh, access = {"refresh_token": self.refresh_token}, {"access_token": self.access.value}
        if athlete is not None:
            return {"token_type": "Bearer", **expiry, **refresh, **access, "athlete": dict(athlete)}
        return {"token_type": "Bearer", **access, **expiry, **refresh}


def parse_authorization_request(
    parameters: Mapping[str, str], application: Application
) -> AuthorizationRequest | ApiError:
    """Validate the query of the authorize page, in the order client, redirect, response type, scope.

    The resource named for a bad response_type or scope is not recorded; `Authorize` is an assumption.
    """
    if parameters.get("client_id") != str(application.client_id):
        return bad_request("Application", "client_id")
    redirect_uri = parameters.get("redirect_uri", "")
    if not is_allowed_redirect(redirect_uri, application.callback_domain):
        return bad_request("Application", "redirect_uri")
    if parameters.get("response_type") != "code":
        return bad_request("Authorize", "response_type")
    scopes = tuple(dict.fromkeys(parameters.get("scope", "").split(",")))
    if not set(scopes) <= set(SCOPES):
        return bad_request("Authorize", "scope")
    prompt = parameters.get("approval_prompt", "auto")
    if prompt not in {"auto", "force"}:
        return bad_request("Authorize", "approval_prompt")
    return AuthorizationRequest(redirect_uri, scopes, parameters.get("state", ""), force=prompt == "force")


def is_allowed_redirect(uri: str, callback_domain: str) -> bool:
    """Whether a redirect stays inside the callback domain or on this machine (Strava's documentation)."""
    if "\\" in uri or any(character <= " " for character in uri):
        return False
    try:
        parts = urlsplit(uri)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme not in {"http", "https"}:
        return False
    return host in LOCAL_HOSTS or host == callback_domain or host.endswith("." + callback_domain)


def parse_bearer(authorization: str) -> str:
    """The token in an `Authorization` header; empty when it has none, or another scheme."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def check_credentials(parameters: Mapping[str, str], application: Application) -> ApiError | None:
    """The error for a wrong client id or secret in a request; None when both are the application's."""
    if parameters.get("client_id") != str(application.client_id):
        return bad_request("Application", "client_id")
    if parameters.get("client_secret") != application.client_secret:
        return unauthorized("Application", "")
    return None


def build_approval_redirect(request: AuthorizationRequest, code: str, scopes: frozenset[str]) -> str:
    """The redirect after consent: `state`, `code` and the granted scopes, comma separated."""
    granted = ",".join(scope for scope in request.scopes if scope in scopes)
    return _redirect(request, f"code={code}&scope={quote(granted, safe=',:')}")


def build_denial_redirect(request: AuthorizationRequest) -> str:
    """The redirect after denial: `state` and `error=access_denied`, no code."""
    return _redirect(request, "error=access_denied")


def _redirect(request: AuthorizationRequest, outcome: str) -> str:
    address, _, fragment = request.redirect_uri.partition("#")
    separator = "&" if "?" in address else "?"
    end = f"#{fragment}" if fragment else ""
    return f"{address}{separator}state={quote(request.state, safe='')}&{outcome}{end}"


@dataclass(slots=True)
class TokenStore:
    """All issued codes and tokens, and the granted scopes by athlete. `new_secret` generates a code or token."""

    application: Application
    new_secret: Callable[[], str]
    scopes: dict[int, frozenset[str]] = field(default_factory=dict)
    _codes: dict[str, tuple[int, Grant]] = field(default_factory=dict)
    _access: dict[str, AccessToken] = field(default_factory=dict)
    _current: dict[str, AccessToken] = field(default_factory=dict)
    _revoked: set[str] = field(default_factory=set)

    def approve(self, grant: Grant, now: int) -> str:
        """Store the athlete's consent and issue a single-use code for it."""
        self.scopes[grant.athlete_id] = grant.scopes
        code = self.new_secret()
        self._codes[code] = (now + CODE_LIFETIME, grant)
        return code

    def handle_token_request(
        self, parameters: Mapping[str, str], now: int, rotation: Rotation
    ) -> TokenResponse | ApiError:
        """Answer a token request of either grant type. The errors are those recorded or reported for Strava.

        How Strava answers an unknown grant_type is not known; the error here is an assumption.
        """
        error = check_credentials(parameters, self.application)
        if error is not None:
            return error
        if parameters.get("grant_type") == "authorization_code":
            return self._exchange(parameters.get("code", ""), now)
        if parameters.get("grant_type") == "refresh_token":
            return self._refresh(parameters.get("refresh_token", ""), now, rotation)
        return bad_request("Application", "grant_type")

    def get_grant(self, access_token: str, now: int) -> Grant | ApiError:
        """The grant of a bearer token at `now`, or the 401 for an unknown, expired or revoked one."""
        token = self._access.get(access_token)
        if token is None or token.expires_at <= now or access_token in self._revoked:
            return INVALID_TOKEN
        return token.grant

    def has_capacity(self, athlete_id: int, capacity: int | None) -> bool:
        """Whether the application may connect this athlete; an already connected athlete does not count again."""
        return capacity is None or athlete_id in self.scopes or len(self.scopes) < capacity

    def find_athlete_id(self, token: str) -> int | None:
        """The athlete of an access or refresh token that is not revoked, or None."""
        access = self._current.get(token) or self._access.get(token)
        return None if access is None or token in self._revoked else access.grant.athlete_id

    def revoke(self, athlete_id: int) -> bool:
        """Invalidate every code and token of an athlete; returns whether there was an authorization.

        Revoked access tokens are kept, to distinguish them from tokens that were never issued.
        """
        self._codes = {code: issued for code, issued in self._codes.items() if issued[1].athlete_id != athlete_id}
        self._current = {
            token: access for token, access in self._current.items() if access.grant.athlete_id != athlete_id
        }
        self._revoked |= {token for token, access in self._access.items() if access.grant.athlete_id == athlete_id}
        return self.scopes.pop(athlete_id, None) is not None

    def is_known(self, access_token: str) -> bool:
        """Whether the token was issued here, even if it has expired since."""
        return access_token in self._access

    def _exchange(self, code: str, now: int) -> TokenResponse | ApiError:
        expires_at, grant = self._codes.pop(code, (0, None))
        if grant is None or expires_at <= now:
            return bad_request("AuthorizationCode", "code")
        access = self._issue(grant, now)
        refresh_token = self.new_secret()
        self._current[refresh_token] = access
        return TokenResponse(access, refresh_token, ACCESS_LIFETIME, grant.athlete_id)

    def _refresh(self, refresh_token: str, now: int, rotation: Rotation) -> TokenResponse | ApiError:
        access = self._current.get(refresh_token)
        if access is None:
            return bad_request("RefreshToken", "refresh_token")
        renew = access.expires_at - now <= RENEWAL_MARGIN
        if renew:
            access = self._issue(access.grant, now)
        if rotation == Rotation.ALWAYS or (renew and rotation == Rotation.RENEWAL):
            del self._current[refresh_token]
            refresh_token = self.new_secret()
        self._current[refresh_token] = access
        return TokenResponse(access, refresh_token, access.expires_at - now, None)

    def _issue(self, grant: Grant, now: int) -> AccessToken:
        # The token it replaces stays valid until it expires, as on Strava.
        token = AccessToken(self.new_secret(), now + ACCESS_LIFETIME, grant)
        self._access[token.value] = token
        self._purge_expired(now)
        return token

    def _purge_expired(self, now: int) -> None:
        # Dicts keep insertion order, so the oldest come first. Without this, memory would grow with every token.
        while (oldest := next(iter(self._access.values()))).expires_at < now - EXPIRED_TOKEN_RETENTION:
            del self._access[oldest.value]
            self._revoked.discard(oldest.value)
        while self._codes and self._codes[first := next(iter(self._codes))][0] < now - EXPIRED_TOKEN_RETENTION:
            del self._codes[first]
