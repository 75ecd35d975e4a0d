"""Signs in like a browser: requests the pages, submits their forms, follows redirects, keeps cookies."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from urllib.parse import urlsplit

import httpx

from devstack.errors import StackError

REQUEST_TIMEOUT_S = 60.0


@dataclass
class Form:
    """A form with what a browser submits by default, without its buttons; a name may have several values."""

    action: str = ""
    fields: dict[str, list[str]] = field(default_factory=dict)


class _FormParser(HTMLParser):
    """Collects the forms of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(values.get("action", "")))
        elif tag == "input" and self.forms and values.get("name") and _is_submitted(values):
            self.forms[-1].fields.setdefault(values["name"], []).append(values.get("value", "on"))


def _is_submitted(values: dict[str, str]) -> bool:
    return values.get("type") not in ("checkbox", "radio", "submit") or "checked" in values


def make_browser_client() -> httpx.AsyncClient:
    """A client that sends Secure cookies without TLS, as browsers do for loopback addresses and httpx does not."""
    cookies: SimpleCookie = SimpleCookie()

    async def store_cookies(response: httpx.Response) -> None:
        for line in response.headers.get_list("set-cookie"):
            cookies.load(line)

    async def add_cookies(request: httpx.Request) -> None:
        # Expired cookies were set to an empty value.
        request.headers["Cookie"] = "; ".join(f"{name}={one.value}" for name, one in cookies.items() if one.value)

    return httpx.AsyncClient(
        timeout=REQUEST_TIMEOUT_S, event_hooks={"request": [add_cookies], "response": [store_cookies]}
    )


async def sign_in(web_url: str, athlete_id: int) -> None:
    """Sign in as this simulated athlete through the public pages.

    Raises StackError when a page cannot be loaded or lacks the expected form.
    """
    async with make_browser_client() as client:
        try:
            join = await client.get(f"{web_url}/join")
            authorize = await _submit_form(client, join, "/join", {"consent": "yes"})
            choice = {"athlete_id": str(athlete_id), "decision": "authorize"}
            page = await _submit_form(client, authorize, "/oauth/authorize", choice)
        except httpx.TransportError as error:
            raise StackError(f"athlete {athlete_id} could not sign in: {type(error).__name__}") from error
    if page.status_code != 200 or page.url.path.startswith("/auth/"):
        raise StackError(f"athlete {athlete_id} could not sign in: {page.url.path} answered {page.status_code}")


async def _submit_form(
    client: httpx.AsyncClient, page: httpx.Response, action: str, fields: dict[str, str]
) -> httpx.Response:
    """Submit the page's form for this path with these fields set; returns the page to which the answer leads."""
    parser = _FormParser()
    parser.feed(page.text)
    form = next((form for form in parser.forms if urlsplit(form.action).path == action), None)
    if page.status_code != 200 or form is None:
        raise StackError(f"{page.url.host}{page.url.path} has no form for {action} (status {page.status_code})")
    origin = f"{page.url.scheme}://{page.url.netloc.decode()}"
    response = await client.post(
        page.url.join(form.action),
        data={**form.fields, **fields},
        headers={"Origin": origin, "Sec-Fetch-Site": "same-origin"},
    )
    # Not by httpx itself, which would send these headers to the target of the redirect, too.
    while response.has_redirect_location:
        response = await client.get(response.url.join(response.headers["location"]))
    return response
