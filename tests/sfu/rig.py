"""The media plane without sockets: a producer, consumers with real SRTP, what each subscriber receives."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from rtp.extensions import (
    ABS_CAPTURE_TIME,
    MID,
    PLAYOUT_DELAY,
    REPAIRED_RID,
    RID,
    TRANSPORT_CC,
    ExtensionMap,
    build_extensions,
)
from rtp.negotiation import AcceptedMedia, ReceivedMedia
from rtp.packet import RtpPacket, parse_rtp
from rtp.srtp import SrtpKeys, SrtpProfile, SrtpReceiver, SrtpSender
from sfu.consumer import Consumer
from sfu.downlink import Downlink
from sfu.layer import Layer
from sfu.metrics import Metrics
from sfu.producer import Producer, TrackIdentity
from sfu.router import Router

MS = 1_000_000
SSRC = 0x1111
PAYLOAD_TYPE, RTX_PAYLOAD_TYPE = 96, 97
IDS = {1: MID, 2: TRANSPORT_CC, 4: ABS_CAPTURE_TIME, 5: PLAYOUT_DELAY, 6: RID, 7: REPAIRED_RID}
FEEDBACK = frozenset({"nack", "nack pli", "ccm fir", "transport-cc"})
PROFILE = SrtpProfile.AEAD_AES_256_GCM


def received_media(**changes: Any) -> ReceivedMedia:
    """A publisher's H.264 m-line."""
    fields: dict[str, Any] = {
        "mid": "0",
        "kind": "video",
        "codec": "H264",
        "payload_type": PAYLOAD_TYPE,
        "clock_rate": 90_000,
        "rtx_payload_type": RTX_PAYLOAD_TYPE,
        "extensions": ExtensionMap(IDS),
        "feedback": FEEDBACK,
    }
    return ReceivedMedia(**(fields | changes))


def accepted_media(ssrc: int, **changes: Any) -> AcceptedMedia:
    """The same towards a subscriber; other payload types and ids."""
    fields: dict[str, Any] = {
        "mid": "0",
        "kind": "video",
        "codec": "H264",
        "payload_type": 102,
        "clock_rate": 90_000,
        "rtx_payload_type": 103,
        "extensions": ExtensionMap({3: TRANSPORT_CC, 9: ABS_CAPTURE_TIME, 8: PLAYOUT_DELAY}),
        "feedback": FEEDBACK,
        "ssrc": ssrc,
        "rtx_ssrc": ssrc + 1,
        "track_id": "track",
    }
    return AcceptedMedia(**(fields | changes))


def identity(**changes: Any) -> TrackIdentity:
    fields: dict[str, Any] = {
        "track_id": "track",
        "room": "room",
        "participant_id": "p",
        "feed": "ultrasound",
        "kind": "video",
        "source": "device",
        "codec": "H264",
        "stream_id": "stream",
    }
    return TrackIdentity(**(fields | changes))


class View:
    """One subscriber: its consumer, and what reached it (authenticated, in order of sending)."""

    def __init__(self, rig: Rig, ssrc: int, *, adaptive: bool = False, **changes: Any) -> None:
        keys = SrtpKeys(PROFILE, ssrc.to_bytes(PROFILE.key_bytes, "big"), bytes(PROFILE.salt_bytes))
        self.link = Downlink(0)
        self.link.sealer = SrtpSender(keys)
        self._receiver = SrtpReceiver(keys)
        self.datagrams: list[bytes] = []
        self.packets: list[RtpPacket] = []
        self.sends = 0
        self.errors: list[Exception] = []
        self.consumer = Consumer(
            rig.producer,
            accepted_media(ssrc, **changes),
            self.link,
            first_sequence=32_000,
            first_timestamp=1_000,
            first_rtx_sequence=5,
            adaptive=adaptive,
        )
        rig.router.register(self.link, self)

    def flush(self) -> None:
        datagrams, _, _ = self.link.take()
        if not datagrams:
            return
        self.sends += 1
        for datagram in datagrams:
            repeated = datagram in self.datagrams
            self.datagrams.append(datagram)
            if not repeated:
                self.packets.append(parse_rtp(self._receiver.open(datagram)))

    def fail(self, error: Exception) -> None:
        self.errors.append(error)

    @property
    def numbers(self) -> list[int]:
        return [packet.sequence_number for packet in self.packets]

    @property
    def payloads(self) -> list[bytes]:
        return [packet.payload for packet in self.packets]

    def media(self) -> list[RtpPacket]:
        """Without retransmissions."""
        return [packet for packet in self.packets if packet.payload_type == self.consumer.media.payload_type]


class Rig:
    """A producer and a router; time is set by hand."""

    def __init__(self, *, bound: bool = True, **changes: Any) -> None:
        self.now_ns = 10_000 * MS
        self.metrics = Metrics()
        self.router = Router(self.metrics)
        self.producer = Producer(
            identity(
                kind=changes.get("kind", "video"),
                codec=changes.get("codec", "H264"),
                track_id=changes.get("track_id", "track"),
            ),
            received_media(**changes),
        )
        self.layer = next(iter(self.producer))
        if bound:
            self.producer.bind(self.layer, SSRC, None)

    def view(self, ssrc: int = 0x2000, *, start: bool = True, adaptive: bool = False, **changes: Any) -> View:
        view = View(self, ssrc, adaptive=adaptive, **changes)
        if start:
            view.consumer.start(self.now_ns)
            view.consumer.catch_up(self.now_ns)
            view.flush()
        return view

    def receive(self, *packets: RtpPacket, layer: Layer | None = None) -> None:
        """A drained batch."""
        target = layer or self.layer
        for packet in packets:
            packet.arrival_ns = self.now_ns
            if target.receive(packet, self.now_ns):
                self.router.queue(target)
        self.router.flush(self.now_ns, lambda: self.now_ns + 1_000_000)

    def wait(self, milliseconds: float) -> None:
        self.now_ns += int(milliseconds * MS)


def packet(number: int, *, frame: int = 0, key: bool = False, ssrc: int = SSRC, **changes: Any) -> RtpPacket:
    """A packet of an H.264 stream: `key` begins a keyframe."""
    profile, block = build_extensions([(1, b"0"), (2, b"\x11\x22")])
    made = RtpPacket(
        ssrc=ssrc,
        payload_type=PAYLOAD_TYPE,
        sequence_number=number & 0xFFFF,
        timestamp=(frame * 3_000) & 0xFFFFFFFF,
        extension_profile=profile,
        extension=block,
        payload=bytes((0x7C, 0x85 if key else 0x01, 0x88)) + number.to_bytes(4, "big"),
    )
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def frames(first: int, count: int, *, first_frame: int = 0, size: int = 3) -> list[RtpPacket]:
    """Frames of `size` packets each, the first a keyframe."""
    return [
        packet(first + index, frame=first_frame + index // size, key=index == 0)
        for index in range(count * size)
    ]


def follow_each_other(numbers: Sequence[int]) -> bool:
    """True when there is no gap, repetition or disorder."""
    return all((b - a) & 0xFFFF == 1 for a, b in pairwise(numbers))
