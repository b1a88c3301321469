"""Remote control on the box's own page: what it shows, who may press its buttons, a badge read in peace."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from typer.testing import CliRunner

from core.device_health import DeviceHealth
from edge_agents import box_cli
from edge_agents.cli import app
from edge_agents.control import Act
from edge_agents.control_page import CONTROL_STYLE
from edge_agents.control_words import CONTROL_WORDS
from edge_agents.status import BoxStatus, ControlStatus
from edge_agents.status_page import serving_on

ASKED = ControlStatus(
    feed="ultrasound", control_id="c_1", stage="granted", name="Dr. <Wang>", organisation="City Hospital",
    minutes=5, left_s=101, ways=("code", "touch"), code="042017", tries_left=2,
)  # fmt: skip
ACTIVE = ASKED.model_copy(update={"stage": "active", "code": "", "left_s": 299})
BADGE = ASKED.model_copy(update={"ways": ("badge",), "code": ""})
OWN = {"Sec-Fetch-Site": "same-origin"}


@dataclass
class Shown:
    session: aiohttp.ClientSession
    origin: str
    controls: list[ControlStatus] = field(default_factory=list)
    acts: list[tuple[Act, str, str, str]] = field(default_factory=list)

    async def text(self, path: str = "/", language: str = "en") -> str:
        async with self.session.get(path, headers={"Accept-Language": language}) as response:
            assert response.status == 200
            return await response.text()

    async def post(self, form: dict[str, str], headers: dict[str, str] = OWN) -> int:
        async with self.session.post("/control", data=form, headers=headers, allow_redirects=False) as got:
            return got.status

    async def form(self, act: str, path: str = "/") -> dict[str, str]:
        """The fields of the form that does this, as a browser would send them."""
        for form in re.findall(r"<form.*?</form>", await self.text(path)):
            fields = dict(re.findall(r"type='hidden' name='(\w+)' value='([^']*)'", form))
            if fields["act"] == act:
                return {name: html.unescape(value) for name, value in fields.items()}
        raise AssertionError(f"no form for {act}")


@pytest.fixture
async def shown() -> AsyncIterator[Shown]:
    made: Shown | None = None

    def look() -> BoxStatus:
        controls = [] if made is None else made.controls
        return BoxStatus(state="attending", server="https://c", health=DeviceHealth(), controls=controls)

    def act(wanted: Act, feed: str, control_id: str, badge: str) -> None:
        assert made is not None
        made.acts.append((wanted, feed, control_id, badge))

    async with serving_on(0, look, act) as port:
        origin = f"http://127.0.0.1:{port}"
        async with aiohttp.ClientSession(origin) as session:
            made = Shown(session, origin)
            yield made


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_who_asks_for_what_how_long_and_the_code_are_shown(shown: Shown, language: str) -> None:
    shown.controls = [ASKED]
    text = await shown.text(language=language)
    said = html.unescape(re.sub(r"<[^>]+>", " ", text))
    for part in ("Dr. <Wang> (City Hospital)", "ultrasound", "5", "1:41", "042 017", "2"):
        assert part in said, part
    words = CONTROL_WORDS["zh" if language == "zh" else "en"]
    assert words.allow in said
    assert words.refuse in said
    assert "Dr. <Wang>" not in text, "a name is text and nothing else"
    assert "<script" not in text


async def test_while_it_is_active_what_is_left_and_stop_are_shown(shown: Shown) -> None:
    shown.controls = [ACTIVE]
    text = await shown.text()
    assert "4:59 left" in text
    assert ">Stop</button>" in text
    assert "Allow" not in text
    assert '<meta http-equiv="refresh" content="3">' in text


def test_buttons_are_for_gloves() -> None:
    heights = [int(found) for found in re.findall(r"min-height: (\d+)px", CONTROL_STYLE)]
    assert len(heights) == 3
    assert min(heights) >= 64


async def test_each_button_does_what_it_says_to_the_control_that_was_shown(shown: Shown) -> None:
    for control, act in ((ASKED, "allow"), (ASKED, "refuse"), (ACTIVE, "stop")):
        shown.controls = [control]
        assert await shown.post(await shown.form(act)) == 303
    assert shown.acts == [(act, "ultrasound", "c_1", "") for act in ("allow", "refuse", "stop")]


async def test_without_touch_there_is_no_button_to_allow_it(shown: Shown) -> None:
    shown.controls = [ASKED.model_copy(update={"ways": ("code",)})]
    text = await shown.text()
    assert "Allow" not in text
    assert "Refuse" in text


async def test_a_page_from_elsewhere_presses_nothing(shown: Shown) -> None:
    shown.controls = [ASKED]
    form = await shown.form("allow")
    for headers in (
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "cross-site", "Origin": shown.origin},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
    ):
        assert await shown.post(form, headers) == 403, headers
    assert await shown.post(form, OWN | {"Host": "evil.example"}) == 421
    assert await shown.post(form | {"token": "guessed"}) == 403
    assert await shown.post(form | {"token": "é"}) == 403
    assert await shown.post(form | {"act": "format"}) == 400
    assert await shown.post(form | {"badge": "x" * 5000}) == 413
    assert shown.acts == []
    assert await shown.post(form, {"Origin": shown.origin}) == 303
    assert len(shown.acts) == 1


async def test_the_form_token_is_nowhere_but_in_the_page(shown: Shown) -> None:
    shown.controls = [ASKED]
    token = (await shown.form("allow"))["token"]
    assert len(token) >= 20
    assert token not in await shown.text("/status.json")
    assert token not in await shown.text("/status.css")


async def test_a_badge_is_read_into_a_field_that_stands_still_while_the_rest_goes_on(shown: Shown) -> None:
    shown.controls = [BADGE]
    text = await shown.text()
    assert re.findall(r'http-equiv="refresh" content="(\d+)"', text) == ["102"], "when its time is up"
    assert " autofocus" in text
    assert '<iframe src="/now?lang=en"' in text
    inside = await shown.text("/now")
    assert 'content="3"' in inside
    assert "1:41" in inside
    assert "autofocus" not in inside
    assert "type='password'" not in inside
    form = await shown.form("badge")
    assert await shown.post(form | {"badge": "张三 7"}) == 303
    assert shown.acts == [("badge", "ultrasound", "c_1", "张三 7")]
    shown.controls = [BADGE.model_copy(update={"stage": "active"})]
    assert "<iframe" not in await shown.text()


async def test_a_button_in_the_frame_loads_the_whole_page_anew(shown: Shown) -> None:
    shown.controls = [BADGE]
    assert all("target='_top'" in form for form in re.findall(r"<form[^>]*>", await shown.text("/now")))


async def test_an_unknown_badge_and_codes_that_rest_are_said(shown: Shown) -> None:
    shown.controls = [BADGE.model_copy(update={"wrong_badge": True})]
    assert "does not know that badge" in await shown.text("/now")
    shown.controls = [ASKED.model_copy(update={"code": ""})]
    assert "Too many wrong codes" in await shown.text()


async def test_a_page_without_controls_takes_nothing() -> None:
    status = BoxStatus(state="idle", server="https://c", health=DeviceHealth())
    async with (
        serving_on(0, lambda: status) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session,
        session.post("/control", data={}, headers=OWN) as response,
    ):
        assert response.status == 404


@pytest.mark.parametrize(
    ("control", "says"),
    [(ASKED, "Code: 042 017."), (ACTIVE, "Dr. <Wang> (City Hospital) controls ultrasound. 4:59 left")],
)
async def test_edge_status_shows_the_request_its_code_and_what_is_active(
    shown: Shown, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, control: ControlStatus, says: str
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(box_cli, "DEFAULT_STATUS_PORT", int(shown.origin.rpartition(":")[2]))
    shown.controls = [control]
    command = ["status", "--config", str(tmp_path / "none.toml")]
    done = await asyncio.to_thread(CliRunner().invoke, app, command)
    assert done.exit_code == 0, done.exception
    assert says in done.stdout


def test_both_languages_name_the_same_things() -> None:
    for name, text in vars(CONTROL_WORDS["en"]).items():
        other = getattr(CONTROL_WORDS["zh"], name)
        assert set(re.findall(r"{\w+}", text)) == set(re.findall(r"{\w+}", other)), name
