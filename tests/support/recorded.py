"""A demo with a consultation that is over and archived: two pictures with time codes, a voice, a chat."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import av
import pyrage
from playwright.sync_api import Browser

from archive.keys import parse_identities
from tests.support.browser import join, say
from tests.support.demo import Demo
from tests.support.rest import Rest
from tests.support.stage import new_person

CODED = {"theatre": "theatre-device-video", "monitor": "monitor-device-video"}
"""Feeds with a time code, and their tracks."""
WITHIN_S = 60.0
ENDED_WITHIN_S = 15.0
EDGE = """\
server = "{server}"
room = "demo"
token_file = "{token_file}"

[[feeds]]
name = "monitor"
profile = "theatre"
source = {{ kind = "testcard" }}
{size}
"""
SMALL = "width = 640\nheight = 360\nbitrate_bps = 1_000_000\n"


@dataclass(frozen=True)
class Recorded:
    """`consultation`: the one that is over."""

    demo: Demo
    consultation: str
    kept_heads: str = ""
    """What the specialist's browser kept of the archive, just before it left."""

    @property
    def folder(self) -> Path:
        return Path(self.demo.info["archive_dir"]) / self.consultation

    @property
    def identity(self) -> str:
        """The auditor's key file."""
        return str(self.demo.info["archive_identity"])

    def frame_times_us(self, track: str) -> list[int]:
        """When each archived picture of a track was captured, on the timeline."""
        identity = unwrapped(self)
        pieces: dict[int, bytes] = {}
        for entry in self.entries():
            if entry.get("track") == track and "object" in entry:
                clear = pyrage.decrypt((self.folder / entry["object"]).read_bytes(), [identity])
                pieces[entry["generation"]] = pieces.get(entry["generation"], b"") + clear
        return sorted(itertools.chain.from_iterable(times_us(data) for data in pieces.values()))

    def entries(self) -> list[dict[str, Any]]:
        """The manifest's, unverified."""
        return manifest(self.folder)


@contextlib.contextmanager
def recorded(
    data_dir: Path,
    browser: Browser,
    seconds: float,
    *,
    small: bool = True,
    at_last: Callable[[Recorded], None] = lambda _: None,
) -> Iterator[Recorded]:
    """Record for at least that long with a second box and a specialist in the room; then the site ends it.
    `at_last`: what happens before that.
    """
    demo = Demo.start(data_dir, *(["--small"] if small else []))
    try:
        with second_box(demo, SMALL if small else ""):
            consultation = Rest.signed_in(demo.base_url, demo.user("site")).consultation()["consultation_id"]
            found = Recorded(demo, consultation)
            found = replace(found, kept_heads=speak_and_write(demo, browser, found, seconds))
            at_last(found)
        end(found)
        yield found
    finally:
        demo.stop()


@contextlib.contextmanager
def second_box(demo: Demo, size: str) -> Iterator[None]:
    """Another capture box with a test card of its own."""
    token, config = demo.data_dir / "second.token", demo.data_dir / "second.toml"
    token.write_text(demo.info["whip_token"])
    config.write_text(EDGE.format(server=demo.base_url, token_file=token, size=size))
    with (demo.data_dir / "second.log").open("wb") as output:
        command = [sys.executable, "-m", "teleconsult", "edge", "run", "--config", str(config)]
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(ENDED_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def speak_and_write(demo: Demo, browser: Browser, found: Recorded, seconds: float) -> str:
    """A specialist comes in, speaks and writes, until enough of everything is in the archive. Returns the
    heads of it that their browser kept.
    """
    person = new_person(browser)
    try:
        page = person.new_page()
        join(page, demo.base_url, demo.user("specialist"))
        page.get_by_test_id("mic").wait_for()
        page.get_by_test_id("mic").click()
        say(page, "The valve 瓣膜 looks tight.")
        until(lambda: _long_enough(found, seconds), seconds + WITHIN_S, demo)
        return str(page.evaluate("() => localStorage.getItem('teleconsult.heads') ?? ''"))
    finally:
        person.close()


def _long_enough(found: Recorded, seconds: float) -> bool:
    lengths = dict.fromkeys(CODED.values(), 0.0)
    voices = 0
    for entry in found.entries():
        if entry["kind"] != "piece":
            continue
        if entry["track"] in lengths:
            lengths[entry["track"]] += (entry["end_us"] - entry["begin_us"]) / 1e6
        voices += entry["track"].endswith("audio")
    return voices > 3 and min(lengths.values()) >= seconds


def end(found: Recorded) -> None:
    """As its site does; the archive is closed after that."""
    site = Rest.signed_in(found.demo.base_url, found.demo.user("site"))
    site.expect(200, "POST", f"/api/v1/consultations/{found.consultation}/close", {})
    until(lambda: (found.folder / "closed.json").exists(), WITHIN_S, found.demo)


def unwrapped(found: Recorded) -> pyrage.x25519.Identity:
    """The consultation's secret key, by the auditor's."""
    (auditor,) = parse_identities(Path(found.identity).read_text(), "the auditor's key")
    wrapped = (found.folder / "session.key.age").read_bytes()
    (identity,) = parse_identities(pyrage.decrypt(wrapped, [auditor]).decode(), "the consultation's key")
    return identity


def times_us(fragmented: bytes) -> list[int]:
    """Presentation times in an init piece with its pieces."""
    with av.open(io.BytesIO(fragmented)) as container:
        found = [packet for packet in container.demux(video=0) if packet.pts is not None]
        return [round(packet.pts * packet.time_base * 1_000_000) for packet in found]


def manifest(folder: Path) -> list[dict[str, Any]]:
    """Its whole lines; none while there is no manifest yet."""
    path = folder / "manifest.jsonl"
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith(b"\n")]


def until(condition: Callable[[], bool], within_s: float, demo: Demo) -> None:
    """Fails with the end of the demo's log."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, demo.log[-3000:]
        time.sleep(0.1)
