"""How a stay ends: removed, full, signed out, over. In rooms of their own, without pictures."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import aiohttp
from playwright.sync_api import Page

from tests.support.browser import open_panel, see
from tests.support.loop_thread import LoopThread
from tests.support.rest import Rest
from tests.support.states.cast import Cast, State

SEATS = 100
SEATS_EACH = 8


def ending_states(cast: Cast) -> Iterator[State]:
    room = cast.another_room()
    site, specialist = cast.in_room("site", room), cast.in_room("specialist", room)
    yield State("room-nofeeds", specialist)
    open_panel(site, "people")
    site.locator('[data-testid^="remove-"]').first.click()
    yield State("room-removing", site)
    site.get_by_test_id("confirm").click()
    yield ended(specialist, "removed", "ended-removed")
    waiting = cast.page()
    waiting.goto(cast.site().invite("Dr Guest 客", room=room, lobby=False)["url"])
    waiting.get_by_test_id("invite-enter").click()
    see(waiting, "enter")
    waiting.get_by_test_id("enter").click()
    see(waiting, "room")
    with crowd(cast, room):
        late = cast.in_room("specialist2", room)
        yield ended(late, "refused", "ended-full")
    site.get_by_test_id("end").click()
    site.get_by_test_id("confirm").click()
    yield ended(site, "consultation-ended", "ended-over")
    yield ended(waiting, "consultation-ended", "ended-guest")


def ended(page: Page, kind: str, name: str) -> State:
    page.locator(f'[data-testid="room-ended"][data-ending="{kind}"]').wait_for(timeout=30_000)
    return State(name, page)


@contextlib.contextmanager
def crowd(cast: Cast, room: str) -> Iterator[None]:
    """As many guests as the room holds, without browsers."""
    tokens = [_guest_token(cast, room, number) for number in range(SEATS // SEATS_EACH + 1)]
    with LoopThread() as loop:
        session = loop.run(_session())
        try:
            loop.run(_fill(session, cast.demo.base_url, room, tokens))
            yield
        finally:
            loop.run(session.close())


def _guest_token(cast: Cast, room: str, number: int) -> str:
    url = cast.site().invite(f"Guest {number}", room=room, lobby=False)["url"]
    token = {"token": url.rsplit("/", 1)[1]}
    redeemed = Rest(cast.demo.base_url).expect(200, "POST", "/api/v1/invitations/redeem", token)
    return Rest(cast.demo.base_url, redeemed["access_token"]).room_token(room)


async def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession()


async def _fill(session: aiohttp.ClientSession, base_url: str, room: str, tokens: list[str]) -> None:
    """Sit down until somebody is refused."""
    for token in tokens:
        for _ in range(SEATS_EACH):
            protocols = ("teleconsult.v1", f"token.{token}")
            socket = await session.ws_connect(f"{base_url}/ws?room={room}", protocols=protocols)
            await socket.send_json({"type": "hello"})
            if (await socket.receive_json())["type"] == "error":
                return
