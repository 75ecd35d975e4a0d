"""Pages of this site that signing in may lead back to: pure, without a clock, without IO."""

import re
from collections.abc import Mapping
from urllib.parse import quote

MAX_LENGTH = 300
#: An allow-list: what is not a page to read, or has to do with signing in, leads nowhere.
_PAGE = re.compile(
    r"""
    / (?: | privacy | terms | welcome
        | settings (?: / (?: delete | disconnect ) )?
        | admin (?: / NAME ){0,6}
        | c / NAME (?: / NAME | / (?: milestones | p ) / NAME | / teams / NAME (?: / (?: edit | delete ) )? )?
    )
    (?: \? [A-Za-z0-9_.~%&=+,:-]+ )?
    """.replace("NAME", "[A-Za-z0-9_-]{1,80}"),
    re.VERBOSE | re.ASCII,
)


def find_page(address: str) -> str:
    """The address if it is a path to one of these pages, without the name of a sentence to say; else nothing."""
    path, _, query = address[: MAX_LENGTH + 1].partition("?")
    kept = "&".join(part for part in query.split("&") if part and not part.startswith("said="))
    page = f"{path}?{kept}" if kept else path
    return page if len(address) <= MAX_LENGTH and _PAGE.fullmatch(page) else ""


def find_shown_page(headers: Mapping[str, str]) -> str:
    """The page with the form, or the script, that sent a request with these headers; nothing if that is not known."""
    return find_page("/" + headers.get("referer", "").partition("://")[2].partition("/")[2])


def join_path(page: str, *, again: bool = False) -> str:
    """The address of the page to join and sign in, which leads people back to this page."""
    known = find_page(page)
    # The home page leads on to a board, and so does signing in by itself.
    query = [f"to={quote(known)}"] if known not in {"", "/"} else []
    query += ["again=1"] if again else []
    return f"/join?{'&'.join(query)}" if query else "/join"
