"""axe-core on a page as it is, and what does not fit a narrow screen."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

AXE = Path(__file__).parents[2] / "web_client" / "node_modules" / "axe-core" / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
"""WCAG 2.2 AA and axe's best practices."""
NARROW_PX = 360

RUN = "tags => axe.run(document, { runOnly: tags, resultTypes: ['violations'] }).then(r => r.violations)"
SIDEWAYS = """() => {
  const width = document.documentElement.clientWidth;
  const scrollable = document.scrollingElement.scrollWidth - width;
  const clipped = (element) => {
    for (let at = element.parentElement; at !== null; at = at.parentElement) {
      const { overflowX } = getComputedStyle(at);
      if (overflowX === "auto" || overflowX === "scroll") return true;
    }
    return false;
  };
  const outside = [...document.querySelectorAll("button, a[href], input, select, textarea, summary")]
    .filter((element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: true }))
    .filter((element) => {
      const { left, right, width: own } = element.getBoundingClientRect();
      return own > 1 && (left < -1 || right > width + 1) && !clipped(element);
    })
    .map((element) => element.dataset.testid ?? element.textContent.slice(0, 40));
  return { scrollable, outside };
}"""


@cache
def _axe() -> str:
    return AXE.read_text(encoding="utf-8")


def violations(page: Page) -> list[str]:
    """What axe-core finds, one line each."""
    page.evaluate(_axe())
    found: list[dict[str, Any]] = page.evaluate(RUN, TAGS)
    return [_line(violation) for violation in found]


def assert_accessible(page: Page) -> None:
    found = violations(page)
    assert not found, "\n".join(found)


def sideways(page: Page) -> list[str]:
    """What makes a page 360 px wide scroll to the side, or stands beyond its edge."""
    before = page.viewport_size
    page.set_viewport_size({"width": NARROW_PX, "height": 740})
    try:
        page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        found = page.evaluate(SIDEWAYS)
    finally:
        if before is not None:
            page.set_viewport_size(before)
    wide = [f"scrolls {found['scrollable']} px to the side"] if found["scrollable"] > 0 else []
    return wide + [f"out of reach: {name}" for name in found["outside"]]


def _line(violation: dict[str, Any]) -> str:
    places = [" ".join(str(part) for part in node["target"]) for node in violation["nodes"][:4]]
    why = violation["nodes"][0].get("failureSummary", "").replace("\n", " ")[:300]
    return f"{violation['id']} ({violation['impact']}): {violation['help']}; at {places}; {why}"
