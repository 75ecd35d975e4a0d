"""All pages of the panel."""

from web.admin.routes import activities, boards, challenges, keys, overview, participants, records, teams

routers = tuple(
    routes.router for routes in (overview, challenges, boards, teams, participants, activities, records, keys)
)
