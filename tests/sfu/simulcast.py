"""Simulcast publishers without sockets, on time set by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from rtp.packet import RtpPacket
from sfu.layer import Layer
from tests.sfu.rig import MS, PAYLOAD_TYPE, SSRC, Rig

FPS = 25
FRAME_NS = 1_000 * MS // FPS
RIDS = ("f", "h", "q")
SIZES = {"f": (1920, 1080), "h": (960, 540), "q": (480, 270)}
RATES_BPS = {"f": 3_000_000, "h": 800_000, "q": 250_000}


def vp8_payload(size: int, *, key: bool, width: int = 0, height: int = 0, start: bool = True) -> bytes:
    """One packet of a VP8 frame (RFC 7741 §4, RFC 6386 §9.1)."""
    if not start:
        return b"\x00" + bytes(max(1, size - 1))
    if not key:
        return b"\x10\x01" + bytes(max(1, size - 2))
    sides = width.to_bytes(2, "little") + height.to_bytes(2, "little")
    return (b"\x10\x00\x00\x00\x9d\x01\x2a" + sides).ljust(size, b"\0")


class Encoder:
    """One encoding: frames of one rate, keyframes when asked; it can be rested and woken."""

    def __init__(self, rid: str, ssrc: int, bitrate_bps: int) -> None:
        self.rid = rid
        self.ssrc = ssrc
        self.bitrate_bps = bitrate_bps
        self.on = True
        self.keyframe_wanted = True
        self.keyframes = 0
        self.keyframe_factor = 1
        self.picture: int | None = None
        self._sequence = 65_000

    def numbered(self, first: int) -> None:
        """From now on frames carry PictureID (15 bits) and TL0PICIDX, counting from `first`, as browsers'."""
        self.picture = first

    def frame(self, number: int) -> list[RtpPacket]:
        """The packets of frame `number`, none while it rests."""
        if not self.on:
            self.keyframe_wanted = True
            return []
        key, self.keyframe_wanted = self.keyframe_wanted, False
        self.keyframes += key
        size = self.bitrate_bps // 8 // FPS * (self.keyframe_factor if key else 1)
        count = max(1, -(-size // 1_100))
        if self.picture is not None:
            self.picture += 1
        return [self._packet(number, index, count, size // count, key) for index in range(count)]

    def _packet(self, number: int, index: int, count: int, size: int, key: bool) -> RtpPacket:
        self._sequence = (self._sequence + 1) & 0xFFFF
        width, height = SIZES[self.rid]
        payload = vp8_payload(size, key=key, width=width, height=height, start=index == 0)
        if self.picture is not None:
            numbers = (0x8000 | self.picture & 0x7FFF).to_bytes(2, "big") + bytes((self.picture & 0xFF,))
            payload = bytes((payload[0] | 0x80, 0xC0)) + numbers + payload[1:]
        return RtpPacket(
            ssrc=self.ssrc,
            payload_type=PAYLOAD_TYPE,
            sequence_number=self._sequence,
            timestamp=number * 90_000 // FPS,
            marker=index == count - 1,
            payload=payload,
        )


class Camera:
    """A simulcast producer in a rig, and its encoders."""

    def __init__(self, rig: Rig, rids: Iterable[str] = RIDS, first_ssrc: int = SSRC) -> None:
        self.rig = rig
        self.encoders = {rid: Encoder(rid, ssrc, RATES_BPS[rid]) for ssrc, rid in enumerate(rids, first_ssrc)}
        for rid, encoder in self.encoders.items():
            rig.producer.bind(rig.producer.layers[rid], encoder.ssrc, None)
        self.number = 0
        self.wanted: list[list[str]] = []
        """As the publisher was told, each time it changed."""
        self.obeys = True

    def layer(self, rid: str) -> Layer:
        return self.rig.producer.layers[rid]

    def run(self, seconds: float, each: Callable[[], None] = lambda: None) -> None:
        """Frames for so long; `each` is called after every one."""
        for _ in range(round(seconds * FPS)):
            self.step()
            each()

    def step(self) -> None:
        """One frame of every encoding, and the worker's tick."""
        rig = self.rig
        rig.wait(1_000 / FPS)
        self.number += 1
        for rid, encoder in self.encoders.items():
            layer = rig.producer.layers[rid]
            if layer.is_live(rig.now_ns) and layer.keyframes.due(rig.now_ns):
                encoder.keyframe_wanted = True
            rig.receive(*encoder.frame(self.number), layer=layer)
        if rig.producer.choose(rig.now_ns):
            self._told(rig.producer.encodings.wanted)

    def _told(self, rids: list[str]) -> None:
        self.wanted.append(rids)
        if self.obeys:
            for rid, encoder in self.encoders.items():
                encoder.on = rid in rids


def simulcast(rids: tuple[str, ...] = RIDS, **changes: Any) -> tuple[Rig, Camera]:
    """A rig with one simulcast camera of VP8."""
    rig = Rig(bound=False, rids=rids, codec="VP8", **changes)
    return rig, Camera(rig, rids)
