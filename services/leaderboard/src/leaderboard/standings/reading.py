"""Reading a board: what a caller asks for of the version that is shown."""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from leaderboard.challenges.queries import BoardVersion
from leaderboard.entity_tags import make_tag
from leaderboard.standings import board_queries
from leaderboard.standings.board_queries import BoardRange, Ranked, WholeBoard, Window
from leaderboard.standings.rules.windows import (
    AROUND_ROWS,
    SEARCH_ROWS,
    DayRange,
    Wanted,
    is_longer_than_rest,
    to_like_pattern,
)
from shared.contracts.leaderboard_api import BoardInfo, ChallengeInfo
from shared.errors import NotFound


@dataclass(frozen=True)
class ShownBoard:
    """The version of a board that is shown, and what is said with it; `today` is the day where it takes place."""

    version: BoardVersion
    challenge: ChallengeInfo
    board: BoardInfo
    revision: int
    as_of: datetime
    today: date

    @property
    def days(self) -> DayRange:
        """Of the version."""
        return DayRange(self.version.challenge.first_day, self.version.challenge.last_day)


async def read_window(session: AsyncSession, shown: ShownBoard, wanted: Wanted) -> Window:
    """The rows asked for, after `find_fault` found none. Raises NotFound."""
    ranked = _find_ranked(shown, wanted)
    if wanted.search is not None:
        limit = min(wanted.limit or SEARCH_ROWS, SEARCH_ROWS)
        return await board_queries.search(session, ranked, to_like_pattern(wanted.search), limit)
    if wanted.around is None:
        return await board_queries.list_page(session, ranked, wanted.limit, wanted.offset or 0)
    window = await board_queries.list_around(session, ranked, wanted.around, wanted.limit or AROUND_ROWS)
    if window is None:
        raise NotFound("This participant is not on the board.")
    return window


def _find_ranked(shown: ShownBoard, wanted: Wanted) -> Ranked:
    version, days = shown.version, wanted.find_range(shown.days)
    if days is None:
        return WholeBoard(version.id, shown.today)
    return BoardRange(version.id, version.board.metric, days, by_rest=is_longer_than_rest(days, shown.days))


def make_etag(shown: ShownBoard, wanted: Wanted, form: str) -> str:
    """The entity tag of an answer in that form.

    The revision in it was read in the same snapshot as the rows, and is counted up after the commits that it tells
    of: so the rows can be newer than it says, and one tag can stand for two answers for as long as a change is not
    announced. Nobody is kept at the older one: each change of a board is noted in its own transaction, a later
    revision follows each note, and with it the tag is another one. What is different without a revision is in the
    tag itself: the version that is shown, the challenge's own fields, and the day, to which the movements belong.
    """
    return make_tag(form, shown.version.id, shown.board.slug, shown.revision, shown.today, shown.challenge, wanted)
