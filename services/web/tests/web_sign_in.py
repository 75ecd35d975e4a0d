"""Signing in as a browser does, through the public routes."""

from urllib.parse import parse_qs, urlsplit

import httpx

CALLBACK = "/auth/strava/callback"
SCOPE = "read,activity:read"


async def start_sign_in(client: httpx.AsyncClient, **fields: str) -> str:
    """Gives the consent with these fields of the form; the OAuth state that Strava's page would get."""
    response = await client.post("/join", data={"consent": "yes", **fields})
    assert response.status_code == 303
    return parse_qs(urlsplit(response.headers["location"]).query)["state"][0]


async def complete_sign_in(client: httpx.AsyncClient, state: str, **query: str) -> httpx.Response:
    """Sends the request that Strava redirects to; `query` replaces or adds parameters."""
    return await client.get(CALLBACK, params={"state": state, "code": "abc", "scope": SCOPE, **query})


async def sign_in(client: httpx.AsyncClient) -> None:
    """Leaves the client with the cookie of a new session."""
    response = await complete_sign_in(client, await start_sign_in(client))
    assert response.status_code == 303
