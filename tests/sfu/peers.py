"""Real clients for loopback tests: they negotiate, shake hands, send, receive and repair."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from core.clock import SystemClock
from core.worker_api import CreateTransport, Subscriptions, TransportDescription
from rtp.negotiation import (
    LocalTransport,
    OutgoingTrack,
    ReceivedMedia,
    RemoteTransport,
    answer_subscribe,
    apply_answer,
    offer_publish,
    remote_transport,
)
from rtp.packet import RtpPacket
from rtp.receive_stream import ReceiveStream
from rtp.rtcp import (
    Fir,
    Nack,
    Pli,
    ReceiverReport,
    RtcpPacket,
    SenderReport,
    TransportFeedback,
    build_compound,
    parse_compound,
)
from rtp.sdp import Session, parse_sdp
from rtp.send_stream import RtxParameters, SendStream
from rtp.twcc import SendLog, TransportSequence
from sfu.worker import Worker
from transport.api import Candidate, TransportState, host_candidate
from transport.client import ClientTransport

DEADLINE_S = 15.0
CLOCK = SystemClock()
ROOM = "room-1"


class Api(Protocol):
    """The worker's calls, in process or over HTTP."""

    async def create(self, request: CreateTransport) -> TransportDescription: ...
    async def answer(self, transport_id: str, sdp: str) -> None: ...
    async def subscribe(self, transport_id: str, wanted: Subscriptions) -> TransportDescription: ...


class DirectApi:
    """The worker itself, without HTTP."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    async def create(self, request: CreateTransport) -> TransportDescription:
        return self._worker.create(request)

    async def answer(self, transport_id: str, sdp: str) -> None:
        self._worker.answer(transport_id, sdp)

    async def subscribe(self, transport_id: str, wanted: Subscriptions) -> TransportDescription:
        return self._worker.subscribe(transport_id, wanted)


def track(kind: str = "video", codec: str = "H264", *, rtx: bool = True) -> OutgoingTrack:
    """What a publisher offers."""
    fmtp = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f" if codec == "H264" else ""
    return OutgoingTrack(
        track_id=secrets.token_hex(4),
        kind=kind,
        codec=codec,
        clock_rate=90_000 if kind == "video" else 48_000,
        channels=None if kind == "video" else 2,
        ssrc=1 + secrets.randbits(31),
        rtx_ssrc=1 + secrets.randbits(31) if rtx else None,
        cname="cname",
        stream_id="stream",
        fmtp=fmtp,
    )


class Peer:
    """A client transport that wakes whoever waits for a condition."""

    def __init__(self, through: tuple[str, int] | None = None) -> None:
        self.transport = ClientTransport(self, controlling=True, clock=CLOCK)
        self.states: list[TransportState] = []
        self.rtcp: list[RtcpPacket] = []
        self._through = through
        self._changed = asyncio.Event()
        self._timer: asyncio.Task[None] | None = None

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for `condition`, looked at after every event. Raises `TimeoutError`."""
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def local(self) -> LocalTransport:
        fingerprint = self.transport.fingerprint
        return LocalTransport(
            self.transport.local, (fingerprint.algorithm, fingerprint.value), tuple(self.transport.candidates)
        )

    async def connect(self, remote: RemoteTransport, role: str) -> None:
        candidates: Sequence[Candidate] = remote.candidates
        if self._through is not None:
            candidates = [host_candidate(*self._through)]
        await self.transport.connect(
            remote.ice, remote.fingerprints, candidates, "client" if role == "active" else "server"
        )
        self._timer = asyncio.create_task(self._tick())

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            with suppress(asyncio.CancelledError):
                await self._timer
        await self.transport.close()

    async def _tick(self) -> None:
        while True:
            self.on_tick(CLOCK.monotonic_ns())
            await asyncio.sleep(0.01)

    def on_tick(self, now_ns: int) -> None:
        """Every 10 ms while connected."""

    def on_rtcp(self, item: RtcpPacket, now_ns: int) -> None:
        """One packet of a compound."""

    def on_rtp(self, packet: RtpPacket) -> None:
        """A packet."""

    def rtp_received(self, packet: RtpPacket) -> None:
        self.on_rtp(packet)
        self._changed.set()

    def rtcp_received(self, compound: bytes, arrival_ns: int) -> None:
        for item in parse_compound(compound):
            self.rtcp.append(item)
            self.on_rtcp(item, CLOCK.monotonic_ns())
        self._changed.set()

    def state_changed(self, state: TransportState) -> None:
        self.states.append(state)
        self._changed.set()

    def of(self, kind: type) -> list[RtcpPacket]:
        """RTCP received, of one kind."""
        return [item for item in self.rtcp if isinstance(item, kind)]


class Publisher(Peer):
    """Sends frames it is given and answers NACKs."""

    def __init__(self, tracks: Sequence[OutgoingTrack], through: tuple[str, int] | None = None) -> None:
        super().__init__(through)
        self.tracks = tracks
        self.streams: list[SendStream] = []
        self.log = SendLog()
        self.keyframe_requests = 0
        self._keyframes_made = -1
        self._offer: Session | None = None
        self._version = 1
        self.acknowledged = 0
        self.info: TransportDescription | None = None

    async def publish(
        self, api: Api, transport_id: str, *, room: str = ROOM, feed: str = "ultrasound"
    ) -> None:
        await self.transport.gather()
        offer = self._offer = offer_publish(self.local(), self.tracks)
        request = CreateTransport(
            transport_id=transport_id,
            room=room,
            participant_id="p_1",
            direction="publish",
            offer=offer.serialize(),
            feed=feed,
        )
        self.info = await api.create(request)
        answer = parse_sdp(self.info.sdp)
        applied = apply_answer(offer, answer)
        sequence = TransportSequence()
        for media in applied.media:
            assert media.ssrc is not None
            rtx = None
            if media.rtx_payload_type is not None and media.rtx_ssrc is not None:
                rtx = RtxParameters(media.rtx_ssrc, media.rtx_payload_type, 7)
            self.streams.append(
                SendStream(
                    media.ssrc,
                    media.payload_type,
                    media.clock_rate,
                    first_sequence=65_500,
                    first_timestamp=4_294_900_000,
                    rtx=rtx,
                    extensions=media.extensions,
                    mid=media.mid,
                    transport_sequence=sequence,
                    send_log=self.log,
                )
            )
        setup = next(media.setup for media in answer.media if not media.rejected)
        await self.connect(applied.transport, "active" if setup == "passive" else "passive")

    def next_offer(self) -> str:
        """An offer of the present `tracks` on the same connection."""
        self._version += 1
        self._offer = offer_publish(self.local(), self.tracks, previous=self._offer, version=self._version)
        return self._offer.serialize()

    @property
    def track_ids(self) -> list[str]:
        assert self.info is not None
        return [info.track_id for info in self.info.tracks]

    def send(self, payloads: Sequence[bytes], ticks: int, index: int = 0) -> None:
        """One frame of stream `index`."""
        sealer = self.transport.sealer
        assert sealer is not None
        now_ns = CLOCK.monotonic_ns()
        datagrams = self.streams[index].send(
            payloads, ticks, capture_ns=CLOCK.unix_ns(), now_ns=now_ns, sealer=sealer
        )
        self.transport.send(datagrams)

    def take_keyframe_wish(self) -> bool:
        """True for the first frame, and once after each request."""
        wished = self._keyframes_made != self.keyframe_requests
        self._keyframes_made = self.keyframe_requests
        return wished

    def send_report(self, index: int = 0) -> None:
        report = self.streams[index].sender_report(CLOCK.unix_ns())
        assert report is not None
        self.transport.send_rtcp(build_compound([report]))

    def on_rtcp(self, item: RtcpPacket, now_ns: int) -> None:
        sealer = self.transport.sealer
        if isinstance(item, Nack) and sealer is not None:
            for stream in self.streams:
                if stream.ssrc == item.media_ssrc:
                    self.transport.send(stream.on_nack(item.lost, now_ns, sealer))
        elif isinstance(item, Pli | Fir):
            self.keyframe_requests += 1
        elif isinstance(item, TransportFeedback):
            self.acknowledged += sum(result.arrival_ns is not None for result in self.log.on_feedback(item))


class Subscriber(Peer):
    """Receives everything it is offered; asks for what is missing when `repair` is set."""

    def __init__(self, through: tuple[str, int] | None = None, *, repair: bool = True) -> None:
        super().__init__(through)
        self.packets: dict[str, list[RtpPacket]] = {}
        """Track id → media packets, retransmissions unwrapped, in order of arrival."""
        self.raw: list[RtpPacket] = []
        self.media: list[ReceivedMedia] = []
        self.description: TransportDescription | None = None
        self._repair = repair
        self._streams: list[tuple[ReceivedMedia, ReceiveStream, str]] = []
        self._report_ns = 0

    async def subscribe(
        self,
        api: Api,
        transport_id: str,
        track_ids: Sequence[str],
        *,
        room: str = ROOM,
        rtx: bool = True,
        adaptive: bool = False,
    ) -> None:
        await self.transport.gather()
        request = CreateTransport(
            transport_id=transport_id,
            room=room,
            participant_id="p_2",
            direction="subscribe",
            track_ids=list(track_ids),
            adaptive=adaptive,
        )
        description = await api.create(request)
        remote, role = await self._answer(api, description, rtx)
        await self.connect(remote, role)

    async def change(self, api: Api, track_ids: Sequence[str]) -> None:
        """Other tracks from now on."""
        assert self.description is not None
        transport_id = self.description.transport_id
        description = await api.subscribe(transport_id, Subscriptions(track_ids=list(track_ids)))
        await self._answer(api, description, rtx=True)

    async def _answer(
        self, api: Api, description: TransportDescription, rtx: bool
    ) -> tuple[RemoteTransport, str]:
        self.description = description
        offer = parse_sdp(description.sdp)
        answer, self.media = answer_subscribe(offer, self.local())
        if not rtx:
            for media in answer.media:
                media.codecs = [codec for codec in media.codecs if codec.name != "rtx"]
                media.formats = [str(codec.payload_type) for codec in media.codecs]
        await api.answer(description.transport_id, answer.serialize())
        self.receive_as(description.mids, rtx=rtx)
        setup = next(media.setup for media in answer.media if not media.rejected)
        return remote_transport(offer), setup or "active"

    def receive_as(self, mids: dict[str, str], *, rtx: bool = True) -> None:
        """Take what `self.media` describes; `mids`: mid → track id. Streams that go on are kept."""
        known = {stream.ssrc: entry for entry in self._streams for stream in [entry[1]]}
        self._streams = [
            known.get(media.ssrc or 0) or self._stream(media, mids[media.mid], rtx) for media in self.media
        ]

    def _stream(
        self, media: ReceivedMedia, track_id: str, rtx: bool
    ) -> tuple[ReceivedMedia, ReceiveStream, str]:
        assert media.ssrc is not None
        self.packets.setdefault(track_id, [])
        types = {}
        if rtx and media.rtx_payload_type is not None:
            types = {media.rtx_payload_type: media.payload_type}
        stream = ReceiveStream(
            media.ssrc,
            media.clock_rate,
            payload_types=(media.payload_type,),
            rtx_ssrc=media.rtx_ssrc,
            rtx_payload_types=types,
        )
        return media, stream, track_id

    def on_rtp(self, packet: RtpPacket) -> None:
        self.raw.append(packet)
        for media, stream, track_id in self._streams:
            if packet.ssrc in (media.ssrc, media.rtx_ssrc):
                received = stream.receive(packet, CLOCK.monotonic_ns())
                if received is not None:
                    self.packets[track_id].append(received)

    def on_rtcp(self, item: RtcpPacket, now_ns: int) -> None:
        if isinstance(item, SenderReport):
            for _, stream, _ in self._streams:
                if stream.ssrc == item.ssrc:
                    stream.on_sender_report(item, CLOCK.unix_ns(), now_ns)

    def on_tick(self, now_ns: int) -> None:
        if not self._repair:
            return
        for _, stream, _ in self._streams:
            lost = stream.nacks_due(now_ns)
            if lost:
                self.transport.send_rtcp(build_compound([Nack(1, stream.ssrc, tuple(lost))]))
        if now_ns - self._report_ns > 300_000_000:
            self._report_ns = now_ns
            self.report()

    def report(self) -> None:
        """A receiver report, as browsers send about once per second."""
        blocks = [stream.report_block(CLOCK.monotonic_ns()) for _, stream, _ in self._streams]
        found = tuple(block for block in blocks if block is not None)
        self.transport.send_rtcp(build_compound([ReceiverReport(1, found)]))

    def ask_for_keyframe(self, index: int = 0) -> None:
        self.transport.send_rtcp(build_compound([Pli(1, self._streams[index][1].ssrc)]))

    def payloads(self, track_id: str) -> list[bytes]:
        """Payloads received, in order of their numbers."""
        packets = sorted(
            self.packets[track_id], key=lambda packet: _unwrapped(packet, self.packets[track_id][0])
        )
        return [packet.payload for packet in packets]


def _unwrapped(packet: RtpPacket, first: RtpPacket) -> int:
    return ((packet.sequence_number - first.sequence_number + 0x8000) & 0xFFFF) - 0x8000


def h264_frame(number: int, packets: int, *, keyframe: bool = False) -> list[bytes]:
    """Payloads that look like a frame's to whoever reads no further than the NAL headers; all different."""
    payloads = []
    for index in range(packets):
        start = 0x80 if index == 0 else 0x40 if index == packets - 1 else 0
        kind = 5 if keyframe else 1
        mark = number.to_bytes(4, "big") + index.to_bytes(2, "big")
        payloads.append(bytes((0x7C, start | kind, 0x88)) + mark + bytes(900 + index % 7))
    return payloads
