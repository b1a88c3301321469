"""A subscriber's connection: tracks become consumers; its feedback is answered here."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from core.clock import NS_PER_MS, NS_PER_S
from core.errors import Conflict, NotFound, ProtocolError
from core.messages import UnsupportedTrack
from core.worker_api import ConsumerClock, CreateTransport, Subscriptions, TransportDescription
from rtp.negotiation import (
    AcceptedMedia,
    OutgoingTrack,
    answer_view,
    apply_answer,
    offer_subscribe,
    remote_transport,
    track_mids,
)
from rtp.rtcp import (
    Fir,
    Nack,
    Pli,
    ReceiverReport,
    ReportBlock,
    SenderReport,
    SourceDescription,
    TransportFeedback,
    build_compound,
    parse_compound,
)
from rtp.sdp import Session, parse_sdp
from sfu.consumer import Consumer
from sfu.downlink import Downlink
from sfu.producer import Producer
from sfu.session import PeerSession, SessionHost, random_ssrc
from transport.api import TransportState

REPORT_INTERVAL_NS: Final = 1 * NS_PER_S
FIRST_REPORT_NS: Final = 100 * NS_PER_MS
CLOCK_INTERVAL_NS: Final = 10 * NS_PER_S
SLOW_TICK_NS: Final = 100 * NS_PER_MS
MAX_TRACKS: Final = 64
PAUSE_NS: Final = 7 * NS_PER_S
"""A subscriber silent for so long is sent nothing. Numbers must not run on by 2¹⁵ unheard (at 30 Mbit/s they
do in 10 s): it could not tell how often they wrapped and would never open a packet again (RFC 3711 §3.3.1).
"""


@dataclass(slots=True)
class _Timers:
    """Of one consumer. `clock_key`: mapping last told (source, revision, offset)."""

    report_due_ns: int
    clock_due_ns: int = 0
    clock_key: tuple[int, ...] = ()


class SubscribeSession(PeerSession):
    """`subscribe`: we offer, again whenever the tracks change. `view`: the client offers once (WHEP)."""

    def __init__(self, host: SessionHost, request: CreateTransport) -> None:
        super().__init__(host, request)
        self._codecs = frozenset(request.codecs)
        self._link = Downlink(host.clock.monotonic_ns())
        self._outgoing: dict[str, OutgoingTrack] = {}
        self._consumers: dict[str, Consumer] = {}
        self._by_ssrc: dict[int, Consumer] = {}
        self._timers: dict[Consumer, _Timers] = {}
        self._offer: Session | None = None
        self._revision = 0
        self._slow_tick_ns = 0
        self._silent_ns: int | None = None
        """Since when the transport has been silent."""
        host.router.register(self._link, self)

    # negotiation

    def subscribe(self, wanted: Subscriptions) -> TransportDescription:
        """A new offer with exactly these tracks; consumers of others end now. Tracks that ended are left out.

        Raises `Conflict` for a viewer that offered by itself.
        """
        if self.direction != "subscribe":
            raise Conflict("a WHEP viewer's tracks are fixed by its offer")
        if wanted.restart_ice and self._remote is not None:
            self.transport.restart_ice()
        producers, unsupported = self._select(wanted.track_ids)
        self._keep_only(producers)
        tracks = [self._track(producer) for producer in producers]
        self._revision += 1
        self._offer = offer_subscribe(self._offer, self.local(), tracks, version=self._revision)
        return TransportDescription(
            transport_id=self.id,
            sdp=self._offer.serialize(),
            revision=self._revision,
            mids=track_mids(self._offer),
            unsupported=unsupported,
        )

    def answer(self, text: str) -> None:
        """The client's answer to the latest offer. Raises `ProtocolError`; then nothing has changed."""
        if self._offer is None:
            raise Conflict("there is no offer to answer")
        answer = parse_sdp(text)
        if not self._offer.media:
            return  # the room was empty: nothing was offered, so there is nothing to connect yet
        applied = apply_answer(self._offer, answer)
        self.start(applied.transport)
        self._accept(applied.media)

    def view(self, text: str, track_ids: Sequence[str]) -> TransportDescription:
        """Answer a viewer's offer; a repeated one is an ICE restart. Raises `ProtocolError`."""
        offer = parse_sdp(text)
        producers, _ = self._select(track_ids)
        tracks = [self._track(producer) for producer in producers]
        self._revision += 1
        result = answer_view(offer, self.local(), tracks, version=self._revision)
        if self.renew_ice(offer):
            result = answer_view(offer, self.local(), tracks, version=self._revision)
        self.start(remote_transport(offer))
        self._accept(result.accepted)
        by_id = {producer.identity.track_id: producer for producer in producers}
        return TransportDescription(
            transport_id=self.id,
            sdp=result.answer.serialize(),
            revision=self._revision,
            mids={media.mid: media.track_id for media in result.accepted},
            unsupported=[_unsupported(by_id[track.track_id]) for track in result.unsupported],
        )

    def _select(self, track_ids: Sequence[str]) -> tuple[list[Producer], list[UnsupportedTrack]]:
        """(tracks to send, tracks the client cannot decode), of those of this room that still exist."""
        if len(track_ids) > MAX_TRACKS:
            raise ProtocolError(f"at most {MAX_TRACKS} tracks fit one connection")
        found = [self.host.track(track_id, self.room) for track_id in dict.fromkeys(track_ids)]
        producers = [producer for producer in found if producer is not None]
        usable = [producer for producer in producers if producer.identity.codec in self._codecs]
        return usable, [_unsupported(producer) for producer in producers if producer not in usable]

    def _track(self, producer: Producer) -> OutgoingTrack:
        """The track's outgoing description; its SSRCs stay while it is wanted."""
        track_id = producer.identity.track_id
        if track_id not in self._outgoing:
            rtx_ssrc = random_ssrc() if producer.identity.kind == "video" else None
            self._outgoing[track_id] = producer.outgoing(random_ssrc(), rtx_ssrc)
        return self._outgoing[track_id]

    def _keep_only(self, producers: Sequence[Producer]) -> None:
        wanted = {producer.identity.track_id for producer in producers}
        for track_id in list(self._outgoing):
            if track_id not in wanted:
                del self._outgoing[track_id]
                self._drop(track_id)

    def _accept(self, accepted: Sequence[AcceptedMedia]) -> None:
        """Consumers follow what the client takes; those on unchanged terms go on undisturbed."""
        terms = {media.track_id: media for media in accepted}
        for track_id, consumer in list(self._consumers.items()):
            if terms.get(track_id) != consumer.media:
                self._drop(track_id)
        for track_id, media in terms.items():
            producer = self.host.track(track_id, self.room)
            if producer is not None and track_id not in self._consumers:
                self._add(producer, media)
        if self._link.sealer is not None:
            self._start_consumers()

    def _add(self, producer: Producer, media: AcceptedMedia) -> None:
        consumer = Consumer(
            producer,
            media,
            self._link,
            first_sequence=self._first_number(media.ssrc),
            first_timestamp=secrets.randbits(32),
            first_rtx_sequence=self._first_number(media.rtx_ssrc),
        )
        self._consumers[media.track_id] = consumer
        if media.ssrc is not None:
            self._by_ssrc[media.ssrc] = consumer

    def _first_number(self, ssrc: int | None) -> int:
        """Random, but for a track taken on other terms: its SSRC stays, so its numbers have to go on."""
        sealer = self.transport.sealer
        used = None if sealer is None or ssrc is None else sealer.next_sequence(ssrc)
        return secrets.randbits(15) if used is None else used

    def _drop(self, track_id: str) -> None:
        consumer = self._consumers.pop(track_id, None)
        if consumer is None:
            return
        consumer.stop()
        self._timers.pop(consumer, None)
        self._by_ssrc = {ssrc: other for ssrc, other in self._by_ssrc.items() if other is not consumer}

    # media

    def on_connected(self) -> None:
        self._link.sealer = self.transport.sealer
        self._start_consumers()

    def state_changed(self, state: TransportState) -> None:
        super().state_changed(state)
        self._silent_ns = self.host.clock.monotonic_ns() if state == "silent" else None
        if state == "connected" and self._link.sealer is None:
            self._resume()

    def _pause(self) -> None:
        """Seal nothing more until the subscriber is heard again."""
        self._link.sealer = None
        for consumer in self._consumers.values():
            consumer.pause()

    def _resume(self) -> None:
        self._link.sealer = self.transport.sealer
        now_ns = self.host.clock.monotonic_ns()
        for consumer in self._consumers.values():
            consumer.resume(now_ns)
        self._start_consumers()

    def _start_consumers(self) -> None:
        now_ns = self.host.clock.monotonic_ns()
        for consumer in self._consumers.values():
            if not consumer.started and not consumer.producer.closed:
                self._timers[consumer] = _Timers(report_due_ns=now_ns + FIRST_REPORT_NS)
                consumer.start(now_ns)
                consumer.catch_up(now_ns)
        self.tick_due_ns = 0
        self.flush()

    def flush(self) -> None:
        """Send what is in the link's outbox (`Outlet`)."""
        if not self._link.outbox:
            return
        datagrams, size = self._link.take()
        counters = self.host.metrics.counters
        counters.packets_out += len(datagrams)
        counters.bytes_out += size
        self.transport.send(datagrams)

    def on_rtcp(self, compound: bytes, arrival_ns: int) -> None:
        now_ns = self.host.clock.monotonic_ns()
        for item in parse_compound(compound):
            if isinstance(item, TransportFeedback):
                self._link.on_feedback(item)
            elif isinstance(item, Nack):
                self._on_nack(item, now_ns)
            elif isinstance(item, Pli):
                self._on_keyframe_request(item.media_ssrc)
            elif isinstance(item, Fir):
                for request in item.requests:
                    self._on_keyframe_request(request.ssrc)
            elif isinstance(item, ReceiverReport | SenderReport):
                self._on_reports(item.reports, arrival_ns)
        self.flush()

    def _on_nack(self, nack: Nack, now_ns: int) -> None:
        consumer = self._by_ssrc.get(nack.media_ssrc)
        if consumer is not None:
            self.host.metrics.counters.nacks_received += len(nack.lost)
            consumer.on_nack(nack.lost, now_ns)

    def _on_keyframe_request(self, ssrc: int) -> None:
        consumer = self._by_ssrc.get(ssrc)
        if consumer is not None:
            self.host.metrics.counters.keyframe_requests_received += 1
            consumer.on_keyframe_request()

    def _on_reports(self, blocks: Sequence[ReportBlock], arrival_ns: int) -> None:
        for block in blocks:
            if block.ssrc in self._by_ssrc:
                self._link.rtt.on_report_block(block, arrival_ns)
        self.transport.rtt_ns = self._link.rtt.rtt_ns

    # time

    def on_tick(self, now_ns: int) -> None:
        catching_up = [consumer for consumer in self._consumers.values() if consumer.is_catching_up]
        for consumer in catching_up:
            consumer.catch_up(now_ns)
        self.flush()
        if now_ns >= self._slow_tick_ns:
            self._slow_tick_ns = now_ns + SLOW_TICK_NS
            self._check_peer(now_ns)
            for consumer, timers in self._timers.items():
                self._report(consumer, timers, now_ns)
                self._tell_clock(consumer, timers, now_ns)
        self.tick_due_ns = 0 if catching_up else self._slow_tick_ns

    def _check_peer(self, now_ns: int) -> None:
        silent_ns = self._silent_ns
        if silent_ns is not None and now_ns - silent_ns >= PAUSE_NS and self._link.sealer is not None:
            self._pause()
        if self.announced == "connecting" and self._offer is not None and not self._offer.media:
            self.transport.wait_longer()  # an empty room: there is nothing to connect for yet

    def _report(self, consumer: Consumer, timers: _Timers, now_ns: int) -> None:
        if now_ns < timers.report_due_ns:
            return
        report = consumer.sender_report(self.host.clock.unix_ns())
        if report is None:
            return
        timers.report_due_ns = now_ns + REPORT_INTERVAL_NS
        cname = consumer.producer.identity.stream_id
        description = SourceDescription(((report.ssrc, cname),))
        self.transport.send_rtcp(build_compound([report, description]))

    def _tell_clock(self, consumer: Consumer, timers: _Timers, now_ns: int) -> None:
        key = consumer.clock_key()
        if key == timers.clock_key and now_ns < timers.clock_due_ns:
            return
        clock = consumer.clock()
        if clock is None:
            return
        timers.clock_key, timers.clock_due_ns = key, now_ns + CLOCK_INTERVAL_NS
        self.host.emit(
            ConsumerClock(
                transport_id=self.id,
                mid=consumer.media.mid,
                track_id=consumer.media.track_id,
                rtp_timestamp=clock[0],
                clock_rate=consumer.media.clock_rate,
                capture_time_us=clock[1],
                uncertainty_us=clock[2],
            )
        )

    def on_closed(self) -> None:
        self._link.sealer = None
        self.host.router.unregister(self._link)
        for track_id in list(self._consumers):
            self._drop(track_id)

    def stats(self) -> dict[str, Any]:
        counters, log = self._link.counters, self._link.log
        return super().stats() | {
            "tracks": list(self._consumers),
            "packets_out": counters.packets_out,
            "bytes_out": counters.bytes_out,
            "acknowledged": counters.acknowledged,
            "reported_lost": counters.reported_lost,
            "in_flight_bytes": log.in_flight_bytes,
            "nacked": counters.nacked,
            "resent": counters.resent,
            "refused": counters.refused,
        }


def require_subscriber(session: PeerSession) -> SubscribeSession:
    """Raises `NotFound` for a transport that does not subscribe."""
    if not isinstance(session, SubscribeSession):
        raise NotFound("this transport does not subscribe")
    return session


def _unsupported(producer: Producer) -> UnsupportedTrack:
    return UnsupportedTrack(track_id=producer.identity.track_id, codec=producer.identity.codec)
