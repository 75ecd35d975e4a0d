"""Server-sent events whose bytes all readers share, compressed once for all of them.

A block of a deflate stream that ends with a full flush refers to nothing before it. So one compressed block is the
same in every stream, and no reader has a compressor of their own, which would take a quarter of a megabyte.
"""

import hashlib
import zlib
from dataclasses import dataclass

from sse_starlette import ServerSentEvent

#: The beginning of every stream with `Content-Encoding: gzip`: deflate, no name, no time.
GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"
COMPRESSION_LEVEL = 6


@dataclass(frozen=True)
class Message:
    """An event in both encodings; `id` names what it says, so that who knows it already is not told again."""

    id: str
    plain: bytes
    deflated: bytes


def make_message(html: str) -> Message:
    """An event that htmx swaps: unnamed, because others are only DOM events."""
    name = hashlib.sha256(html.encode()).hexdigest()[:16]
    plain = ServerSentEvent(html, id=name).encode()
    return Message(name, plain, deflate(plain))


def deflate(data: bytes) -> bytes:
    """The data as a block of a deflate stream that refers to nothing before it."""
    compressor = zlib.compressobj(COMPRESSION_LEVEL, wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush(zlib.Z_FULL_FLUSH)


PING = ServerSentEvent(comment="").encode()
DEFLATED_PING = deflate(PING)
