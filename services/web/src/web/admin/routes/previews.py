"""What other rules would make of a board, beside what it is."""

from collections.abc import Sequence
from typing import Any

from shared.contracts.leaderboard_admin_api import BoardRules, BoardState, ChallengeState
from shared.contracts.leaderboard_api import StandingEntry
from shared.errors import NotFound, Unavailable
from web.admin.dependencies import Panel
from web.http.sentences import check_form

PREVIEWED = 20  # places that are shown beside the present ones


def rules_of(board: BoardState) -> BoardRules | None:
    """The rules of a board, or those that it will have; None while it has none."""
    if board.next_rules:
        return board.next_rules
    rules, _ = check_form(BoardRules, {name: getattr(board, name) for name in BoardRules.model_fields})
    return rules if isinstance(rules, BoardRules) else None


async def load_preview(
    panel: Panel, challenge: ChallengeState, board: BoardState, rules: BoardRules | None
) -> dict[str, Any]:
    """The first places as they would be by these rules, and where these people are now."""
    known: dict[str, Any] = {
        "board": board,
        "threshold": rules.threshold if rules else None,
        "metric": rules.metric if rules else "distance",
    }
    try:
        preview = await panel.api.get_preview(challenge.slug, board.slug)
    except NotFound:
        return {"state": "gone", **known}
    except Unavailable:
        return {"state": "away", **known}
    if not preview.is_built:
        return {"state": "building", **known}
    present = await _load_present(panel, challenge, board)
    places = {row.user_id: row.place for row in present}
    first = {"rows": preview.rows[:PREVIEWED], "present": present[:PREVIEWED], "places": places}
    return {"state": "built", **known, **first}


async def _load_present(panel: Panel, challenge: ChallengeState, board: BoardState) -> Sequence[StandingEntry]:
    if board.metric is None or board.threshold is not None:
        return ()
    try:
        return (await panel.api.get_standings(challenge.slug, board.slug, 5 * PREVIEWED)).rows
    except (NotFound, Unavailable):
        return ()
