"""A board as HTML: one fragment for everyone, and the same with the viewer's own row marked."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from markupsafe import Markup

from shared.contracts.leaderboard_api import BoardStandings
from web.http.rendering import Renderer


@dataclass(frozen=True)
class BoardFragment:
    """A board in one language, as everyone sees it, and its rows."""

    html: Markup
    rows: Sequence[Markup] = ()


class BoardRenderer:
    """Renders `boards/standings.html` around rows of `boards/row.html`."""

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer

    def render(self, standings: BoardStandings, language: str) -> BoardFragment:
        """The board as everyone sees it."""
        rows = [self._render_row(standings, language, index) for index in range(len(standings.rows))]
        return BoardFragment(self._render_around(standings, language, rows), rows)

    def render_for(
        self, standings: BoardStandings, language: str, fragment: BoardFragment, user_id: UUID
    ) -> Markup | None:
        """The board with this user's row marked; None if they are not on it."""
        index = next((index for index, row in enumerate(standings.rows) if row.user_id == user_id), None)
        if index is None:
            return None
        own = self._render_row(standings, language, index, is_own=True)
        return self._render_around(standings, language, [*fragment.rows[:index], own, *fragment.rows[index + 1 :]])

    def _render_row(self, standings: BoardStandings, language: str, index: int, *, is_own: bool = False) -> Markup:
        context = {"row": standings.rows[index], "metric": standings.board.metric, "is_own": is_own}
        return self._renderer.render(language, "boards/row.html", context)

    def _render_around(self, standings: BoardStandings, language: str, rows: Sequence[Markup]) -> Markup:
        context = {"standings": standings, "rows": Markup("\n").join(rows)}
        return self._renderer.render(language, "boards/standings.html", context)
