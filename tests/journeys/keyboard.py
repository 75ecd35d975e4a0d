"""Pages that are used with keys alone: what is used has the focus, which can be seen."""

from dataclasses import dataclass
from datetime import date

from playwright.async_api import Page, expect

MAX_TABS = 150
#: What has the focus: its name without what is only explained with it, and why somebody would not see where they are.
_LOOK = """
    () => {
        const one = document.activeElement;
        const source = one.labels && one.labels[0] || one;
        const copy = source.cloneNode(true);
        for (const more of copy.querySelectorAll("small, .hidden, .error, select")) more.remove();
        const name = (one.getAttribute("aria-label") || copy.textContent).replace(/\\s+/g, " ").trim();
        const style = getComputedStyle(one), box = one.getBoundingClientRect();
        if (style.outlineStyle === "none" && style.boxShadow === "none") return [name, "has no outline"];
        const isAcross = box.right > 0 && box.left < innerWidth, isDown = box.bottom > 0 && box.top < innerHeight;
        return [name, box.width && isAcross && isDown ? "" : "is out of view"];
    }
"""


@dataclass
class Keyboard:
    """The keys of somebody who uses no mouse."""

    page: Page

    async def reach(self, name: str, *, back: bool = False) -> None:
        """Press Tab, or Shift+Tab, until what has this name has the focus, which can be seen.

        A long name is given by its beginning and "…".
        """
        passed = []
        for _ in range(MAX_TABS):
            await self.page.keyboard.press("Shift+Tab" if back else "Tab")
            focused, hindrance = await self.page.evaluate(_LOOK)
            if focused == name or (name.endswith("…") and focused.startswith(name[:-1])):
                assert not hindrance, f"the focus on {name} cannot be seen: it {hindrance}"
                return
            passed.append(focused)
        raise AssertionError(f"no Tab leads to {name}, but to {passed}")

    async def press(self, *keys: str) -> None:
        """Press these keys, one after the other."""
        for key in keys:
            await self.page.keyboard.press(key)

    async def use(self, name: str, key: str = "Enter") -> None:
        """Reach a link, a button or a box, and use it on the same page."""
        await self.reach(name)
        await self.press(key)

    async def follow(self, name: str, *, back: bool = False) -> None:
        """Reach a link or a button that leads to another page, and go there."""
        await self.reach(name, back=back)
        await self.go_on()

    async def go_on(self) -> None:
        """Press Enter in a form or on a link, until the next page is there."""
        async with self.page.expect_navigation():
            await self.press("Enter")

    async def enter(self, name: str, text: str, *, back: bool = False) -> None:
        """Reach a field, and type this instead of what is in it."""
        await self.reach(name, back=back)
        await self.press("ControlOrMeta+a")
        await self.page.keyboard.type(text)

    async def type_day(self, day: date) -> None:
        """Type a day into the field that has the focus."""
        for order in ("%d%m%Y", "%m%d%Y"):  # which one a browser wants is a matter of where it runs
            await self.press("ArrowLeft", "ArrowLeft")
            await self.page.keyboard.type(f"{day:{order}}")
            if await self.page.evaluate("document.activeElement.value") == day.isoformat():
                return
        raise AssertionError(f"{day} cannot be typed")

    async def sees(self, text: str) -> None:
        """A page, or a part of one, says this now."""
        await expect(self.page.get_by_text(text).first).to_be_visible()

    async def is_at(self, name: str) -> None:
        """What has this name has the focus, without that anything was pressed."""
        focused, hindrance = await self.page.evaluate(_LOOK)
        assert (focused, hindrance) == (name, "")
