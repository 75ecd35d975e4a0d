"""The cookies of the site, whose names and flags follow its public address."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

LANGUAGE_COOKIE, THEME_COOKIE, KEYS_COOKIE = "lang", "theme", "keys"
YEAR_S = 365 * 24 * 3600
_PREFIX = "__Host-"  # with it, browsers take a cookie over TLS only, for all paths, and from this very host


@dataclass(frozen=True)
class Cookies:
    """Set, read and cleared so that only this site and no script reads them.

    `secure`: the public address is behind TLS. Safari takes no Secure cookies on an unencrypted address, be it one of
    the same machine: there, they have plain names.
    """

    secure: bool

    @property
    def session(self) -> str:
        """The name of the one with the session's id."""
        return f"{_PREFIX}session" if self.secure else "session"

    @property
    def browser(self) -> str:
        """The name of the one with the secret that ties an authorization to this browser."""
        return f"{_PREFIX}sign-in" if self.secure else "sign-in"

    @property
    def names(self) -> tuple[str, ...]:
        """All that are read."""
        return (self.session, self.browser, LANGUAGE_COOKIE, THEME_COOKIE, KEYS_COOKIE)

    def read_session(self, request: Request) -> str:
        """The session's id; empty without one."""
        return request.cookies.get(self.session, "")

    def set(self, response: Response, name: str, value: str, max_age_s: int) -> None:
        """Set a cookie."""
        response.set_cookie(
            name, value, max_age=max_age_s, path="/", secure=self.secure, httponly=True, samesite="lax"
        )

    def clear(self, response: Response, name: str) -> None:
        """Delete a cookie of ours."""
        response.delete_cookie(name, path="/", secure=self.secure, httponly=True, samesite="lax")
