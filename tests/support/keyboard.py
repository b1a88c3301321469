"""A person without a mouse: Tab, Enter, Space, arrows and what is typed."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

MOST_TABS = 120

FOCUS = """() => {
  const at = document.activeElement;
  const style = getComputedStyle(at);
  const ring = (s) => (s.outlineStyle !== "none" && parseFloat(s.outlineWidth) > 0) || s.boxShadow !== "none";
  const label = at.closest("label");
  return {
    testid: at.dataset.testid ?? null,
    what: at.tagName + " " + (at.getAttribute("aria-label") ?? at.textContent ?? "").slice(0, 60),
    visible: ring(style) || (label !== null && ring(getComputedStyle(label))),
    // The page's own place, such as the heading that a new page begins with, is no control.
    place: at === document.body || at.getAttribute("tabindex") === "-1",
  };
}"""


class Keyboard:
    """Moves by Tab only, and insists on seeing where it is."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.unseen: list[str] = []
        """Where the focus was and could not be seen."""

    def at(self) -> dict[str, Any]:
        found: dict[str, Any] = self._page.evaluate(FOCUS)
        return found

    def go_to(self, testid: str) -> None:
        """Tab until the focus is there; fails when it never comes."""
        seen = []
        for _ in range(MOST_TABS):
            at = self.at()
            if not at["place"] and not at["visible"]:
                self.unseen.append(at["what"])
            if at["testid"] == testid:
                return
            seen.append(at["testid"] or at["what"])
            self._page.keyboard.press("Tab")
        raise AssertionError(f"Tab never came to {testid}; it was at {list(dict.fromkeys(seen))}")

    def press(self, *keys: str) -> None:
        for key in keys:
            self._page.keyboard.press(key)

    def type(self, testid: str, text: str) -> None:
        self.go_to(testid)
        self._page.keyboard.insert_text(text)

    def choose(self, testid: str) -> None:
        """Go there and press Enter."""
        self.go_to(testid)
        self.press("Enter")

    def tick(self, testid: str) -> None:
        self.go_to(testid)
        self.press("Space")
