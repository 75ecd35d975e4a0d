"""Static files, and the choice of language and theme."""

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from shared.errors import NotFound
from web.http.assets import Asset
from web.http.cookies import KEYS_COOKIE, LANGUAGE_COOKIE, THEME_COOKIE, YEAR_S
from web.http.dependencies import LIMIT_FORMS, PAGE_METHODS, ContextDep

router = APIRouter(dependencies=[LIMIT_FORMS])


@router.post("/preferences")
async def preferences(
    context: ContextDep,
    back: Annotated[str, Form()] = "/",
    lang: Annotated[Literal["en", "pl"] | None, Form()] = None,
    theme: Annotated[Literal["system", "light", "dark"] | None, Form()] = None,
    keys: Annotated[Literal["on", "off"] | None, Form()] = None,
) -> Response:
    """Store a choice in this browser, and go back."""
    response = RedirectResponse(_to_local_path(back), 303)
    for name, chosen in ((LANGUAGE_COOKIE, lang), (THEME_COOKIE, theme), (KEYS_COOKIE, keys)):
        if chosen:
            context.cookies.set(response, name, chosen, YEAR_S)
    return response


@router.api_route("/static/{path:path}", methods=PAGE_METHODS)
async def static(request: Request, path: str) -> Response:
    """A file whose name holds its hash."""
    asset: Asset | None = request.app.state.assets_by_url.get(f"/static/{path}")
    if asset is None:
        raise NotFound
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(asset.content, media_type=asset.media_type, headers=headers)


def _to_local_path(path: str) -> str:
    """The path if it leads to this site, else `/`."""
    return path if path.startswith("/") and not path.startswith("//") and "\\" not in path else "/"
