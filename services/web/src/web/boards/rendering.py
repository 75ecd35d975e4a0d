"""A window of a board as HTML: one fragment for everyone, and the same with the viewer's own row marked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID

from markupsafe import Markup

from shared.contracts.leaderboard_api import BoardStandings, StandingEntry
from shared.contracts.teams_api import TeamBoard, TeamStanding
from web.boards.rules import PAGE_ROWS
from web.challenges.rules import count_pages
from web.http.rendering import Renderer

Window: TypeAlias = BoardStandings | TeamBoard


@dataclass(frozen=True)
class BoardFragment:
    """A window in one language, as everyone sees it, and its rows."""

    html: Markup
    rows: Sequence[Markup] = ()


def count_rows(window: Window) -> int:
    """How many rows the whole board has."""
    return window.participants if isinstance(window, BoardStandings) else window.total


class BoardRenderer:
    """Renders `boards/standings.html` around rows of `boards/row.html`, or the same for teams."""

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer

    def render_page(self, window: Window, language: str, page: int) -> BoardFragment:
        """A page of a board as everyone sees it."""
        rows = [self._render_row(window, row, language) for row in window.rows]
        return BoardFragment(self._render_around(window, language, rows, page), rows)

    def mark_own(
        self, window: Window, language: str, fragment: BoardFragment, index: int, *, page: int = 1
    ) -> Markup:
        """The window with that row marked as the viewer's own, or as their team's."""
        own = self._render_row(window, window.rows[index], language, is_own=True)
        rows = [*fragment.rows[:index], own, *fragment.rows[index + 1 :]]
        return self._render_around(window, language, rows, page)

    def render_filtered(
        self, window: BoardStandings, language: str, page: int, own_id: UUID | None, asked: object
    ) -> Markup:
        """Rows that somebody asked for, with their own one marked."""
        rows = [self._render_row(window, row, language, is_own=row.user_id == own_id) for row in window.rows]
        return self._render_around(window, language, rows, page, asked=asked)

    def _render_row(
        self, window: Window, row: StandingEntry | TeamStanding, language: str, *, is_own: bool = False
    ) -> Markup:
        template = "boards/row.html" if isinstance(window, BoardStandings) else "boards/team_row.html"
        context = {"row": row, "challenge": window.challenge, "metric": window.board.metric, "is_own": is_own}
        return self._renderer.render(language, template, context)

    def _render_around(
        self, window: Window, language: str, rows: Sequence[Markup], page: int, *, asked: object = None
    ) -> Markup:
        is_people = isinstance(window, BoardStandings)
        context = {
            "standings": window,
            "rows": Markup("\n").join(rows),
            "total": count_rows(window),
            "page": page,
            "pages": count_pages(count_rows(window), PAGE_ROWS),
            "asked": asked,
            "total_is_teams": not is_people,
        }
        template = "boards/standings.html" if is_people else "boards/team_standings.html"
        return self._renderer.render(language, template, context)


def find_own_row(window: Window, own: StandingEntry | None) -> int | None:
    """Where in the window the viewer is, or their team; None if it is not there."""
    if own is None:
        return None
    if isinstance(window, BoardStandings):
        return next((index for index, row in enumerate(window.rows) if row.user_id == own.user_id), None)
    return next((index for index, row in enumerate(window.rows) if row.team_id == own.team_id), None)
