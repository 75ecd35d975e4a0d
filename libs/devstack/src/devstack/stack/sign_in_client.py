"""Signs in like a browser: requests the pages, submits their forms, follows redirects, keeps cookies."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from urllib.parse import urljoin, urlsplit

import httpx

from devstack.errors import StackError

REDIRECTS = (301, 302, 303, 307)
REQUEST_TIMEOUT_S = 60.0


@dataclass
class Form:
    """A form with the fields that a browser submits by default, without its buttons."""

    action: str = ""
    fields: list[tuple[str, str]] = field(default_factory=list)


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
            self.forms[-1].fields.append((values["name"], values.get("value", "on")))


def _is_submitted(values: dict[str, str]) -> bool:
    return values.get("type") not in ("checkbox", "radio", "submit") or "checked" in values


def parse_forms(html: str) -> list[Form]:
    """All forms of a page."""
    parser = _FormParser()
    parser.feed(html)
    return parser.forms


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
            form = _find_form(join, "/join")
            consent = await _submit(client, join, form, [*form.fields, ("consent", "yes")])
            authorize = await _follow_redirects(client, consent)
            form = _find_form(authorize, "/oauth/authorize")
            chosen = [("athlete_id", str(athlete_id)), ("decision", "authorize")]
            page = await _follow_redirects(client, await _submit(client, authorize, form, [*form.fields, *chosen]))
        except httpx.TransportError as error:
            raise StackError(f"athlete {athlete_id} could not sign in: {type(error).__name__}") from error
    if page.status_code != 200 or urlsplit(str(page.url)).path.startswith("/auth/"):
        raise StackError(f"athlete {athlete_id} could not sign in: {page.url.path} answered {page.status_code}")


def _find_form(page: httpx.Response, action: str) -> Form:
    found = next((form for form in parse_forms(page.text) if urlsplit(form.action).path == action), None)
    if page.status_code != 200 or found is None:
        raise StackError(f"{page.url.host}{page.url.path} has no form for {action} (status {page.status_code})")
    return found


async def _submit(
    client: httpx.AsyncClient, page: httpx.Response, form: Form, fields: list[tuple[str, str]]
) -> httpx.Response:
    data: dict[str, list[str]] = {}
    for name, value in fields:
        data.setdefault(name, []).append(value)
    origin = f"{page.url.scheme}://{page.url.netloc.decode()}"
    return await client.post(
        urljoin(str(page.url), form.action), data=data, headers={"Origin": origin, "Sec-Fetch-Site": "same-origin"}
    )


async def _follow_redirects(client: httpx.AsyncClient, response: httpx.Response) -> httpx.Response:
    """Request the redirect targets without the headers of the form submission, which httpx itself would repeat."""
    while response.status_code in REDIRECTS:
        response = await client.get(urljoin(str(response.url), response.headers["location"]))
    return response
