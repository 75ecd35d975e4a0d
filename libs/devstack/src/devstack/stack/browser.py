"""A browser without a screen: requests pages, submits their forms, follows redirects, keeps cookies."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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


class _PageParser(HTMLParser):
    """Collects the forms of a page, and its links by their text."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: dict[str, str] = {}
        self._link: tuple[str, list[str]] | None = None  # where the open one leads, and its text up to here

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(values.get("action", "")))
        elif tag == "a":
            self._link = (values.get("href", ""), [])
        elif tag == "input" and self.forms and values.get("name") and _is_submitted(values):
            self.forms[-1].fields.setdefault(values["name"], []).append(values.get("value", "on"))

    def handle_data(self, data: str) -> None:
        if self._link is not None:
            self._link[1].append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "a" and self._link is not None:
            address, texts = self._link
            self.links.setdefault("".join(texts).strip(), address)
            self._link = None


def _is_submitted(values: dict[str, str]) -> bool:
    return values.get("type") not in ("checkbox", "radio", "submit") or "checked" in values


class Page:
    """A page that was loaded."""

    def __init__(self, response: httpx.Response) -> None:
        self.url = response.url
        self.status = response.status_code
        parser = _PageParser()
        parser.feed(response.text)
        self.links = parser.links
        self._forms = parser.forms

    def find_form(self, path: str) -> Form | None:
        """The page's form that is sent to this path."""
        return next((form for form in self._forms if urlsplit(form.action).path == path), None)


class Browser:
    """Shows the pages of one visitor. Its methods raise StackError when nothing answers."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def open(self, url: str | httpx.URL) -> Page:
        """Load a page."""
        return Page(await self._request("GET", url))

    async def submit(self, page: Page, path: str, fields: dict[str, str]) -> Page:
        """Submit the page's form for this path with these fields set; returns the page to which the answer leads.

        Raises StackError when the page could not be loaded or has no such form.
        """
        form = page.find_form(path)
        if page.status != 200 or form is None:
            raise StackError(f"{page.url.host}{page.url.path} has no form for {path} (status {page.status})")
        response = await self._request(
            "POST",
            page.url.join(form.action),
            data={**form.fields, **fields},
            headers={"Origin": f"{page.url.scheme}://{page.url.netloc.decode()}", "Sec-Fetch-Site": "same-origin"},
        )
        # Not by httpx itself, which would send these headers to the target of the redirect, too.
        while response.has_redirect_location:
            response = await self._request("GET", response.url.join(response.headers["location"]))
        return Page(response)

    async def _request(
        self,
        method: str,
        url: str | httpx.URL,
        data: dict[str, str | list[str]] | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        try:
            return await self._client.request(method, url, data=data, headers=headers)
        except httpx.TransportError as error:
            path = httpx.URL(url).path
            raise StackError(f"{path} could not be loaded: {type(error).__name__}") from error


@asynccontextmanager
async def open_browser() -> AsyncIterator[Browser]:
    """A new browser, which sends Secure cookies without TLS, as browsers do to loopback addresses, unlike httpx."""
    cookies: SimpleCookie = SimpleCookie()

    async def store_cookies(response: httpx.Response) -> None:
        for line in response.headers.get_list("set-cookie"):
            cookies.load(line)

    async def add_cookies(request: httpx.Request) -> None:
        # Expired cookies were set to an empty value.
        request.headers["Cookie"] = "; ".join(f"{name}={one.value}" for name, one in cookies.items() if one.value)

    async with httpx.AsyncClient(
        timeout=REQUEST_TIMEOUT_S, event_hooks={"request": [add_cookies], "response": [store_cookies]}
    ) as client:
        yield Browser(client)
