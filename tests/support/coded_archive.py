"""A small archive of a consultation that is over: two test cards with time codes, a voice, a chat.

Real H.264 and Opus, cut, sealed and signed by the recorder's own parts; made in seconds, without a service.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pyrage

from archive.keys import publish_signer
from archive.log_keys import publish_log
from archive.specs import Span
from core.clock import SystemClock
from edge_agents.sources.base import Instant
from edge_agents.sources.testcard import TestcardSource
from recorder.consultation_archive import ConsultationArchive
from recorder.jobs import EventsJob, PieceJob, TrackJob
from recorder.track import TrackCutter, TrackSource
from rtp.payload import AccessUnit
from tests.archive import log_support as logs
from tests.archive import support as archives
from tests.recorder import support as media

WIDTH, HEIGHT = 640, 360
KEYFRAME_EVERY = 60
FEEDS = ("theatre", "monitor")
TRACKS = tuple(f"{feed}-device-video" for feed in FEEDS)
VOICE = "theatre-device-audio"
BEGIN_US = 1_000_000
PACKETS_PER_S = 50
X264 = {"tune": "zerolatency", "preset": "ultrafast", "x264-params": "repeat-headers=1"}
CHAT = "The valve 瓣膜 looks tight."


@dataclass(frozen=True)
class Coded:
    """`identity`: a custodian's key file, as everywhere beside the archive, not in it."""

    root: Path
    folder: Path
    identity: Path
    signing_key: Path

    def frame_times_us(self, track: str) -> list[int]:
        """When each archived picture of a track was captured, on the timeline."""
        key = pyrage.decrypt((self.folder / "session.key.age").read_bytes(), [archives.keys().identities[0]])
        (line,) = [text for text in key.decode().splitlines() if text.startswith("AGE-")]
        opener = pyrage.x25519.Identity.from_str(line)
        paths = [
            entry["object"] for entry in self.entries() if entry.get("track") == track and "object" in entry
        ]
        clear = b"".join(pyrage.decrypt((self.folder / path).read_bytes(), [opener]) for path in paths)
        with av.open(io.BytesIO(clear)) as container:
            packets = [packet for packet in container.demux(video=0) if packet.pts is not None]
        return sorted(round(packet.pts * packet.time_base * 1_000_000) for packet in packets)

    def entries(self) -> list[dict[str, Any]]:
        """The manifest's, unverified."""
        return [json.loads(line) for line in (self.folder / "manifest.jsonl").read_bytes().splitlines()]


def coded_archive(where: Path, seconds: int = 12, more: Iterable[dict[str, Any]] = ()) -> Coded:
    """Made below `where`, which is made, too. `more`: lines of its events, as a recorder would write them."""
    root = where / "archive"
    writer = archives.create(root)
    archive = ConsultationArchive(writer, SystemClock(), lambda problem: None)
    rows = [picture_jobs(feed, seconds) for feed in FEEDS] + [voice_jobs(seconds)]
    for job in itertools.chain.from_iterable(itertools.zip_longest(*rows)):
        if isinstance(job, PieceJob):
            archive.write_piece(job, archive.stage(archive.prepare(job)))
        elif job is not None:
            archive.declare_gap(job)
    lines = (*events(), *(json.dumps(line).encode() for line in more))
    archive.write_events(EventsJob(lines, Span(BEGIN_US, BEGIN_US + seconds * 1_000_000)))
    assert archive.close("consultation_closed")
    publish_signer(root, archives.keys().signer.public)
    put_on_record(root)
    identity, signing_key = where / "auditor.agekey", where / "signing.pem"
    identity.write_text(f"# created for a test\n{archives.keys().identities[0]}\n")
    signing_key.write_bytes(archives.keys().signer.pem())
    return Coded(root, root / archives.CONSULTATION, identity, signing_key)


def put_on_record(root: Path) -> None:
    """The service's log knows when it began, and with which line it ended."""
    lines = (root / archives.CONSULTATION / "manifest.jsonl").read_bytes().splitlines(keepends=True)
    head = hashlib.sha256(lines[-1]).hexdigest()
    ended = {"consultation": archives.CONSULTATION, "entries": len(lines), "head": head, "state": "final"}
    log = logs.open_store(root / "log")
    log.append(
        [logs.access(), logs.opened(archives.CONSULTATION), logs.access(1), logs.leaf("close", **ended)]
    )
    log.publish()
    log.close()
    publish_log(root, logs.LOG)


def events() -> Iterator[bytes]:
    person = {"participant_id": "p_1", "name": "Dr Zhang 张医生"}
    chat = {"name": person["name"], "text": CHAT, "files": []}
    yield _line("participant_joined", BEGIN_US + 500_000, participant=person)
    yield _line("chat_added", BEGIN_US + 3_200_000, entry=chat)


def _line(kind: str, at_us: int, **fields: Any) -> bytes:
    return json.dumps({"type": kind, "at_us": at_us, **fields}, ensure_ascii=False).encode()


def picture_jobs(feed: str, seconds: int) -> list[TrackJob]:
    """A test card whose time code is its moment on the timeline."""
    source = TrackSource(f"{feed}-device-video", feed, "device", f"trk_{feed}", "H264", media.VIDEO_CLOCK)
    return cut(source, coded_units(feed, seconds * media.FRAME_RATE), media.FRAME_RATE)


def voice_jobs(seconds: int) -> list[TrackJob]:
    source = TrackSource(VOICE, FEEDS[0], "device", "trk_voice", "opus", media.AUDIO_CLOCK)
    return cut(source, media.audio(seconds * PACKETS_PER_S), PACKETS_PER_S)


def cut(source: TrackSource, units: list[AccessUnit], rate: int) -> list[TrackJob]:
    """As they come in at that rate, from the beginning of the timeline on."""
    cutter = TrackCutter(source, media.EPOCH_US, "start")
    jobs = cutter.set_clock(units[0].timestamp, media.EPOCH_US + BEGIN_US, 1_000)
    for index, unit in enumerate(units):
        at_us = moment_us(index, rate)
        jobs += cutter.push(unit, media.EPOCH_US + at_us, at_us * 1_000)
    return jobs + cutter.finish()


def moment_us(index: int, rate: int) -> int:
    return BEGIN_US + index * 1_000_000 // rate


def coded_units(feed: str, frames: int) -> list[AccessUnit]:
    """The card, drawn for each moment and encoded as a capture box does."""
    card = TestcardSource(WIDTH, HEIGHT, media.FRAME_RATE, SystemClock(), label=feed.upper())
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, media.FRAME_RATE), Fraction(media.FRAME_RATE)
    encoder.gop_size, encoder.max_b_frames, encoder.options = KEYFRAME_EVERY, 0, X264
    packets = []
    for index in range(frames):
        unix_us = media.EPOCH_US + moment_us(index, media.FRAME_RATE)
        frame = card.draw(Instant(unix_us, unix_us * 1_000)).picture
        frame.pts, frame.time_base = index, encoder.time_base
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    return [media.access_unit("H264", bytes(one), at, one.is_keyframe) for at, one in enumerate(packets)]
