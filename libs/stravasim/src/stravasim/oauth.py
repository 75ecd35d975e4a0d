"""Strava's OAuth rules: who may ask, what a code is worth, how tokens live and rotate.

Nothing here reads a clock, draws a random number or talks HTTP. Times are whole epoch seconds.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from stravasim.faults import BAD_TOKEN, Fault, bad_request, unauthorized

CODE_LIFETIME = 600  # seconds; Strava's documentation says only "short-lived"
ACCESS_LIFETIME = 21_600  # seconds
RENEWAL_MARGIN = 3_600  # seconds: with more than this left, a refresh returns the same access token
KNOWN_FOR = 172_800  # seconds for which an expired token is told from one that was never issued
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


DEMO_APPLICATION = Application(12_345, "simulated-secret", "localhost")


class Rotation(StrEnum):
    """When a refresh hands out a new refresh token (Strava's documentation: it may or may not differ)."""

    RENEWAL = "renewal"  # together with a new access token
    ALWAYS = "always"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class AuthorizeRequest:
    """A valid request for the consent page; scopes in the order asked."""

    redirect_uri: str
    scopes: tuple[str, ...]
    state: str
    force: bool


@dataclass(frozen=True, slots=True)
class Grant:
    """What one athlete allowed."""

    athlete_id: int
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class AccessToken:
    """One access token and what it is good for until `expires_at`."""

    value: str
    expires_at: int
    grant: Grant


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """A successful token call. `athlete_id` is set on the code grant, whose answer carries the athlete."""

    access: AccessToken
    refresh_token: str
    expires_in: int
    athlete_id: int | None

    def payload(self, athlete: Mapping[str, object] | None) -> dict[str, object]:
        """The answer's keys in the recorded order, which differs between the two grants."""
        expiry = {"expires_at": self.access.expires_at, "expires_in": self.expires_in}
        refresh, access = {"refresh_token": self.refresh_token}, {"access_token": self.access.value}
        if athlete is not None:
            return {"token_type": "Bearer", **expiry, **refresh, **access, "athlete": dict(athlete)}
        return {"token_type": "Bearer", **access, **expiry, **refresh}


def check_authorize(parameters: Mapping[str, str], application: Application) -> AuthorizeRequest | Fault:
    """Validate the query of the authorize page, in the order client, redirect, response type, scope.

    The resource named for a bad response_type or scope is not recorded; `Authorize` is a choice.
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
    return AuthorizeRequest(redirect_uri, scopes, parameters.get("state", ""), force=prompt == "force")


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


def bearer_of(authorization: str) -> str:
    """The token in an `Authorization` header; empty when it has none, or another scheme."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def check_application(parameters: Mapping[str, str], application: Application) -> Fault | None:
    """What is wrong with the id and the secret that a call carries; None when they are the application's."""
    if parameters.get("client_id") != str(application.client_id):
        return bad_request("Application", "client_id")
    if parameters.get("client_secret") != application.client_secret:
        return unauthorized("Application", "")
    return None


def approved_redirect(request: AuthorizeRequest, code: str, scopes: frozenset[str]) -> str:
    """Where the browser goes after a yes: `state`, `code` and the granted scopes, comma separated."""
    granted = ",".join(scope for scope in request.scopes if scope in scopes)
    return _redirect(request, f"code={code}&scope={quote(granted, safe=',:')}")


def denied_redirect(request: AuthorizeRequest) -> str:
    """Where the browser goes after a no: `state` and `error=access_denied`, no code."""
    return _redirect(request, "error=access_denied")


def _redirect(request: AuthorizeRequest, outcome: str) -> str:
    address, _, fragment = request.redirect_uri.partition("#")
    joint = "&" if "?" in address else "?"
    end = f"#{fragment}" if fragment else ""
    return f"{address}{joint}state={quote(request.state, safe='')}&{outcome}{end}"


@dataclass(slots=True)
class Tokens:
    """Everything handed out so far. `new_secret` draws the next code or token (40 hex digits)."""

    application: Application
    new_secret: Callable[[], str]
    approved: dict[int, frozenset[str]] = field(default_factory=dict)
    _codes: dict[str, tuple[int, Grant]] = field(default_factory=dict)
    _access: dict[str, AccessToken] = field(default_factory=dict)
    _current: dict[str, AccessToken] = field(default_factory=dict)
    _revoked: set[str] = field(default_factory=set)

    def approve(self, grant: Grant, now: int) -> str:
        """Remember the athlete's consent and issue a single-use code for it."""
        self.approved[grant.athlete_id] = grant.scopes
        code = self.new_secret()
        self._codes[code] = (now + CODE_LIFETIME, grant)
        return code

    def answer(self, parameters: Mapping[str, str], now: int, rotation: Rotation) -> TokenAnswer | Fault:
        """Answer a token call, either grant. Faults are those recorded or reported for Strava.

        The answer to an unknown grant_type is not known; the one here is a choice.
        """
        problem = check_application(parameters, self.application)
        if problem is not None:
            return problem
        if parameters.get("grant_type") == "authorization_code":
            return self._exchange(parameters.get("code", ""), now)
        if parameters.get("grant_type") == "refresh_token":
            return self._refresh(parameters.get("refresh_token", ""), now, rotation)
        return bad_request("Application", "grant_type")

    def grant_for(self, access_token: str, now: int) -> Grant | Fault:
        """What a bearer token allows at this moment, or the 401 for an unknown or expired one."""
        token = self._access.get(access_token)
        if token is None or token.expires_at <= now or access_token in self._revoked:
            return BAD_TOKEN
        return token.grant

    def has_room_for(self, athlete_id: int, capacity: int | None) -> bool:
        """Whether the application may connect this athlete: one who is connected already always may."""
        return capacity is None or athlete_id in self.approved or len(self.approved) < capacity

    def athlete_of(self, token: str) -> int | None:
        """Whose living access or refresh token this is."""
        access = self._current.get(token) or self._access.get(token)
        return None if access is None or token in self._revoked else access.grant.athlete_id

    def forget(self, athlete_id: int) -> bool:
        """End the connection of an athlete: every code and token dies; returns whether there was one.

        A dead token is remembered, so that it is told from one that was never issued.
        """
        self._codes = {code: issued for code, issued in self._codes.items() if issued[1].athlete_id != athlete_id}
        self._current = {token: it for token, it in self._current.items() if it.grant.athlete_id != athlete_id}
        self._revoked |= {token for token, it in self._access.items() if it.grant.athlete_id == athlete_id}
        return self.approved.pop(athlete_id, None) is not None

    def is_known(self, access_token: str) -> bool:
        """Whether the token was issued here, even if it has expired since."""
        return access_token in self._access

    def _exchange(self, code: str, now: int) -> TokenAnswer | Fault:
        expires_at, grant = self._codes.pop(code, (0, None))
        if grant is None or expires_at <= now:
            return bad_request("AuthorizationCode", "code")
        access = self._issue(grant, now)
        refresh_token = self.new_secret()
        self._current[refresh_token] = access
        return TokenAnswer(access, refresh_token, ACCESS_LIFETIME, grant.athlete_id)

    def _refresh(self, refresh_token: str, now: int, rotation: Rotation) -> TokenAnswer | Fault:
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
        return TokenAnswer(access, refresh_token, access.expires_at - now, None)

    def _issue(self, grant: Grant, now: int) -> AccessToken:
        # The token it replaces stays in the book: Strava lets both work until each expires.
        token = AccessToken(self.new_secret(), now + ACCESS_LIFETIME, grant)
        self._access[token.value] = token
        self._forget_expired(now)
        return token

    def _forget_expired(self, now: int) -> None:
        # The oldest come first; a long run would else remember every token that ever was.
        while (oldest := next(iter(self._access.values()))).expires_at < now - KNOWN_FOR:
            del self._access[oldest.value]
            self._revoked.discard(oldest.value)
        while self._codes and self._codes[first := next(iter(self._codes))][0] < now - KNOWN_FOR:
            del self._codes[first]
