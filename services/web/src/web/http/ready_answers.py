"""Whole answers kept ready: encoded, compressed and tagged once for all who are sent the same."""

import gzip
import hashlib
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from web.http.security import content_security_policy

COMPRESSION_LEVEL = 6
#: A page is for one visitor's language, theme and session; caches in between may not keep it.
PAGE_HEADERS = {"Cache-Control": "private, no-cache", "Vary": "Accept-Language, Cookie, Accept-Encoding"}


@dataclass(frozen=True)
class ReadyAnswer:
    """A page in both encodings; `etag` names its content."""

    etag: str
    plain: bytes
    compressed: bytes
    content_security_policy: str

    def respond(self, request: Request) -> Response:
        """The page, or that what the browser has is still it."""
        headers = {**PAGE_HEADERS, "ETag": self.etag, "Content-Security-Policy": self.content_security_policy}
        if is_known(request, self.etag):
            return Response(status_code=304, headers=headers)
        if accepts_gzip(request):
            headers["Content-Encoding"] = "gzip"
            return Response(self.compressed, media_type="text/html", headers=headers)
        return Response(self.plain, media_type="text/html", headers=headers)


def make_ready(html: str, policy: str = "", etag: str = "") -> ReadyAnswer:
    """An answer to all who are sent this page; `etag` is given where not all of it is what the tag is about."""
    plain = html.encode()
    return ReadyAnswer(
        etag or make_etag(plain),
        plain,
        gzip.compress(plain, COMPRESSION_LEVEL, mtime=0),
        policy or content_security_policy(),
    )


def make_etag(content: bytes) -> str:
    """A weak entity tag, because the same content is sent in several encodings."""
    return f'W/"{hashlib.sha256(content).hexdigest()[:24]}"'


def is_known(request: Request, etag: str) -> bool:
    """Whether the browser says that it has what this tag names."""
    return etag in request.headers.get("if-none-match", "")


def accepts_gzip(request: Request) -> bool:
    """Whether the browser says that it reads gzip."""
    return "gzip" in request.headers.get("accept-encoding", "")
