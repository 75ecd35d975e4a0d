"""What other rules would make of a board, beside what it is."""

from collections.abc import Awaitable, Sequence
from typing import Any

from shared.contracts.leaderboard_admin_api import BoardRules, BoardState, ChallengeState, Preview
from shared.contracts.leaderboard_api import StandingEntry
from shared.errors import Invalid, NotFound, Unavailable
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
    shown = await _load(panel.api.get_preview(challenge.slug, board.slug), rules)
    present = await _load_present(panel, challenge, board) if shown["state"] == "built" else ()
    places = {row.user_id: row.place for row in present}
    return {**shown, "board": board, "present": present[:PREVIEWED], "places": places}


async def load_new_preview(panel: Panel, slug: str, preview_id: int, rules: BoardRules | None) -> dict[str, Any]:
    """The first places of a board as it would be, which does not exist yet."""
    shown = await _load(panel.api.get_new_preview(slug, preview_id), rules)
    return {**shown, "board": None, "present": (), "places": {}}


async def _load(asked: Awaitable[Preview], rules: BoardRules | None) -> dict[str, Any]:
    known = {"threshold": rules.threshold if rules else None, "metric": rules.metric if rules else "distance"}
    try:
        preview = await asked
    except (NotFound, Invalid):
        return {"state": "gone", **known}
    except Unavailable:
        return {"state": "away", **known}
    state = "built" if preview.is_built else "building"
    return {"state": state, "rows": preview.rows[:PREVIEWED], **known}


async def _load_present(panel: Panel, challenge: ChallengeState, board: BoardState) -> Sequence[StandingEntry]:
    if board.metric is None or board.threshold is not None:
        return ()
    try:
        return (await panel.api.get_standings(challenge.slug, board.slug, 5 * PREVIEWED)).rows
    except (NotFound, Unavailable):
        return ()
