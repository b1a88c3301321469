"""The box's sending side and a server's receiving side with a link between them, in simulated time.

Real: streams, SRTP, pacing, estimation, adaptation, reception, NACKs, feedback. Simulated: the link, time,
and the encoder, which makes pictures of the size it is asked for, with some scatter.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable

from bench.frame_watch import FrameWatch
from core.clock import NS_PER_MS, NS_PER_S
from edge_agents.adaptation import Adaptation
from edge_agents.config import FeedConfig
from edge_agents.encoder import EncodedFrame
from edge_agents.layers import FULL, Encoding, FrameThinner
from edge_agents.sender import FeedSender, outgoing_tracks
from edge_agents.sources.base import Instant
from rtp.extensions import (
    REPAIRED_RID,
    RID,
    TRANSPORT_CC,
    decode_token,
    decode_transport_number,
    parse_extensions,
)
from rtp.negotiation import ReceivedMedia, answer_publish, apply_answer, offer_publish
from rtp.packet import RtpPacket
from rtp.receive_stream import ReceiveStream
from rtp.rtcp import Nack, Pli, RtcpPacket
from rtp.srtp import SrtpKeys, SrtpProfile, SrtpReceiver, SrtpSender
from rtp.twcc import FeedbackBuilder
from tests.edge.support import StepClock
from tests.rtp.offers import CLIENT, SERVER
from tests.support.link import Impairment, Link

PROFILE = SrtpProfile.AEAD_AES_128_GCM
STEP_NS = NS_PER_MS
FRAME_NS = NS_PER_S // 30
FEEDBACK_NS = 60 * NS_PER_MS
REPAIR_NS = 20 * NS_PER_MS
KEYFRAME_FACTOR = 4
"""A keyframe's size in pictures at 30 frames/s. One made just as the rate falls lies between both rates, as
libx264 does it: 40 kB where 7 become 0.5 Mbit/s.
"""
LAG, LAG_NS = 0.1, 500 * NS_PER_MS
"""After so long so much of a change is still to come."""
SERVER_SSRC = 7
SLICE, KEY_SLICE = b"\x00\x00\x00\x01\x41\x9a", b"\x00\x00\x00\x01\x65\x88"
"""As far as anybody reads: NAL header, first macroblock 0, slice type."""


class _Encoder:
    """Pictures of about the size that the bit rate allows; keyframes are larger, and paid back."""

    def __init__(self, rid: str, dice: random.Random) -> None:
        self.rid = rid
        self.keyframe_wanted = True
        self._dice = dice
        self._rate_bps = 0.0
        self._at_ns = 0
        self._debt_bytes = 0.0
        self._size = (0, 0)
        self._thinner = FrameThinner()

    def encode(self, encoding: Encoding, captured: Instant) -> EncodedFrame | None:
        if not self._thinner.admits(captured.monotonic_ns, encoding.fps):
            return None
        keyframe = self.keyframe_wanted or self._size != (encoding.width, encoding.height)
        self.keyframe_wanted, self._size = False, (encoding.width, encoding.height)
        lag = LAG ** ((captured.monotonic_ns - self._at_ns) / LAG_NS)
        self._at_ns = captured.monotonic_ns
        self._rate_bps = encoding.bitrate_bps + (self._rate_bps - encoding.bitrate_bps) * lag
        mean_bytes = self._rate_bps / encoding.fps / 8
        size_bytes = mean_bytes * self._dice.uniform(0.85, 1.15)
        if keyframe:
            between_bps = math.sqrt(self._rate_bps * encoding.bitrate_bps)
            keyframe_bytes = between_bps / 30 / 8 * KEYFRAME_FACTOR
            self._debt_bytes += max(0.0, keyframe_bytes - size_bytes)
            size_bytes = max(size_bytes, keyframe_bytes)
        else:
            paid_bytes = min(self._debt_bytes, size_bytes * 0.3)
            self._debt_bytes -= paid_bytes
            size_bytes -= paid_bytes
        nal = KEY_SLICE if keyframe else SLICE
        return EncodedFrame(nal + b"\x07" * int(size_bytes), captured, keyframe, self.rid)


class _Server:
    """What arrives, what it answers."""

    def __init__(self, media: ReceivedMedia, receiver: SrtpReceiver) -> None:
        self.media = media
        self.streams: dict[str, ReceiveStream] = {}
        self.watches: dict[str, FrameWatch] = {}
        self._rids: dict[int, str] = {}
        self._receiver = receiver
        self._builder = FeedbackBuilder(SERVER_SSRC)

    def received(self, datagram: bytes, now_ns: int) -> None:
        packet = self._receiver.open_packet(datagram, now_ns)
        extensions = parse_extensions(packet.extension_profile, packet.extension)
        number = extensions[self.media.extensions.id_of(TRANSPORT_CC) or 0]
        self._builder.received(decode_transport_number(number), now_ns)
        if packet.ssrc not in self._rids:
            self._meet(packet, extensions)
        rid = self._rids.get(packet.ssrc)
        media = None if rid is None else self.streams[rid].receive(packet, now_ns)
        if rid is not None and media is not None:
            self.watches[rid].received(media, now_ns)

    def _meet(self, packet: RtpPacket, extensions: dict[int, bytes]) -> None:
        for uri in (RID, REPAIRED_RID):
            token = extensions.get(self.media.extensions.id_of(uri) or 0)
            if token is not None and uri == RID:
                self._begin(decode_token(token), packet)
            if token is not None and decode_token(token) in self.streams:
                self._rids[packet.ssrc] = decode_token(token)

    def _begin(self, rid: str, packet: RtpPacket) -> None:
        types = {self.media.rtx_payload_type or 0: self.media.payload_type}
        self.streams[rid] = ReceiveStream(
            packet.ssrc, 90_000, payload_types=(self.media.payload_type,), rtx_payload_types=types
        )
        self.watches[rid] = FrameWatch()

    def feedback(self) -> list[RtcpPacket]:
        return list(self._builder.build())

    def repairs(self, now_ns: int) -> list[RtcpPacket]:
        items: list[RtcpPacket] = []
        for stream in self.streams.values():
            if lost := stream.nacks_due(now_ns):
                items.append(Nack(SERVER_SSRC, stream.ssrc, tuple(lost)))
            if stream.take_keyframe_need():
                items.append(Pli(SERVER_SSRC, stream.ssrc))
        return items


class Simulation:
    """`run` goes on for some seconds; the link may be changed in between."""

    def __init__(self, feed: FeedConfig, impairment: Impairment, seed: int) -> None:
        self.clock = StepClock()
        self.adaptation = Adaptation(feed)
        self.plan: dict[str, Encoding] = {}
        self.out: list[tuple[int, int]] = []
        """(when, bytes) of what came through the link."""
        self.held = 0
        self._dice = random.Random(seed)
        self.link = Link(impairment, random.Random(seed + 1))
        self._back = Link(Impairment(delay_ms=impairment.delay_ms), random.Random(seed + 2))
        self._under_way: list[tuple[int, int, Callable[[], None]]] = []
        self._order = 0
        offer = offer_publish(CLIENT, outgoing_tracks(feed, "cname"))
        answer, (media, *_) = answer_publish(offer, SERVER)
        self.sender = FeedSender(
            apply_answer(offer, answer),
            "cname",
            self.clock,
            self._keyframe,
            wanted_bps=self.adaptation.wanted_bps,
        )
        keys = SrtpKeys(PROFILE, bytes(PROFILE.key_bytes), bytes(PROFILE.salt_bytes))
        self._sealer = SrtpSender(keys)
        self.server = _Server(media, SrtpReceiver(keys))
        self._encoders = {rid: _Encoder(rid, self._dice) for rid in self.sender.rids}
        self._frame_ns = self._feedback_ns = self._repair_ns = 0

    @property
    def now_ns(self) -> int:
        return self.clock.monotonic_ns()

    @property
    def shown(self) -> FrameWatch:
        """The full picture at the server."""
        return self.server.watches[FULL]

    def _keyframe(self, rid: str, at_once: bool) -> None:
        self._encoders[rid].keyframe_wanted = True

    def run(self, seconds: float) -> None:
        end_ns = self.now_ns + int(seconds * NS_PER_S)
        while self.now_ns < end_ns:
            self.clock.advance(STEP_NS)
            while self._under_way and self._under_way[0][0] <= self.now_ns:
                heapq.heappop(self._under_way)[2]()
            if self.now_ns >= self.sender.egress.next_ns:
                self._send(self.sender.tick(50 * NS_PER_MS, self._sealer))
            self._answer()
            if self.now_ns >= self._frame_ns:
                self._frame_ns = self.now_ns + FRAME_NS - STEP_NS
                self._capture()

    def _capture(self) -> None:
        rids, now_ns = self.sender.rids, self.now_ns
        budget_bps = self.sender.egress.video_budget_bps(now_ns)
        self.plan = self.adaptation.decide(budget_bps, rids, now_ns)
        self.sender.want(self.adaptation.best(rids))
        if self.sender.egress.is_congested:
            self.held += 1
            return
        for rid, encoding in self.plan.items():
            unit = self._encoders[rid].encode(encoding, Instant.now(self.clock))
            if unit is not None:
                self._send(self.sender.video(unit, self._sealer))

    def _send(self, datagrams: list[bytes]) -> None:
        for datagram in datagrams:
            out_ns = self.link.arrival_ns(len(datagram), self.now_ns)
            if out_ns is not None:
                self.out.append((out_ns, len(datagram)))
                self._later(out_ns, lambda datagram=datagram: self.server.received(datagram, self.now_ns))

    def _answer(self) -> None:
        items: list[RtcpPacket] = []
        if self.now_ns >= self._feedback_ns:
            self._feedback_ns = self.now_ns + FEEDBACK_NS
            items += self.server.feedback()
        if self.now_ns >= self._repair_ns:
            self._repair_ns = self.now_ns + REPAIR_NS
            items += self.server.repairs(self.now_ns)
        for item in items:
            out_ns = self._back.arrival_ns(100, self.now_ns)
            if out_ns is not None:
                self._later(out_ns, lambda item=item: self._send(self.sender.handle(item, self._sealer)))

    def _later(self, at_ns: int, do: Callable[[], None]) -> None:
        self._order += 1
        heapq.heappush(self._under_way, (at_ns, self._order, do))

    def bits(self, from_ns: int, to_ns: int) -> int:
        """What came through the link in that time."""
        return sum(size * 8 for at_ns, size in self.out if from_ns <= at_ns < to_ns)
