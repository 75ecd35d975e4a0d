"""What every page of the panel needs: an organiser, leaderboard's API for them, and forms of any fields."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode

from fastapi import Depends, Path, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from shared.errors import Unavailable
from web.admin.messages import Refusal
from web.challenges.dependencies import DirectoryDep
from web.challenges.directory import ChallengeDirectory
from web.clients.calls import Api, Caller
from web.clients.organisers import OrganisersClient
from web.http.dependencies import ContextDep, OrganiserDep, Visitor, VisitorDep, go_to, render_page
from web.http.downloads import open_download
from web.http.rendering import Renderer
from web.http.sentences import Sentence

MAX_FIELDS = 400
MAX_TEXT = 4_000  # of a field's value

Slug = Annotated[str, Path(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=40)]


@dataclass(frozen=True)
class Panel:
    """One request of an organiser. Times are shown where the current challenge takes place."""

    request: Request
    visitor: Visitor
    caller: Caller
    leaderboard: Api
    directory: ChallengeDirectory
    api: OrganisersClient
    renderer: Renderer
    zone: str

    def show(self, template: str, page: Mapping[str, Any], refusal: Refusal | None = None) -> Response:
        """A page of `templates/admin`, or again with what is wrong."""
        common = {"zone": self.zone, "fields": {}, "problems": refusal.problems if refusal else {}}
        status = refusal.status if refusal else 200
        return render_page(self.request, self.visitor, f"admin/{template}.html", {**common, **page}, status)

    def say(self, said: Sentence) -> str:
        """A sentence in the organiser's language, where it is not for a page."""
        return self.renderer.say(self.visitor.language, said)

    def changed(self, path: str, said: str) -> Response:
        """After a form that changed something that pages for everybody show, too."""
        self.directory.mark_stale()
        return go_to(path, said)

    async def download(self, path: str, filename: str, media_type: str, **query: Any) -> Response:
        """A file of leaderboard, passed on as it arrives. Raises as calls do, before the answer begins."""
        return await open_download(self.leaderboard.stream(path, self.caller, **query), filename, media_type)


async def _get_panel(
    request: Request, context: ContextDep, visitor: VisitorDep, organiser: OrganiserDep, directory: DirectoryDep
) -> Panel:
    caller = Caller(organiser.id, is_organiser=True)
    return Panel(
        request=request,
        visitor=visitor,
        caller=caller,
        leaderboard=context.leaderboard,
        directory=directory,
        api=OrganisersClient(context.leaderboard, caller),
        renderer=context.renderer,
        zone=await _find_zone(directory) or context.nightly_time_zone,
    )


#: Every page of the panel depends on it. Raises SignInNeeded, Forbidden.
PanelDep = Annotated[Panel, Depends(_get_panel)]


async def _find_zone(directory: ChallengeDirectory) -> str | None:
    try:
        challenges = await directory.list()
    except Unavailable:
        return None
    return challenges[0].time_zone if challenges else None


@dataclass(frozen=True)
class Form:
    """The fields of a form with all their values, each in bounds."""

    fields: Mapping[str, list[str]]

    def get(self, name: str) -> str:
        """A field's first value without the spaces around it; empty when it was not sent."""
        return (self.fields.get(name) or [""])[0].strip()


async def _read_form(request: Request, _panel: PanelDep) -> Form:
    return Form(_to_fields(await request.form(max_fields=MAX_FIELDS)))


def _to_fields(form: FormData) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    for name, value in form.multi_items():
        if isinstance(value, str):
            fields.setdefault(name[:100], []).append(value.replace("\0", "")[:MAX_TEXT])
    return fields


#: Read only once it is known that an organiser sends it.
FormDep = Annotated[Form, Depends(_read_form)]


def read_query(text: str) -> dict[str, list[str]]:
    """The fields in the query of an address."""
    fields: dict[str, list[str]] = {}
    for name, value in parse_qsl(text, max_num_fields=MAX_FIELDS):
        fields.setdefault(name[:100], []).append(value.replace("\0", "")[:MAX_TEXT])
    return fields


def read_tried(panel: Panel) -> tuple[dict[str, list[str]], str]:
    """What is entered in a form that tries something: the fields in the address, and the query that they make."""
    tried = read_query(panel.request.scope["query_string"].decode("ascii", "ignore"))
    query = with_query("", [(name, value) for name, values in tried.items() for value in values]).removeprefix("?")
    return tried, query


def with_query(path: str, pairs: list[tuple[str, str]]) -> str:
    """The address of a page with these fields in its query."""
    return f"{path}?{urlencode(pairs)}" if pairs else path
