"""Signs simulated athletes in through the public pages."""

from devstack.errors import StackError
from devstack.stack.browser import Browser, open_browser


async def sign_in(web_url: str, athlete_id: int) -> None:
    """Sign in with a new browser; see `sign_in_with`."""
    async with open_browser() as browser:
        await sign_in_with(browser, web_url, athlete_id)


async def sign_in_with(browser: Browser, web_url: str, athlete_id: int) -> None:
    """Sign in as this simulated athlete.

    Raises StackError when a page cannot be loaded or lacks the expected form.
    """
    try:
        join = await browser.open(f"{web_url}/join")
        authorize = await browser.submit(join, "/join", {"consent": "yes"})
        choice = {"athlete_id": str(athlete_id), "decision": "authorize"}
        page = await browser.submit(authorize, "/oauth/authorize", choice)
    except StackError as error:
        raise StackError(f"athlete {athlete_id} could not sign in: {error}") from error
    if page.status != 200 or page.url.path.startswith("/auth/"):
        raise StackError(f"athlete {athlete_id} could not sign in: {page.url.path} answered {page.status}")
