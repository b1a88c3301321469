"""A small real server for edge tests: WHIP and the room socket over HTTP, media over loopback UDP.

Between box and media endpoint is the impairment proxy, so that the network can be cut and a dead server can
be silent, as a killed process is.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace

from aiohttp import WSMsgType, web

from core.clock import SystemClock
from core.messages import (
    ConsultationInfo,
    Hello,
    MediaReset,
    Model,
    Participant,
    Ping,
    Pong,
    TrackInfo,
    Welcome,
    parse_client_message,
)
from rtp.extensions import (
    ABS_CAPTURE_TIME,
    REPAIRED_RID,
    RID,
    TRANSPORT_CC,
    AbsoluteCaptureTime,
    decode_abs_capture_time,
    decode_token,
    decode_transport_number,
    parse_extensions,
)
from rtp.negotiation import LocalTransport, ReceivedMedia, answer_publish, remote_transport
from rtp.packet import RtpPacket
from rtp.payload import AccessUnit, AnyDepacketizer, depacketizer_for
from rtp.receive_stream import ReceiveStream
from rtp.rtcp import ReceiverReport, RtcpPacket, SenderReport, build_compound, parse_compound
from rtp.sdp import Session, parse_sdp
from rtp.twcc import FeedbackBuilder
from tests.support.impairment import ImpairmentProxy
from tests.support.link import Impairment
from transport.api import TransportState
from transport.endpoint import MediaEndpoint
from transport.server import ServerTransport

DEADLINE_S = 20.0
TOKEN = "device-token"
OUR_SSRC = 7
FEEDBACK_INTERVAL_NS = 60_000_000


@dataclass
class Stream:
    """What came of one SSRC."""

    media: ReceivedMedia
    receive: ReceiveStream
    depacketizer: AnyDepacketizer
    units: list[AccessUnit] = field(default_factory=list)
    capture_times: dict[int, AbsoluteCaptureTime] = field(default_factory=dict)
    """By RTP timestamp."""
    reports: list[SenderReport] = field(default_factory=list)
    sequence_numbers: list[int] = field(default_factory=list)


@dataclass
class Received:
    """One WHIP resource: a `TransportSink` that puts frames together again and sends feedback.

    Streams are called `video` and `audio`, those of a simulcast picture by their rid.
    """

    feed: str
    offer: Session
    changed: Callable[[], None]
    transport: ServerTransport | None = None
    media: list[ReceivedMedia] = field(default_factory=list)
    streams: dict[str, Stream] = field(default_factory=dict)
    states: list[TransportState] = field(default_factory=list)
    deleted: bool = False
    opened_ns: int = field(default_factory=time.monotonic_ns)
    first_unit_ns: int | None = None
    twcc: FeedbackBuilder = field(default_factory=lambda: FeedbackBuilder(OUR_SSRC))
    told_ns: int = 0

    def agree(self, media: list[ReceivedMedia]) -> None:
        self.media = media
        self.streams = {item.kind: _stream(item, item.ssrc) for item in media if item.ssrc is not None}

    @property
    def video(self) -> Stream:
        """The picture, or its full encoding."""
        return self.streams["video"] if "video" in self.streams else self.streams["f"]

    def has_units(self, count: int) -> bool:
        return bool({"video", "f"} & set(self.streams)) and len(self.video.units) >= count

    def rtp_received(self, packet: RtpPacket) -> None:
        self._meet(packet)
        for stream in self.streams.values():
            if packet.ssrc in (stream.receive.ssrc, stream.receive.rtx_ssrc):
                self._take(stream, packet)
        self._tell_arrivals(packet.arrival_ns)
        self.changed()

    def _meet(self, packet: RtpPacket) -> None:
        """A simulcast stream is known by what its first packets say (RFC 8852)."""
        for media in self.media:
            extensions = parse_extensions(packet.extension_profile, packet.extension)
            for uri, of_media in ((RID, True), (REPAIRED_RID, False)):
                token = extensions.get(media.extensions.id_of(uri) or 0)
                rid = None if token is None else decode_token(token)
                if rid not in media.rids:
                    continue
                if of_media and rid not in self.streams:
                    self.streams[rid] = _stream(media, packet.ssrc)
                elif not of_media and rid in self.streams:
                    self.streams[rid].receive.rtx_ssrc = packet.ssrc

    def _tell_arrivals(self, now_ns: int) -> None:
        if now_ns - self.told_ns > FEEDBACK_INTERVAL_NS:
            self.told_ns = now_ns
            self.send(*self.twcc.build())

    def _take(self, stream: Stream, packet: RtpPacket) -> None:
        extensions = parse_extensions(packet.extension_profile, packet.extension)
        ids = stream.media.extensions
        number = extensions.get(ids.id_of(TRANSPORT_CC) or 0)
        if number is not None:
            self.twcc.received(decode_transport_number(number), packet.arrival_ns)
        captured = extensions.get(ids.id_of(ABS_CAPTURE_TIME) or 0)
        if captured is not None:
            stream.capture_times[packet.timestamp] = decode_abs_capture_time(captured)
        media = stream.receive.receive(packet, time.monotonic_ns())
        if media is None:
            return
        stream.sequence_numbers.append(media.sequence_number)
        unit = stream.depacketizer.push(media.payload, media.marker, media.timestamp)
        if unit is not None:
            stream.units.append(unit)
            self.first_unit_ns = self.first_unit_ns or time.monotonic_ns()

    def rtcp_received(self, compound: bytes, arrival_ns: int) -> None:
        for packet in parse_compound(compound):
            if isinstance(packet, SenderReport):
                for stream in self.streams.values():
                    if stream.receive.ssrc == packet.ssrc:
                        stream.reports.append(packet)
                        stream.receive.stats.on_sender_report(packet.ntp_time, time.monotonic_ns())
        self.changed()

    def state_changed(self, state: TransportState) -> None:
        self.states.append(state)
        self.changed()

    def send(self, *packets: RtcpPacket) -> None:
        assert self.transport is not None
        self.transport.send_rtcp(build_compound(packets))

    def report(self) -> None:
        block = self.video.receive.stats.report_block(time.monotonic_ns())
        assert block is not None
        self.send(ReceiverReport(OUR_SSRC, (block,)))


class WhipServer:
    """HTTP on a fixed port, media on another; both can vanish and return."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.refuse_with: int | None = None
        self.tokens: list[str | None] = []
        self.hellos: list[Hello] = []
        self.sockets: list[web.WebSocketResponse] = []
        self.http_port = 0
        self._forgotten = 0
        self._changed = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self._endpoint: MediaEndpoint | None = None
        self._proxy: ImpairmentProxy
        self._media_port = 0

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls) -> AsyncIterator[WhipServer]:
        server = cls()
        await server.start_media(0)
        assert server._endpoint is not None
        server._media_port = server._endpoint.port.address[1]
        server._proxy = await ImpairmentProxy.open(("127.0.0.1", server._media_port))
        await server.start_http()
        try:
            yield server
        finally:
            await server.stop_http()
            await server.stop_media()
            server._proxy.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for `condition`, looked at after every event."""
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def until_units(self, publication: int, count: int) -> Received:
        """Wait until the n-th publication has delivered so many pictures."""
        await self.until(
            lambda: len(self.received) > publication and self.received[publication].has_units(count)
        )
        return self.received[publication]

    # vanishing and returning

    async def start_media(self, port: int) -> None:
        self._endpoint = await MediaEndpoint.open("127.0.0.1", port, clock=SystemClock())

    async def stop_media(self) -> None:
        if self._endpoint is not None:
            await self._endpoint.close()
            self._endpoint = None

    async def kill_media(self) -> None:
        """As `kill -9` of the worker: no goodbye leaves the machine."""
        self.impair(Impairment(cut=True))
        await self.stop_media()

    async def revive_media(self) -> None:
        """The worker is back on its port and knows nobody."""
        await self.start_media(self._media_port)
        self.impair(Impairment())

    def impair(self, impairment: Impairment) -> None:
        self._proxy.set(impairment)

    async def start_http(self) -> None:
        app = web.Application()
        app.router.add_post("/whip/{room}/{feed}", self._post)
        app.router.add_delete("/resource/{number}", self._delete)
        app.router.add_get("/ws", self._socket)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.http_port, reuse_address=True)
        await site.start()
        assert self._runner.addresses
        self.http_port = self._runner.addresses[0][1]

    async def stop_http(self) -> None:
        for socket in self.sockets:
            await socket.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def forget_everything(self) -> None:
        """As a signaling service that was killed and is back; the media server lives on."""
        self._forgotten = len(self.received)

    def _feeds(self) -> list[str]:
        """Those the room shows."""
        return [received.feed for received in self.received[self._forgotten :] if not received.deleted]

    async def media_reset(self) -> None:
        await self.say(MediaReset())

    async def say(self, message: Model) -> None:
        """Tell every box in the room."""
        for socket in self.sockets:
            if not socket.closed:
                await socket.send_str(message.model_dump_json())

    # HTTP

    async def _post(self, request: web.Request) -> web.Response:
        self.tokens.append(request.headers.get("Authorization"))
        self._changed.set()
        if self.refuse_with is not None or self._endpoint is None:
            return web.Response(status=self.refuse_with or 503)
        assert request.content_type == "application/sdp"
        offer = parse_sdp(await request.text())
        received = Received(request.match_info["feed"], offer, self._changed.set)
        transport = self._endpoint.create_transport(secrets.token_hex(4), received)
        received.transport = transport
        host, port = self._proxy.address
        candidate = replace(self._endpoint.candidates[0], address=host, port=port)
        fingerprint = (transport.fingerprint.algorithm, transport.fingerprint.value)
        answer, media = answer_publish(offer, LocalTransport(transport.local, fingerprint, (candidate,)))
        received.agree(media)
        remote = remote_transport(offer)
        transport.start(remote.ice, remote.fingerprints, "server")
        self.received.append(received)
        self._changed.set()
        location = {"Location": f"/resource/{len(self.received) - 1}"}
        return web.Response(
            status=201, text=answer.serialize(), headers=location, content_type="application/sdp"
        )

    async def _delete(self, request: web.Request) -> web.Response:
        received = self.received[int(request.match_info["number"])]
        received.deleted = True
        if received.transport is not None and self._endpoint is not None:
            received.transport.close("deleted")
        self._changed.set()
        return web.Response()

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.append(socket)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await self._answer(socket, message.data)
        return socket

    async def _answer(self, socket: web.WebSocketResponse, text: str) -> None:
        match parse_client_message(text):
            case Hello() as hello:
                self.hellos.append(hello)
                await socket.send_str(_welcome(self._feeds()).model_dump_json())
            case Ping(id=number):
                await socket.send_str(Pong(id=number, server_time_us=0).model_dump_json())
        self._changed.set()


def track_info(track_id: str, feed: str) -> TrackInfo:
    """A picture of the box's."""
    return TrackInfo(
        track_id=track_id, participant_id="pa_1", feed=feed, kind="video", source="device", codec="H264"
    )


def _welcome(feeds: list[str]) -> Welcome:
    tracks = [track_info(f"tr_{number}", feed) for number, feed in enumerate(feeds)]
    return Welcome(
        participant=Participant(participant_id="pa_1", name="box", role="device"),
        resume_token="resume-1",
        room="demo",
        consultation=ConsultationInfo(consultation_id="co_1", opened_at_us=0),
        participants=[],
        tracks=tracks,
        server_time_us=0,
    )


def _stream(media: ReceivedMedia, ssrc: int) -> Stream:
    rtx = {media.rtx_payload_type: media.payload_type} if media.rtx_payload_type else {}
    receive = ReceiveStream(
        ssrc,
        media.clock_rate,
        payload_types=[media.payload_type],
        rtx_ssrc=media.rtx_ssrc,
        rtx_payload_types=rtx,
    )
    return Stream(media, receive, depacketizer_for(media.codec))
