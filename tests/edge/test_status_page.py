"""The box's own page: what it shows, to whom, and that it brings nothing from elsewhere."""

from __future__ import annotations

import html
import json
import re
from collections.abc import AsyncIterator
from typing import get_args

import aiohttp
import pytest
import structlog

from core.device_health import DeviceHealth, FeedHealth, SignalState, Trouble
from edge_agents.status import BoxState, BoxStatus
from edge_agents.status_page import CSP, render, serving_on, serving_status
from edge_agents.status_words import WORDS

FEED = FeedHealth(
    feed="ultrasound", signal="ok", flowing=True, sent=True, frames_per_s=29.9, encoder="libx264",
    width=1920, height=1080, uplink_bps=7_400_000,
)  # fmt: skip
HEALTH = DeviceHealth(
    feeds=[FEED], version="1.2", temperature_c=61.4, clock_off_ms=-612, memory_bytes=400 << 20,
    disk_free_bytes=9 << 30, buffer_bytes=12 << 20,
)  # fmt: skip
STATUS = BoxStatus(
    state="attending", server="https://consult", device_id="d_1", name="Theatre <3>", room="demo",
    in_room=True, health=HEALTH, troubles=HEALTH.troubles,
)  # fmt: skip


@pytest.fixture
async def page() -> AsyncIterator[aiohttp.ClientSession]:
    async with (
        serving_on(0, lambda: STATUS) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session,
    ):
        yield session


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_the_page_shows_feeds_signal_encoder_uplink_buffer_temperature_version_and_clock(
    page: aiohttp.ClientSession, language: str
) -> None:
    async with page.get("/", headers={"Accept-Language": f"{language},en;q=0.5"}) as response:
        text = html.unescape(await response.text())
    for part in (
        "ultrasound",
        "29.9",
        "libx264",
        "1920 × 1080",
        "7.4 Mbit/s",
        "12 MiB",
        "61 °C",
        "1.2",
        "-612 ms",
    ):
        assert part in text, part
    assert WORDS["zh" if language == "zh" else "en"].states["attending"] in text
    assert WORDS["zh" if language == "zh" else "en"].troubles["clock_off"] in text


async def test_the_language_can_be_changed_on_the_page(page: aiohttp.ClientSession) -> None:
    async with page.get("/?lang=zh", headers={"Accept-Language": "en"}) as response:
        text = await response.text()
    assert 'lang="zh-CN"' in text
    assert 'href="/?lang=en"' in text


async def test_nothing_comes_from_elsewhere_and_no_script_runs(page: aiohttp.ClientSession) -> None:
    for path in ("/", "/status.json", "/status.css", "/nothing"):
        async with page.get(path) as response:
            assert response.headers["Content-Security-Policy"] == CSP
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            text = await response.text()
        assert "<script" not in text
        assert not re.findall(r"(?:src|href)=[\"'](?!/)", text)
    assert "default-src 'none'" in CSP


async def test_names_are_text_and_nothing_else(page: aiohttp.ClientSession) -> None:
    async with page.get("/") as response:
        text = await response.text()
    assert "Theatre &lt;3&gt;" in text
    assert "<3>" not in text


async def test_a_page_that_pretends_to_be_this_machine_reads_nothing(page: aiohttp.ClientSession) -> None:
    for host in ("evil.example", "evil.example:8790", "127.0.0.1.evil.example"):
        async with page.get("/status.json", headers={"Host": host}) as response:
            assert response.status == 421
            assert "ultrasound" not in await response.text()
    async with page.get("/status.json", headers={"Host": "localhost:1"}) as response:
        assert response.status == 200


async def test_the_same_is_there_for_programs(page: aiohttp.ClientSession) -> None:
    async with page.get("/status.json") as response:
        assert BoxStatus.model_validate_json(await response.read()) == STATUS


async def test_it_only_shows(page: aiohttp.ClientSession) -> None:
    for method in ("POST", "PUT", "DELETE"):
        async with page.request(method, "/") as response:
            assert response.status == 405


async def test_a_port_that_is_taken_costs_the_page_not_the_pictures(page: aiohttp.ClientSession) -> None:
    taken = page._base_url.port if page._base_url is not None else 0
    with structlog.testing.capture_logs() as said:
        async with serving_status(taken or 0, lambda: STATUS) as port:
            assert port == 0
    assert [line["event"] for line in said] == ["status_page_unavailable"]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_state_trouble_and_signal_has_words(language: str) -> None:
    words = WORDS["zh" if language == "zh" else "en"]
    assert set(words.states) == set(get_args(BoxState))
    assert set(words.troubles) == set(get_args(Trouble))
    assert set(words.signals) == set(get_args(SignalState))


def test_a_box_that_knows_nothing_yet_has_a_page_too() -> None:
    bare = BoxStatus(state="starting", server="https://consult", health=DeviceHealth())
    assert WORDS["en"].not_enrolled in render(bare, "en")
    assert json.loads(bare.model_dump_json())["device_id"] == ""
