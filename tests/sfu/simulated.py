"""Subscribers' sessions over impaired links in simulated time: real SDP, SRTP, feedback; no sockets."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count, pairwise
from typing import Any, cast

from core.messages import Model
from core.worker_api import CreateTransport, LayerChanged, Subscriptions, TrackView, TransportView
from rtp.extensions import TRANSPORT_CC, decode_transport_number, parse_extensions
from rtp.negotiation import LocalTransport, ReceivedMedia, answer_subscribe
from rtp.packet import RtpPacket
from rtp.payload import depacketizer_for
from rtp.receive_stream import ReceiveStream
from rtp.reorder import Gap, ReorderBuffer
from rtp.rtcp import Nack, Pli, ReceiverReport, RtcpPacket, build_compound
from rtp.sdp import Candidate, Fingerprint, IceParameters, parse_sdp
from rtp.srtp import SrtpKeys, SrtpReceiver, SrtpSender
from rtp.twcc import FeedbackBuilder
from sfu.metrics import Metrics
from sfu.producer import Producer
from sfu.router import Router
from sfu.session import PeerSession
from sfu.subscriber import SubscribeSession
from tests.sfu.rig import MS, PROFILE
from tests.sfu.simulcast import FPS, Camera, simulcast
from tests.support.link import Impairment, Link
from transport.api import TransportState
from transport.endpoint import MediaEndpoint
from transport.server import TransportCounters

STEP_NS = 5 * MS
FEEDBACK_NS = 50 * MS
REPORT_NS = 1_000 * MS
REPAIR_NS = 400 * MS
ICE = IceParameters("ufrag123", "password-password-password")
FINGERPRINT = Fingerprint("sha-256", ":".join(["AB"] * 32))
ROOM = "room"


class StepClock:
    """Both clocks, moved by the simulation."""

    def __init__(self) -> None:
        self.now_ns = 10_000 * MS

    def monotonic_ns(self) -> int:
        return self.now_ns

    def unix_ns(self) -> int:
        return self.now_ns


class Wire:
    """A server transport whose datagrams go over a link."""

    def __init__(self, send: Callable[[list[bytes]], None]) -> None:
        self.sealer: SrtpSender | None = None
        self.state: TransportState = "connecting"
        self.close_reason = ""
        self.rtt_ns: int | None = None
        self.srtp_profile: str | None = None
        self.local, self.fingerprint = ICE, FINGERPRINT
        self.send = send
        self.lane = None
        self.counters = TransportCounters()
        self.reports: list[bytes] = []

    def start(self, *_: object) -> None:
        """Nobody else could have sent this."""

    def wait_longer(self) -> None:
        """There is no deadline."""

    def send_rtcp(self, compound: bytes) -> None:
        self.reports.append(compound)

    def close(self, reason: str) -> None:
        raise AssertionError(reason)


class Stage:
    """Cameras, viewers and time. Implements `SessionHost`."""

    def __init__(self, seed: int = 1) -> None:
        self.clock = StepClock()
        self.metrics = Metrics()
        self.limit_viewers = True
        self.router = Router(self.metrics)
        self.seed = seed
        self.cameras: list[Camera] = []
        self.viewers: list[Viewer] = []
        self.events: list[tuple[float, Model]] = []
        self._hurrying: set[PeerSession] = set()
        self._later: list[tuple[int, int, Callable[[], None]]] = []
        self._order = count()
        self._wires: list[Wire] = []
        self._start_ns = self.clock.now_ns
        self.candidates: list[Candidate] = []

    @property
    def endpoint(self) -> MediaEndpoint:
        return cast(MediaEndpoint, self)

    def create_transport(self, _id: str, _sink: object) -> Wire:
        return self._wires.pop()

    def camera(self, track_id: str, rids: tuple[str, ...] = ("f", "h", "q")) -> Camera:
        rig, camera = simulcast(rids, track_id=track_id)
        rig.router, rig.now_ns = self.router, self.clock.now_ns
        for encoder in camera.encoders.values():
            encoder.keyframe_factor = 4
        self.cameras.append(camera)
        return camera

    def viewer(self, name: str, link: Impairment, *, feedback: bool = True, adaptive: bool = True) -> Viewer:
        viewer = Viewer(self, name, link, feedback=feedback, adaptive=adaptive)
        self.viewers.append(viewer)
        return viewer

    # SessionHost

    def emit(self, event: Model) -> None:
        self.events.append((self.seconds, event))

    def track(self, track_id: str, _room: str) -> Producer | None:
        producers = (camera.rig.producer for camera in self.cameras)
        return next((found for found in producers if found.identity.track_id == track_id), None)

    def track_added(self, producer: Producer) -> None:
        """Cameras are known."""

    def track_removed(self, producer: Producer) -> None:
        """They stay."""

    def session_closed(self, session: PeerSession) -> None:
        """They stay."""

    def hurry(self, session: PeerSession) -> None:
        self._hurrying.add(session)

    # time

    @property
    def seconds(self) -> float:
        return (self.clock.now_ns - self._start_ns) / 1e9

    def at(self, when_ns: int, call: Callable[[], None]) -> None:
        heapq.heappush(self._later, (when_ns, next(self._order), call))

    def wire(self, wire: Wire) -> None:
        self._wires.append(wire)

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds * 1e9 / STEP_NS)):
            self._step()

    def _step(self) -> None:
        clock = self.clock
        until_ns = clock.now_ns + STEP_NS
        while self._later and self._later[0][0] <= until_ns:
            when_ns, _, call = heapq.heappop(self._later)
            clock.now_ns = max(clock.now_ns, when_ns)
            call()
        now_ns = clock.now_ns = until_ns
        hurrying, self._hurrying = self._hurrying, set()
        self._hurrying |= {session for session in hurrying if session.hurried(now_ns)}
        if now_ns % (20 * MS) == 0:
            for viewer in self.viewers:
                if viewer.session.tick_due_ns <= now_ns:
                    viewer.session.on_tick(now_ns)
        if now_ns % (1_000 * MS // FPS) == 0:
            for camera in self.cameras:
                camera.rig.now_ns = now_ns - 1_000 * MS // FPS
                camera.step()
        for viewer in self.viewers:
            viewer.tick(now_ns)


class Viewer:
    """A browser: reports, feedback, NACKs; the way to it is `link`, the way back takes 20 ms."""

    def __init__(self, stage: Stage, name: str, link: Impairment, *, feedback: bool, adaptive: bool) -> None:
        self.stage = stage
        self.link = Link(link, random.Random(stage.seed))
        self.feedback = feedback
        keys = SrtpKeys(PROFILE, name.encode().ljust(PROFILE.key_bytes, b"0"), bytes(PROFILE.salt_bytes))
        self._wire = Wire(self._send)
        stage.wire(self._wire)
        request = CreateTransport(
            transport_id=name, room=ROOM, participant_id=name, direction="subscribe", adaptive=adaptive
        )
        self.session = SubscribeSession(stage, request)
        self._keys = keys
        self._receiver = SrtpReceiver(keys)
        self._builder = FeedbackBuilder(1)
        self.streams: dict[int, tuple[ReceiveStream, ReceivedMedia]] = {}
        self.pictures: dict[str, Picture] = {}
        self.received_bytes = 0
        self.received_media = 0
        self.lost = 0
        self.nacked = 0
        self._cut = False
        self._feedback_ns = self._report_ns = stage.clock.now_ns

    def join(self, *track_ids: str) -> None:
        description = self.session.subscribe(Subscriptions(track_ids=list(track_ids)))
        local = LocalTransport(ICE, (FINGERPRINT.algorithm, FINGERPRINT.value))
        answer, media = answer_subscribe(parse_sdp(description.sdp), local)
        self.session.answer(answer.serialize())
        for one in media:
            assert one.ssrc is not None
            types = {} if one.rtx_payload_type is None else {one.rtx_payload_type: one.payload_type}
            stream = ReceiveStream(one.ssrc, 90_000, rtx_ssrc=one.rtx_ssrc, rtx_payload_types=types)
            self.streams[one.ssrc] = stream, one
            if one.rtx_ssrc is not None:
                self.streams[one.rtx_ssrc] = stream, one
            self.pictures[description.mids[one.mid]] = Picture(one.ssrc)
        self._mids = description.mids
        self._wire.sealer = SrtpSender(self._keys)
        self._wire.state = "connected"
        self.session.state_changed("connected")

    def show(self, *views: tuple[str, int, int, bool]) -> None:
        shown = [TrackView(track_id=t, width=w, height=h, focus=focus) for t, w, h, focus in views]
        self.session.set_view(TransportView(views=shown))

    # the way there

    def _send(self, datagrams: list[bytes]) -> None:
        now_ns = self.stage.clock.now_ns
        for datagram in datagrams:
            out_ns = self.link.arrival_ns(len(datagram) + 28, now_ns)
            if out_ns is None:
                self.lost += 1
            else:
                self.stage.at(out_ns, lambda data=datagram, at=out_ns: self._arrived(data, at))

    def _arrived(self, datagram: bytes, now_ns: int) -> None:
        self.received_bytes += len(datagram)
        packet = self._receiver.open_packet(datagram, now_ns)
        stream, media = self.streams[packet.ssrc]
        number = parse_extensions(packet.extension_profile, packet.extension).get(
            media.extensions.id_of(TRANSPORT_CC) or 0
        )
        if number is not None:
            self._builder.received(decode_transport_number(number), now_ns)
        got = stream.receive(packet, now_ns)
        self.received_media += bool(packet.payload)
        if got is not None and got.payload:
            self.pictures[self._mids[media.mid]].push(got, now_ns, self.stage.seconds)

    # the way back

    def tick(self, now_ns: int) -> None:
        items: list[RtcpPacket] = []
        if self.feedback and now_ns - self._feedback_ns >= FEEDBACK_NS:
            self._feedback_ns = now_ns
            items += self._builder.build()
        streams = {stream.ssrc: stream for stream, _ in self.streams.values()}
        for stream in streams.values():
            lost = stream.nacks_due(now_ns)
            if lost:
                self.nacked += len(lost)
                items.append(Nack(1, stream.ssrc, tuple(lost)))
        for picture in self.pictures.values():
            picture.poll(now_ns, self.stage.seconds)
            if picture.wants_keyframe(now_ns):
                items.append(Pli(1, picture.ssrc))
        if now_ns - self._report_ns >= REPORT_NS:
            self._report_ns = now_ns
            blocks = [stream.report_block(now_ns) for stream in streams.values()]
            items.append(ReceiverReport(1, tuple(block for block in blocks if block is not None)))
        if items:
            self.say(*items)

    def say(self, *items: RtcpPacket) -> None:
        """RTCP to the server."""
        if not self._cut:
            compound, clock = build_compound(items), self.stage.clock
            self.stage.at(clock.now_ns + 20 * MS, lambda: self.session.on_rtcp(compound, clock.now_ns))

    def cut(self, cut: bool) -> None:
        """Nothing passes, either way."""
        self._cut = cut
        self.link.impairment = replace(self.link.impairment, cut=cut)

    # what became of it

    def layers(self) -> dict[str, Any]:
        found: dict[str, Any] = self.session.stats()["layers"]
        return found

    def told(self, track_id: str) -> list[tuple[float, str | None, str | None]]:
        """(seconds, layer, lowered) of every change."""
        return [
            (at, event.layer, event.lowered)
            for at, event in self.stage.events
            if isinstance(event, LayerChanged)
            and event.transport_id == self.session.id
            and event.track_id == track_id
        ]

    def longest_freeze_s(self, track_id: str, since_s: float, until_s: float) -> float:
        frames = self.pictures[track_id].frames
        shown = [since_s, *(at for at in frames if since_s < at < until_s), until_s]
        return max(b - a for a, b in pairwise(shown))


class Picture:
    """Decodes as a browser would: frames in order, and from a keyframe on after a loss nobody repaired."""

    def __init__(self, ssrc: int) -> None:
        self.ssrc = ssrc
        self.frames: list[float] = []
        """Seconds at which each was shown."""
        self._timestamps: list[int] = []
        self._order: ReorderBuffer[RtpPacket] = ReorderBuffer(max_wait_ns=REPAIR_NS)
        self._depacketizer = depacketizer_for("VP8")
        self._decodable = False
        self._asked_ns = 0

    def push(self, packet: RtpPacket, now_ns: int, seconds: float) -> None:
        self._take(self._order.push(packet.sequence_number, packet, now_ns), seconds)

    def poll(self, now_ns: int, seconds: float) -> None:
        self._take(self._order.poll(now_ns), seconds)

    def _take(self, ordered: Sequence[RtpPacket | Gap], seconds: float) -> None:
        for item in ordered:
            if isinstance(item, Gap):
                self._depacketizer.gap()
                self._decodable = False
                continue
            frame = self._depacketizer.push(item.payload, item.marker, item.timestamp)
            if frame is not None:
                self._decodable = frame.keyframe or (self._decodable and not frame.after_loss)
                if self._decodable:
                    self.frames.append(seconds)
                    self._timestamps.append(item.timestamp)

    def ages(self, since_s: float) -> list[float]:
        """How much later than the quickest one each was shown (s), of those shown since then."""
        shown = list(zip(self.frames, self._timestamps, strict=True))
        quickest_s = min(at_s - timestamp / 90_000 for at_s, timestamp in shown)
        return [at_s - timestamp / 90_000 - quickest_s for at_s, timestamp in shown if at_s >= since_s]

    def wants_keyframe(self, now_ns: int) -> bool:
        if self._decodable or now_ns - self._asked_ns < 300 * MS:
            return False
        self._asked_ns = now_ns
        return True
