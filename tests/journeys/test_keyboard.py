"""Everything that people and organisers do, with keys alone: no click, and nothing that is filled in otherwise."""

from datetime import UTC, datetime, timedelta

from journey_site import Person, Site, authorize
from keyboard import Keyboard
from playwright.async_api import Page, expect

NAME = "Kasia Klawisz"


async def test_somebody_joins_and_teams_up(site: Site) -> None:
    async with site.person() as person:
        await _join(person.page, site.stack.athletes[7].id)
        await _team_up(person.page)


async def test_a_challenge_is_made_changed_closed_and_deleted(organiser: Person) -> None:
    page = organiser.page
    await page.goto("/admin")
    await _create_a_challenge(page)
    await _add_a_board(page)
    await _preview_and_edit(page)
    await _deal_people_out(page)
    await _close_and_delete(page)


async def test_activities_participants_and_keys_are_managed(organiser: Person) -> None:
    page = organiser.page
    await page.goto("/admin")
    await _exclude_an_activity(page)
    await _hide_somebody(page)
    await _make_and_revoke_a_key(page)


async def _join(page: Page, athlete_id: int) -> None:
    keys = Keyboard(page)
    await page.goto("/")
    await keys.follow("Join the challenge")
    await keys.use("Connect with Strava")
    await expect(page.get_by_role("checkbox")).to_be_focused()
    await keys.press("Space")
    await keys.follow("Connect with Strava")
    await authorize(page, athlete_id)
    await page.wait_for_url("**/welcome")
    await keys.enter("How boards name you", " ")
    await keys.go_on()
    await keys.sees("A name has 1 to 80 characters.")
    await keys.is_at("How boards name you")
    await page.keyboard.type(NAME)
    await keys.go_on()
    await keys.sees("This is your name now.")
    await keys.follow("To the board")
    await expect(page.get_by_role("link", name=NAME).first).to_be_visible()


async def _team_up(page: Page) -> None:
    keys = Keyboard(page)
    await keys.follow("Teams")
    await _create_a_team(keys, "Klawisze")
    await keys.follow("Rename or delete")
    await keys.enter("Name of the team", " ")
    await keys.go_on()
    await keys.sees("Please give a name of 1 to 60 characters.")
    await keys.is_at("Name of the team")
    await page.keyboard.type("Tabulatory")
    await keys.follow("Save")
    await keys.sees("The team has its new name.")
    await expect(page.get_by_role("heading", name="Tabulatory")).to_be_visible()
    await keys.follow("Leave the team")
    await keys.sees("You are in no team now.")
    await _create_a_team(keys, "Enter")
    await keys.follow("Rename or delete")
    await keys.follow("Delete the team…")
    await keys.sees("Delete “Enter”?")
    await keys.follow("Delete the team")
    await keys.sees("The team is deleted.")


async def _create_a_team(keys: Keyboard, name: str) -> None:
    await keys.follow("Create a team")
    await keys.enter("Name of the team", name)
    await keys.follow("Create the team")
    await keys.sees("The team is there, and you are its first member.")


async def _create_a_challenge(page: Page) -> None:
    keys = Keyboard(page)
    await keys.follow("Challenges")
    await keys.follow("New challenge")
    await keys.enter("Name", "Keys Cup")
    today = datetime.now(UTC).date()
    await keys.reach("First day")
    await keys.type_day(today - timedelta(days=19))
    await keys.reach("Last day, included")
    await keys.type_day(today - timedelta(days=20))
    await keys.follow("Create")
    await keys.sees("The last day must not be before the first one.")
    await expect(page.locator("#problems")).to_be_focused()
    await keys.use("Last day, included: …")
    await expect(page.get_by_label("Last day, included")).to_be_focused()
    await keys.type_day(today - timedelta(days=2))
    await keys.enter("Team size", "50")
    await keys.follow("Create")
    await keys.sees("The challenge is created.")


async def _add_a_board(page: Page) -> None:
    keys = Keyboard(page)
    await keys.follow("Add a board")
    await keys.enter("Name", "Kilometres")
    await keys.use("Ranks by", "ArrowDown")
    await keys.press("ArrowUp")
    await keys.use("Run", "Space")
    await keys.use("Ride", "Space")
    await keys.use("On snow and ice")
    await keys.use("Alpine skiing", "Space")
    await keys.follow("Save")
    await keys.sees("Saved. It is shown as soon as it is computed.")
    await keys.reach("Add a milestone")
    await expect(page.get_by_text("New rules are being computed.")).to_have_count(0)
    await keys.is_at("Add a milestone")
    await expect(page.get_by_role("cell", name="Run, Ride, Alpine skiing")).to_be_visible()


async def _preview_and_edit(page: Page) -> None:
    keys = Keyboard(page)
    await keys.follow("Kilometres", back=True)
    await keys.use("On foot", "Tab")
    await keys.use("Walk", "Space")
    await keys.follow("Preview")
    await expect(page.locator("#preview tbody tr").first).to_be_visible()
    await keys.enter("Name", "All kilometres")
    await keys.follow("Save")
    await keys.sees("Saved. It is shown as soon as it is computed.")
    await expect(page.get_by_role("rowheader", name="All kilometres")).to_be_visible()


async def _exclude_an_activity(page: Page) -> None:
    keys = Keyboard(page)
    await keys.follow("Activities")
    await keys.use("Exclude")
    await keys.use("Exclude it")
    await keys.sees("Please fill this in.")
    await expect(page.locator("#problems")).to_be_focused()
    await keys.enter("Reason, for its owner to read", "a watch that was wrong")
    await keys.use("Exclude it")
    await keys.sees("The activity counts nowhere now, and its owner reads why.")
    await keys.sees("Excluded: a watch that was wrong")
    await keys.is_at("Include again")
    await keys.press("Enter")
    await keys.sees("The activity counts again, unless its owner excluded it.")
    await keys.is_at("Exclude")


async def _deal_people_out(page: Page) -> None:
    keys = Keyboard(page)
    await keys.follow("Challenges")
    await keys.follow("Keys Cup")
    await keys.follow("Teams")
    await keys.enter("How many teams", "1")
    await keys.reach("Evenly")
    await keys.press("ArrowDown")
    await keys.follow("Deal out")
    await keys.sees("People are dealt out to teams.")
    await keys.sees("The seed of the random order was")
    await expect(page.get_by_role("rowheader", name="Team 1")).to_be_visible()


async def _make_and_revoke_a_key(page: Page) -> None:
    keys = Keyboard(page)
    await keys.follow("API keys")
    await keys.enter("Name", "typed")
    await keys.follow("Make the key")
    await keys.is_at("The key")
    await keys.follow("I have copied it")
    await expect(page.get_by_role("rowheader", name="typed")).to_be_visible()
    await keys.follow("Revoke")
    await keys.sees("Revoke the key “typed”?")
    await keys.follow("Revoke it")
    await keys.sees("The key is revoked and refused from now on.")


async def _hide_somebody(page: Page) -> None:
    keys = Keyboard(page)
    board = await page.context.new_page()
    await board.goto("/c/main/running")
    own = board.locator("tr.me")
    await expect(own).to_have_count(1)
    await page.bring_to_front()
    await keys.follow("Participants")
    await keys.enter("Name", await page.locator(".who").inner_text())
    await keys.go_on()
    await keys.sees("1 found")
    await keys.use("Hide")
    await keys.sees("They are hidden from all boards.")
    await keys.is_at("Show")
    await expect(own).to_have_count(0)
    await keys.press("Enter")
    await keys.sees("They are on the boards again.")
    await keys.is_at("Hide")
    await expect(own).to_have_count(1)
    await board.close()


async def _close_and_delete(page: Page) -> None:
    keys = Keyboard(page)
    await keys.follow("Challenges")
    await keys.follow("Keys Cup")
    await keys.follow("Close")
    await keys.follow("Close it for good")
    await keys.sees("The challenge is closed. These results are final.")
    await keys.follow("Keys Cup")
    await keys.follow("Delete")
    await keys.follow("Delete the challenge")
    await keys.sees("The challenge is deleted.")
    await expect(page.get_by_role("link", name="Keys Cup")).to_have_count(0)
