"""All pages of the panel."""

from fastapi import APIRouter

from web.admin.routes import activities, boards, challenges, keys, overview, participants, records, teams

router = APIRouter()
for _routes in (overview, challenges, boards, teams, participants, activities, records, keys):
    router.include_router(_routes.router)
