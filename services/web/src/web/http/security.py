"""Security headers on every response, and no writes on behalf of other sites."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
_FORM = "application/x-www-form-urlencoded"
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def content_security_policy(form_origin: str = "", frames: str = "'none'") -> str:
    """A policy that allows our own files only.

    `form_origin` is where a form of the page may be redirected to; `frames` are the sites that may frame it.
    """
    targets = f"'self' {form_origin}".rstrip()
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        f"form-action {targets}; base-uri 'none'; frame-ancestors {frames}"
    )


def add_security_headers(headers: MutableHeaders) -> None:
    """Add the headers that the response does not have yet."""
    for name, value in _HEADERS.items():
        headers.setdefault(name, value)
    headers.setdefault("Content-Security-Policy", content_security_policy())


class SecurityMiddleware:
    """ASGI middleware, without Starlette's base class, which buffers streams."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                add_security_headers(MutableHeaders(scope=message))
            await send(message)

        headers = Headers(scope=scope)
        app = self._app
        if scope["method"] not in _SAFE_METHODS:
            if not _from_our_own_page(headers):
                app = PlainTextResponse("This request came from another site.", 403)
            elif headers.get("content-type", _FORM).partition(";")[0].strip().lower() != _FORM:
                # Our forms have this type; the parser of another one would only serve strangers.
                app = PlainTextResponse("This is not a form of this site.", 415)
        await app(scope, receive, send_with_headers)


def _from_our_own_page(headers: Headers) -> bool:
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = headers.get("origin")
    return origin is not None and origin.partition("://")[2] == headers.get("host")
