"""What leaderboard and its contracts say against a form, as sentences that the catalogues have."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.contracts.teams_api import TeamErrorCode
from shared.errors import AppError
from web.http.sentences import Sentence, describe_refusal, sentence

Problems = dict[str, Sentence]

#: Sentences of leaderboard and of the contracts, which are translated when they are shown.
KNOWN = (
    sentence("That is not yours to do."),
    sentence("Somebody else has changed the challenge meanwhile. Please look at it again."),
    sentence("The challenge is closed: its results do not change any more."),
    sentence("The challenge is closed already."),
    sentence("This challenge is closed, so its teams stay as they are."),
    sentence("The challenge is not over yet."),
    sentence("Standings are being computed. Please try again in a moment."),
    sentence("There is a challenge with this slug already."),
    sentence("There is a challenge with this name already."),
    sentence("There is a board or milestone with this slug already."),
    sentence("There is a board or milestone with this name already."),
    sentence("A challenge has at most 30 boards and milestones."),
    sentence("There is no such challenge."),
    sentence("There is no such board."),
    sentence("There is no such participant."),
    sentence("There is no such activity on record."),
    sentence("There is no such team in this challenge."),
    sentence("There is or was an API key of that name. Please choose another one."),
    sentence("There is no such API key."),
    sentence("Everybody was asked for less than 10 minutes ago. Please wait until that is over."),
    sentence("Nothing can be fetched of this participant until they connect Strava again."),
    sentence("Must be printable on one line."),
    sentence("Is not a known time zone."),
    sentence("Last_day must not be before first_day."),
    sentence("A challenge has at most 1100 days."),
    sentence("That was too often. Please try again in a minute."),
)
_SLUG = sentence("Small letters, digits and single hyphens, at most 40 characters; some words are taken by the site.")
_DAYS = sentence("The last day must not be before the first one.")
_CHARACTERS = sentence("Some of these characters cannot be used here.")
_TEAM_NAME = sentence("The name of a team has 1 to 60 characters, and only such as can be printed.")
_TEAM_FULL = sentence("A team has no room for so many people. Make it larger in the settings of the challenge.")
_NAME_TAKEN = sentence("There is a team of this name already.")
_TOO_FEW = sentence("There are fewer people to deal out than teams.")
CHOOSE = sentence("Please choose one of these.")
NOBODY = sentence("Nobody who takes part has a name like this.")
SEVERAL = sentence("Several people have a name like this. Please choose one.")
#: Names in contracts -> fields of forms.
_PREFIXES = ("points.", "challenge.", "body.")


@dataclass(frozen=True)
class Refusal:
    """Why a form is shown again: what is wrong, by field, and the status of the answer."""

    problems: Problems = field(default_factory=dict)
    status: int = 422
    is_conflict: bool = False


def refuse(error: AppError) -> Refusal:
    """What another service says against a form."""
    status = error.status if error.status in {403, 409, 429, 503} else 422
    return Refusal(explain(error), status, error.status == 409)


def explain(error: AppError) -> Problems:
    """What another service refuses, by field; under the empty name what belongs to none."""
    if error.code == TeamErrorCode.TEAM_FULL:
        return {"": _TEAM_FULL}
    if error.code == TeamErrorCode.TEAM_NAME_TAKEN:
        return {"name": _NAME_TAKEN}
    field, _, message = error.message.partition(": ")
    if error.status == 409 and field in {"slug", "name"} and message:
        return {field: Sentence(message)}
    if error.message.startswith("There are fewer people to deal out"):
        return {"": _TOO_FEW}
    return tidy(describe_refusal(error))


def tidy(problems: Mapping[str, Sentence]) -> Problems:
    """Problems under the names that the fields of forms have, in words for organisers."""
    tidied: Problems = {}
    for name, problem in problems.items():
        field = name
        for prefix in _PREFIXES:
            field = field.removeprefix(prefix)
        if field.startswith(("sport_types.", "scopes.")):
            field = field.partition(".")[0]
        text = problem.text
        if field == "" and text.startswith("Last_day"):
            tidied["last_day"] = _DAYS
        elif field == "slug" and not text.startswith(("There is", "Please")):
            tidied["slug"] = _SLUG
        elif field.startswith("teams"):
            tidied.setdefault("teams", _TEAM_NAME if text.startswith("The name of a team") else problem)
        elif text.startswith("String should match"):
            tidied[field] = _CHARACTERS
        else:
            tidied[field] = problem
    return tidied
