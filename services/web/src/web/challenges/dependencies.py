"""The challenge that an address names, and the one that is current, as far as the visitor may see them."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Path, Request

from shared.contracts.leaderboard_api import ChallengeInfo
from shared.errors import Forbidden, NotFound
from web.challenges.directory import ChallengeDirectory
from web.challenges.rules import challenge_phase, may_see
from web.http.dependencies import Visitor, VisitorDep

Slug = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,79}$")]


async def _directory(request: Request) -> ChallengeDirectory:
    directory: ChallengeDirectory = request.app.state.challenges
    return directory


DirectoryDep = Annotated[ChallengeDirectory, Depends(_directory)]


async def _get_challenge(directory: DirectoryDep, visitor: VisitorDep, challenge: Slug) -> ChallengeInfo:
    return check_visible(await directory.find(challenge), visitor)


async def find_current(directory: DirectoryDep, visitor: VisitorDep) -> ChallengeInfo | None:
    """The first challenge that this visitor may see; None without one. Raises Unavailable."""
    return next((one for one in await directory.list() if _is_visible(one, visitor)), None)


#: Raises NotFound, Unavailable, and Forbidden with the code `members_only`.
ChallengeDep = Annotated[ChallengeInfo, Depends(_get_challenge)]
#: The challenge of the home page. Raises Unavailable.
CurrentChallengeDep = Annotated[ChallengeInfo | None, Depends(find_current)]


def check_visible(challenge: ChallengeInfo | None, visitor: Visitor) -> ChallengeInfo:
    """The challenge if this visitor may see it. Raises NotFound, and Forbidden where signing in would help."""
    if challenge is not None and _is_visible(challenge, visitor):
        return challenge
    if challenge is not None and is_for_members(challenge):
        raise Forbidden(code="members_only")
    raise NotFound


def is_for_members(challenge: ChallengeInfo) -> bool:
    """Whether signing in is enough to see it."""
    return challenge.visibility == "members"


def _is_visible(challenge: ChallengeInfo, visitor: Visitor) -> bool:
    user = visitor.user
    return may_see(
        challenge.visibility, is_signed_in=user is not None, is_organiser=user is not None and user.is_admin
    )


def challenge_context(challenge: ChallengeInfo, section: str, now: datetime) -> dict[str, Any]:
    """What `challenges/layout.html` shows around a page; `section` is the entry of the menu that it belongs to."""
    phase = challenge_phase(challenge.first_day, challenge.last_day, challenge.time_zone, now)
    return {"challenge": challenge, "section": section, "phase": phase}
