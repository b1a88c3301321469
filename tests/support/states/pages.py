"""Pages around the rooms: sign-in, lists, the request form, settings, the API's description."""

from __future__ import annotations

from collections.abc import Iterator

from playwright.sync_api import Page

from tests.support.browser import see, sign_in
from tests.support.states.cast import Cast, State

ELSEWHERE = "Another hospital {}"


def page_states(cast: Cast) -> Iterator[State]:
    yield from _signing_in(cast)
    yield from _lists(cast)
    yield from _form(cast)
    page = cast.signed_in("specialist")
    page.get_by_test_id("open-settings").click()
    see(page, "change-password")
    yield State("settings-plain", page)
    page.goto(f"{cast.demo.base_url}/#/nowhere")
    see(page, "wrong-page")
    yield State("wrong-address", page)
    page.goto(f"{cast.demo.base_url}/docs")
    page.locator("h1").first.wait_for()
    page.wait_for_load_state("networkidle")
    yield State("docs-api", page)


def _signing_in(cast: Cast) -> Iterator[State]:
    page = cast.page()
    page.goto(cast.demo.base_url)
    see(page, "username")
    yield State("signin-plain", page)
    sign_in(page, cast.demo.base_url, ("nobody", "a wrong password"))
    page.locator("#sign-in-problem:not(:empty)").wait_for()
    yield State("signin-wrong", page)
    careful = cast.add_user(f"careful-{cast.language.lower()}", "auditor", "Demo township clinic")
    sign_in(page, cast.demo.base_url, (careful["username"], careful["password"]))
    see(page, "totp-code")
    yield State("signin-totp", page)


def _lists(cast: Cast) -> Iterator[State]:
    page = cast.signed_in("specialist")
    see(page, "join-demo")
    yield State("list-specialist", page)
    page.get_by_test_id("sign-out").click()
    see(page, "sign-in")
    yield State("signin-after-leaving", page)
    page = cast.signed_in("site")
    see(page, "onsite-demo")
    yield State("list-site", page)
    elsewhere = ELSEWHERE.format(cast.language)
    cast.add_organisation(elsewhere)
    stranger = cast.add_user(f"stranger-{cast.language.lower()}", "specialist", elsewhere)
    page = cast.page()
    sign_in(page, cast.demo.base_url, (stranger["username"], stranger["password"]))
    see(page, "no-consultations")
    yield State("list-empty", page)


def _form(cast: Cast) -> Iterator[State]:
    page = cast.signed_in("site")
    page.get_by_test_id("new-consultation").click()
    see(page, "form")
    page.get_by_test_id("invited").wait_for()
    yield State("form-empty", page)
    page.get_by_test_id("open-consultation").click()
    see(page, "problem-name")
    yield State("form-mistakes", page)
    fill_form(page)
    yield State("form-filled", page)


def fill_form(page: Page) -> None:
    """A request that is complete, but for who is invited."""
    page.get_by_test_id("patient-name").fill("欧阳小明")
    page.get_by_test_id("patient-sex").select_option("male")
    page.get_by_test_id("patient-age").fill("57")
    page.get_by_test_id("exam-number").fill("US-20999")
    page.get_by_test_id("specialty").fill("cardiac")
    page.get_by_test_id("question").fill("Is the mitral valve tight? 二尖瓣是否关闭不全？")
    page.get_by_test_id("consent-consult").check()
    page.get_by_test_id("consent-record").check()
