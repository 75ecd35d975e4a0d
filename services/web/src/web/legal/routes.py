"""The pages about privacy and terms."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from web.http.dependencies import PAGE_METHODS, VisitorDep, render_page

router = APIRouter()


@router.api_route("/privacy", methods=PAGE_METHODS)
async def privacy(request: Request, visitor: VisitorDep) -> Response:
    """What is stored, who sees it, how long."""
    return render_page(request, visitor, "legal/privacy.html")


@router.api_route("/terms", methods=PAGE_METHODS)
async def terms(request: Request, visitor: VisitorDep) -> Response:
    """What participants agree to."""
    return render_page(request, visitor, "legal/terms.html")
