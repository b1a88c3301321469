"""The subscribe connection: one transport, its streams, and the RTCP an ordinary receiver owes the server."""

from __future__ import annotations

import asyncio
import secrets
import ssl
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import structlog

from core.clock import NS_PER_MS, NS_PER_S, Clock
from core.errors import ProtocolError, TeleconsultError
from core.messages import CaptureClock, IceServer, Offer
from recorder.jobs import TrackJob
from recorder.received import ReceivedTrack
from rtp.extension_codecs import decode_transport_number
from rtp.extensions import parse_extensions
from rtp.negotiation import (
    LocalTransport,
    ReceivedMedia,
    RemoteTransport,
    answer_subscribe,
    remote_transport,
)
from rtp.packet import RtpPacket
from rtp.rtcp import (
    Nack,
    Pli,
    ReceiverReport,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    build_compound,
    parse_compound,
)
from rtp.sdp import parse_sdp
from rtp.twcc import FeedbackBuilder
from transport.api import TransportState
from transport.client import ClientTransport

TICK_S: Final = 0.02
REST_S: Final = 0.04
"""Nobody waits for the archive; packets read together cost a tenth less (docs/performance.md)."""
REPORT_INTERVAL_NS: Final = NS_PER_S
FEEDBACK_INTERVAL_NS: Final = 100 * NS_PER_MS
MAX_REPORT_BLOCKS: Final = 31  # RFC 3550 §6.4.2

log = structlog.get_logger()

MakeTrack = Callable[[ReceivedMedia, str, int], ReceivedTrack]
"""(m-line, track id, SSRC) → what receives it."""


class Intake:
    """Answers offers, receives, reports. Jobs go to `deliver`; `lost` is told once that the connection is
    gone.
    """

    def __init__(
        self,
        clock: Clock,
        make_track: MakeTrack,
        deliver: Callable[[list[TrackJob]], None],
        lost: Callable[[str], None],
        ice_servers: Sequence[IceServer] = (),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._clock = clock
        self._make_track = make_track
        self._deliver = deliver
        self._lost = lost
        self._transport = ClientTransport(self, controlling=True, clock=clock, tls=tls)
        self._ice_servers = ice_servers
        self._ssrc = secrets.randbits(32)
        self._cname = secrets.token_urlsafe(12)
        self._session_id = secrets.randbits(62)
        self._tracks: dict[str, ReceivedTrack] = {}
        self._track_ids: dict[str, str] = {}
        self._by_ssrc: dict[int, ReceivedTrack] = {}
        self._feedback = FeedbackBuilder(self._ssrc)
        self._reported_ns = self._fed_back_ns = 0
        self._ticker: asyncio.Task[None] | None = None
        self._remote: RemoteTransport | None = None
        self._connecting = False
        self._closed = False

    @property
    def connected(self) -> bool:
        return self._transport.state == "connected"

    @property
    def tracks(self) -> Mapping[str, ReceivedTrack]:
        """By mid."""
        return self._tracks

    async def gather(self) -> None:
        """Open ports; before the first answer."""
        await self._transport.gather()
        self._ticker = asyncio.create_task(self._tick_forever())

    async def connect(self) -> bool:
        """Reach the media server the last offer told of, once; False when it told of none, or this is under
        way.

        Raises `Unavailable`, after which the intake is of no use.
        """
        remote, self._remote = self._remote, None
        if remote is None or self._connecting:
            return False
        self._connecting = True
        await self._transport.connect(
            remote.ice, remote.fingerprints, remote.candidates, remote.dtls_role, self._ice_servers
        )
        return True

    def answer(self, offer: Offer) -> str:
        """Answer an offer and follow its set of tracks. Raises `ProtocolError`."""
        parsed = parse_sdp(offer.sdp)
        if any(not media.rejected for media in parsed.media) and not self._connecting:
            self._remote = remote_transport(parsed, prefer="client")
        local = LocalTransport(
            self._transport.local,
            (self._transport.fingerprint.algorithm, self._transport.fingerprint.value),
            tuple(self._transport.candidates),
            session_id=self._session_id,
        )
        answer, received = answer_subscribe(parsed, local, version=offer.revision + 1)
        self._follow(received, {item.mid: item.track_id for item in offer.tracks})
        return answer.serialize()

    def set_clock(self, message: CaptureClock) -> None:
        """The mapping to capture time of one m-line."""
        track = self._tracks.get(message.mid)
        if track is None or self._track_ids.get(message.mid) != message.track_id:
            return
        cutter = track.cutter
        if message.clock_rate == cutter.source.clock_rate:
            self._deliver(
                cutter.set_clock(message.rtp_timestamp, message.capture_time_us, message.uncertainty_us)
            )

    def received(self, track_id: str) -> ReceivedTrack | None:
        """What receives that track now."""
        mids = (mid for mid, name in self._track_ids.items() if name == track_id)
        return next((self._tracks[mid] for mid in mids), None)

    def finish(self) -> list[ReceivedTrack]:
        """Cut every piece and take nothing more; returns the tracks there were."""
        self._closed = True
        if self._ticker is not None:
            self._ticker.cancel()
        tracks = list(self._tracks.values())
        self._finish(list(self._tracks))
        self._by_ssrc = {}
        return tracks

    async def close(self) -> None:
        """Finish and hang up."""
        self.finish()
        await self._transport.close()

    # sink of the transport

    def rtp_received(self, packet: RtpPacket) -> None:
        track = self._by_ssrc.get(packet.ssrc)
        if track is None:
            return
        self._note_arrival(track, packet)
        self._deliver(track.receive(packet, self._clock.monotonic_ns()))

    def rtcp_received(self, compound: bytes, arrival_ns: int) -> None:
        try:
            packets = parse_compound(compound)
        except ProtocolError:
            return
        for packet in packets:
            if isinstance(packet, SenderReport) and (track := self._by_ssrc.get(packet.ssrc)) is not None:
                track.stream.on_sender_report(packet, arrival_ns, self._clock.monotonic_ns())

    def state_changed(self, state: TransportState) -> None:
        if state == "connected":
            for port in self._transport.ports:
                port.rest(REST_S)
        if state == "closed" and not self._closed:
            self._closed = True
            self._lost(self._transport.close_reason or "closed")

    # tracks

    def _follow(self, received: list[ReceivedMedia], track_ids: Mapping[str, str]) -> None:
        live = {media.mid: media for media in received if media.mid in track_ids and media.ssrc is not None}
        same = {mid for mid in live if mid in self._tracks and self._is_same(live[mid], track_ids[mid])}
        self._finish([mid for mid in self._tracks if mid not in same])
        for mid, media in live.items():
            if mid in same:
                continue
            assert media.ssrc is not None
            try:
                track = self._make_track(media, track_ids[mid], media.ssrc)
            except TeleconsultError as error:
                log.warning("recorder.track_refused", mid=mid, error=str(error))
                continue
            self._tracks[mid], self._track_ids[mid] = track, track_ids[mid]
        self._by_ssrc = {}
        for track in self._tracks.values():
            self._by_ssrc[track.ssrc] = track
            if track.media.rtx_ssrc is not None:
                self._by_ssrc[track.media.rtx_ssrc] = track

    def _is_same(self, media: ReceivedMedia, track_id: str) -> bool:
        track = self._tracks[media.mid]
        return (track.ssrc, track.media.codec) == (media.ssrc, media.codec) and (
            self._track_ids[media.mid] == track_id
        )

    def _finish(self, mids: list[str]) -> None:
        now_ns = self._clock.monotonic_ns()
        for mid in mids:
            self._track_ids.pop(mid)
            self._deliver(self._tracks.pop(mid).finish(now_ns))

    # time

    async def _tick_forever(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            try:
                self._tick(self._clock.monotonic_ns())
            except Exception:
                log.exception("recorder.tick_failed")

    def _tick(self, now_ns: int) -> None:
        packets: list[RtcpPacket] = []
        for track in self._tracks.values():
            self._deliver(track.poll(now_ns))
            packets += self._requests(track, now_ns)
        if now_ns - self._fed_back_ns >= FEEDBACK_INTERVAL_NS:
            self._fed_back_ns = now_ns
            packets += self._feedback.build()
        if now_ns - self._reported_ns >= REPORT_INTERVAL_NS:
            self._reported_ns = now_ns
            packets = [*self._report(now_ns), *packets]
        if packets:
            self._send(packets)

    def _requests(self, track: ReceivedTrack, now_ns: int) -> list[RtcpPacket]:
        if self._transport.rtt_ns is not None:
            track.stream.set_rtt(self._transport.rtt_ns)
        packets: list[RtcpPacket] = []
        if lost := track.stream.nacks_due(now_ns):
            packets.append(Nack(self._ssrc, track.ssrc, tuple(lost)))
        if track.keyframe_due(now_ns):
            packets.append(Pli(self._ssrc, track.ssrc))
        return packets

    def _report(self, now_ns: int) -> list[RtcpPacket]:
        blocks = [track.stream.report_block(now_ns) for track in self._tracks.values()]
        known = tuple(block for block in blocks if block is not None)[:MAX_REPORT_BLOCKS]
        return [ReceiverReport(self._ssrc, known), SourceDescription(((self._ssrc, self._cname),))]

    def _send(self, packets: list[RtcpPacket]) -> None:
        """Reports go together; feedback goes in packets of its own (RFC 5506), each within an MTU."""
        reports = [item for item in packets if isinstance(item, ReceiverReport | SourceDescription)]
        if reports:
            self._transport.send_rtcp(build_compound(reports))
        for item in packets:
            if item not in reports:
                self._transport.send_rtcp(build_compound([item]))

    def _note_arrival(self, track: ReceivedTrack, packet: RtpPacket) -> None:
        """Transport-wide feedback lets the server's estimate know this path."""
        number = track.transport_number_id
        if number is None or packet.extension_profile is None:
            return
        try:
            value = parse_extensions(packet.extension_profile, packet.extension).get(number)
            if value is not None:
                self._feedback.received(decode_transport_number(value), packet.arrival_ns)
        except ProtocolError:
            return
