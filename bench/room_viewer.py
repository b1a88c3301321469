"""A viewer of a room without a browser: takes its seat, answers offers, receives, repairs, reports, pings."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from bench.publisher import CLOCK, local_end
from bench.relay import Relay
from core import messages
from core.clock import NS_PER_MS, NS_PER_S
from core.errors import ProtocolError
from rtp.extensions import TRANSPORT_CC, decode_transport_number, parse_extensions
from rtp.negotiation import ReceivedMedia, answer_subscribe, remote_transport
from rtp.packet import RtpPacket
from rtp.receive_stream import ReceiveStream
from rtp.rtcp import Nack, ReceiverReport, SenderReport, build_compound, parse_compound
from rtp.sdp import parse_sdp
from rtp.twcc import FeedbackBuilder
from transport.api import TransportState, host_candidate
from transport.client import ClientTransport

TICK_S: Final = 0.02
FEEDBACK_NS: Final = 100 * NS_PER_MS
REPORT_NS: Final = NS_PER_S
PING_S: Final = 0.5
RENEW_S: Final = 240.0
ENTER_WITHIN_S: Final = 30.0
SAMPLES_KEPT: Final = 10_000

TokenSource = Callable[[], Awaitable[str]]
"""A fresh room token."""


@dataclass
class Picture:
    """What came of one feed. Gaps are between frames, in seconds; the time it was not published is none."""

    frames: int = 0
    packets: int = 0
    """With those whose frames never ended."""
    last_s: float | None = None
    longest_gap_s: float = 0.0

    def frame(self, now_s: float) -> None:
        """One is there."""
        if self.last_s is not None:
            self.longest_gap_s = max(self.longest_gap_s, now_s - self.last_s)
        self.frames += 1
        self.last_s = now_s


@dataclass
class Stream:
    """One m-line: its receiver, and the picture it counts for."""

    media: ReceivedMedia
    receiver: ReceiveStream
    picture: Picture
    transport_cc: int | None = field(default=None)


class Viewer:
    """`async with Viewer(…) as viewer:` is in the room until the end."""

    def __init__(
        self, session: aiohttp.ClientSession, room: str, token: TokenSource, relay: Relay | None = None
    ) -> None:
        self.pictures: dict[str, Picture] = {}
        """By feed."""
        self.tracks: dict[str, messages.TrackInfo] = {}
        self.errors: list[str] = []
        """Codes of what the room refused."""
        self.closed: int | None = None
        """Why the WebSocket ended, unless we ended it."""
        self.resets = 0
        """How often the media connection had to be made anew."""
        self.silences = 0
        self.layers_changed = 0
        self.ping_s: list[float] = []
        self.transport: ClientTransport | None = None
        self._session, self._room, self._token, self._relay = session, room, token, relay
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._entered = asyncio.Event()
        self._streams: dict[int, Stream] = {}
        self._connecting = False
        self._feedback = FeedbackBuilder(1)
        self._feedback_ns = self._report_ns = 0
        self._pings: dict[int, float] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._loop = asyncio.get_running_loop()

    async def __aenter__(self) -> Viewer:
        try:
            await self._enter()
        except BaseException:
            await self._leave()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._leave()

    async def _enter(self) -> None:
        protocols = ("teleconsult.v1", f"token.{await self._token()}")
        self._socket = await self._session.ws_connect(f"/ws?room={self._room}", protocols=protocols)
        works = (self._read, self._tick, self._ping, self._renew)
        self._tasks = [self._loop.create_task(work()) for work in works]
        await self.say(messages.Hello())
        async with asyncio.timeout(ENTER_WITHIN_S):
            await self._entered.wait()
        await self.say(messages.Subscribe())

    async def _leave(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._socket is not None:
            await self._socket.close()
        if self.transport is not None:
            await self.transport.close()

    async def say(self, message: messages.Model) -> None:
        """On the room's WebSocket; nothing when it has ended."""
        if self._socket is not None and not self._socket.closed:
            with contextlib.suppress(ConnectionError):
                await self._socket.send_str(message.model_dump_json())

    async def show(self, sizes: dict[str, tuple[int, int]], focus: str = "") -> None:
        """Say in how many pixels each feed is shown."""
        views = [
            messages.ShownView(track_id=track.track_id, width=w, height=h, focus=track.feed == focus)
            for track in self.tracks.values()
            for w, h in [sizes.get(track.feed, (0, 0))]
            if w
        ]
        await self.say(messages.SetView(views=views))

    @property
    def connected(self) -> bool:
        """Media flows, or could."""
        return self.transport is not None and self.transport.state == "connected"

    @property
    def ssrcs(self) -> Sequence[int]:
        """Of what it receives, retransmissions too."""
        return tuple(self._streams)

    # the room

    async def _read(self) -> None:
        assert self._socket is not None
        async for frame in self._socket:
            if frame.type == aiohttp.WSMsgType.TEXT:
                await self._hear(messages.parse_server_message(frame.data))
        self.closed = self._socket.close_code

    async def _hear(self, message: Any) -> None:
        match message:
            case messages.Welcome():
                self.tracks = {track.track_id: track for track in message.tracks}
                self._entered.set()
            case messages.TrackAdded() | messages.TrackChanged():
                self.tracks[message.track.track_id] = message.track
            case messages.TrackRemoved():
                self._removed(message.track_id)
            case messages.Offer():
                await self._answer(message)
            case messages.MediaReset():
                self.resets += 1
                await self.say(messages.Subscribe())
            case messages.LayerChanged():
                self.layers_changed += 1
            case messages.Pong():
                if (asked_s := self._pings.pop(message.id, None)) is not None:
                    self.ping_s = [*self.ping_s[-SAMPLES_KEPT:], self._loop.time() - asked_s]
            case messages.Error():
                self.errors.append(message.code)

    def _removed(self, track_id: str) -> None:
        track = self.tracks.pop(track_id, None)
        if track is not None and track.feed in self.pictures:
            self.pictures[track.feed].last_s = None

    async def _answer(self, offer: messages.Offer) -> None:
        fresh = offer.fresh or self.transport is None
        if fresh:
            await self._new_transport()
        assert self.transport is not None
        parsed = parse_sdp(offer.sdp)
        answer, media = answer_subscribe(parsed, local_end(self.transport), version=offer.revision + 1)
        self._follow(media, {track.mid: track.track_id for track in offer.tracks})
        await self.say(messages.Answer(revision=offer.revision, sdp=answer.serialize()))
        if self.transport.state == "connecting" and any(not section.rejected for section in parsed.media):
            self._tasks.append(self._loop.create_task(self._connect(self.transport, offer.sdp)))

    async def _new_transport(self) -> None:
        old, self.transport = self.transport, ClientTransport(self, controlling=True, clock=CLOCK)
        self._streams, self._connecting = {}, False
        if old is not None:
            await old.close()
        await self.transport.gather()

    async def _connect(self, transport: ClientTransport, sdp: str) -> None:
        if self._connecting:
            return
        self._connecting = True
        remote = remote_transport(parse_sdp(sdp), prefer="client")
        candidates = remote.candidates if self._relay is None else (host_candidate(*self._relay.address),)
        await transport.connect(remote.ice, remote.fingerprints, candidates, remote.dtls_role)

    async def _ping(self) -> None:
        number = 0
        while True:
            number += 1
            self._pings = {number: self._loop.time()}
            await self.say(messages.Ping(id=number))
            await asyncio.sleep(PING_S)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            with contextlib.suppress(aiohttp.ClientError, OSError):
                await self.say(messages.Renew(token=await self._token()))

    # media

    def _follow(self, described: Sequence[ReceivedMedia], track_ids: dict[str, str]) -> None:
        before, self._streams = self._streams, {}
        for media in described:
            track = self.tracks.get(track_ids.get(media.mid, ""))
            if media.ssrc is None or track is None:
                continue
            stream = before.get(media.ssrc) or self._stream(media, track.feed)
            self._streams[media.ssrc] = stream
            if media.rtx_ssrc is not None:
                self._streams[media.rtx_ssrc] = stream

    def _stream(self, media: ReceivedMedia, feed: str) -> Stream:
        types = {} if media.rtx_payload_type is None else {media.rtx_payload_type: media.payload_type}
        receiver = ReceiveStream(
            media.ssrc or 0,
            media.clock_rate,
            payload_types=(media.payload_type,),
            rtx_ssrc=media.rtx_ssrc,
            rtx_payload_types=types,
        )
        picture = self.pictures.setdefault(feed, Picture())
        return Stream(media, receiver, picture, media.extensions.id_of(TRANSPORT_CC))

    def rtp_received(self, packet: RtpPacket) -> None:
        stream = self._streams.get(packet.ssrc)
        if stream is None:
            return
        self._note(stream, packet)
        received = stream.receiver.receive(packet, CLOCK.monotonic_ns())
        stream.picture.packets += received is not None
        if received is not None and received.marker and received.payload:
            stream.picture.frame(self._loop.time())

    def _note(self, stream: Stream, packet: RtpPacket) -> None:
        """For the transport-wide feedback."""
        if stream.transport_cc is None:
            return
        with contextlib.suppress(ProtocolError):
            value = parse_extensions(packet.extension_profile, packet.extension).get(stream.transport_cc)
            if value is not None:
                self._feedback.received(decode_transport_number(value), packet.arrival_ns)

    def rtcp_received(self, compound: bytes, arrival_ns: int) -> None:
        for item in parse_compound(compound):
            if isinstance(item, SenderReport) and item.ssrc in self._streams:
                receiver = self._streams[item.ssrc].receiver
                receiver.on_sender_report(item, arrival_ns, CLOCK.monotonic_ns())

    def state_changed(self, state: TransportState) -> None:
        self.silences += state == "silent"
        if state == "closed" and self.transport is not None and self.transport.close_reason == "refused":
            self.resets += 1

    async def _tick(self) -> None:
        while True:
            if self.connected:
                self._send_reports(CLOCK.monotonic_ns())
            await asyncio.sleep(TICK_S)

    def _send_reports(self, now_ns: int) -> None:
        transport = self.transport
        assert transport is not None
        streams = {id(stream): stream for stream in self._streams.values()}.values()
        for stream in streams:
            lost = stream.receiver.nacks_due(now_ns)
            if lost:
                transport.send_rtcp(build_compound([Nack(1, stream.receiver.ssrc, tuple(lost))]))
        if now_ns - self._feedback_ns >= FEEDBACK_NS:
            self._feedback_ns = now_ns
            for feedback in self._feedback.build():
                transport.send_rtcp(build_compound([feedback]))
        if now_ns - self._report_ns >= REPORT_NS:
            self._report_ns = now_ns
            blocks = [stream.receiver.report_block(now_ns) for stream in streams]
            found = tuple(block for block in blocks if block is not None)
            transport.send_rtcp(build_compound([ReceiverReport(1, found[:31])]))
