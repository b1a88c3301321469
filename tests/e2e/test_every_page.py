"""Every page and state, in both languages: no violation for axe-core, nothing sideways at 360 px."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.support.accessibility import sideways, violations
from tests.support.browser import SHARE_WHOLE_SCREEN, chromium
from tests.support.demo import Demo
from tests.support.states import GROUPS
from tests.support.states.cast import played

pytestmark = [pytest.mark.browser, pytest.mark.timeout(420)]

IN_CHINESE_TOO = ("pages", "boxes", "doors")
"""Elsewhere the same elements hold other, shorter words; their contrast and names do not change."""
CASES = [(group, "en") for group in GROUPS] + [(group, "zh-CN") for group in IN_CHINESE_TOO]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium(SHARE_WHOLE_SCREEN) as launched:
        yield launched


@pytest.mark.parametrize(("group", "language"), CASES)
def test_every_state_is_accessible_and_fits_a_narrow_screen(
    small_demo: Demo, browser: Browser, group: str, language: str
) -> None:
    problems: list[str] = []
    names: list[str] = []
    for state in played(GROUPS[group], small_demo, browser, language):
        names.append(state.name)
        problems += [f"{state.name}: {found}" for found in violations(state.page)]
        problems += [f"{state.name}: {found}" for found in sideways(state.page)]
    print(f"{group}, {language}: {len(names)} states looked at: {', '.join(names)}")
    assert not problems, "\n".join(problems)
