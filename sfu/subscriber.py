"""A subscriber's connection: tracks become consumers; its feedback is answered here."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from core.clock import NS_PER_MS, NS_PER_S
from core.errors import Conflict, NotFound, ProtocolError
from core.messages import Model, UnsupportedTrack
from core.worker_api import (
    ConsumerClock,
    CreateTransport,
    LayerChanged,
    Subscriptions,
    TransportDescription,
    TransportView,
)
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
    Remb,
    ReportBlock,
    SenderReport,
    SourceDescription,
    TransportFeedback,
    build_compound,
    parse_compound,
)
from rtp.sdp import Session, parse_sdp
from sfu.allocation import UNLIMITED_BPS
from sfu.budget import LinkBudget
from sfu.consumer import Consumer
from sfu.downlink import Downlink
from sfu.producer import Producer
from sfu.selection import Selection, Sent
from sfu.session import PeerSession, SessionHost, random_ssrc
from transport.api import TransportState

REPORT_INTERVAL_NS: Final = 1 * NS_PER_S
FIRST_REPORT_NS: Final = 100 * NS_PER_MS
CLOCK_INTERVAL_NS: Final = 10 * NS_PER_S
SLOW_TICK_NS: Final = 100 * NS_PER_MS
CATCH_UP_NS: Final = 20 * NS_PER_MS
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
        self._selection = Selection() if request.adaptive and self.direction == "subscribe" else None
        """None: every picture comes in its best layer."""
        limited = self._selection is not None and host.limit_viewers
        self._budget = LinkBudget() if limited else None
        """None: whatever is shown fits."""
        self._link = Downlink(host.clock.monotonic_ns(), self._budget)
        self._outgoing: dict[str, OutgoingTrack] = {}
        self._consumers: dict[str, Consumer] = {}
        self._by_ssrc: dict[int, Consumer] = {}
        self._timers: dict[Consumer, _Timers] = {}
        self._offer: Session | None = None
        self._revision = 0
        self._slow_tick_ns = 0
        self._silent_ns: int | None = None
        """Since when the transport has been silent."""
        self._path_changes = 0
        """Of the transport, as far as dealt with."""
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

    def set_view(self, view: TransportView) -> None:
        """What the viewer shows, and how large. Raises `Conflict` for one whose layers are not chosen."""
        if self._selection is None:
            raise Conflict("this transport was not made adaptive")
        self._selection.show(view.views)
        self._select_layers(self.host.clock.monotonic_ns())
        self.flush()

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
            adaptive=self._selection is not None and media.kind == "video",
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
        if self._selection is not None:
            self._selection.forget(track_id)
        self._timers.pop(consumer, None)
        self._by_ssrc = {ssrc: other for ssrc, other in self._by_ssrc.items() if other is not consumer}

    # media

    def on_connected(self) -> None:
        self._path_changes = self.transport.counters.path_changes
        self._link.sealer = self.transport.sealer
        self._link.lane = self.transport.lane
        self._start_consumers()

    def state_changed(self, state: TransportState) -> None:
        super().state_changed(state)
        returned = state == "connected" and self._silent_ns is not None
        self._silent_ns = self.host.clock.monotonic_ns() if state == "silent" else None
        if state == "connected" and self._link.sealer is None:
            self._resume()
        elif returned:
            self._renew_pictures()

    def _renew_pictures(self) -> None:
        """It missed a lot, may still ask for it on the way that is gone, and would wait for seconds before it
        asks again.
        """
        for consumer in self._consumers.values():
            if consumer.media.kind == "video":
                consumer.on_keyframe_request()

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
        self._select_layers(now_ns)
        for consumer in self._consumers.values():
            consumer.catch_up(now_ns)
        self.tick_due_ns = 0
        self.flush()

    def flush(self) -> None:
        """Send what is in the link's outbox (`Outlet`)."""
        if self._budget is not None and self._budget.busy:
            self.host.hurry(self)
        link = self._link
        if not link.outbox and not link.expressed:
            return
        datagrams, packets, size_bytes = link.take()
        counters = self.host.metrics.counters
        counters.packets_out += packets
        counters.bytes_out += size_bytes
        if datagrams:
            if link.lane is not None:
                link.lane.fan_out.run()  # they shall not overtake what was collected before
            self.transport.send(datagrams)

    def on_rtcp(self, compound: bytes, arrival_ns: int) -> None:
        now_ns = self.host.clock.monotonic_ns()
        for item in parse_compound(compound):
            if isinstance(item, TransportFeedback):
                self._link.on_feedback(item, now_ns)
            elif isinstance(item, Nack):
                self._on_nack(item, now_ns)
            elif isinstance(item, Pli):
                self._on_keyframe_request(item.media_ssrc, now_ns)
            elif isinstance(item, Fir):
                for request in item.requests:
                    self._on_keyframe_request(request.ssrc, now_ns)
            elif isinstance(item, ReceiverReport | SenderReport):
                self._on_reports(item.reports, arrival_ns, now_ns)
            elif isinstance(item, Remb) and self._budget is not None:
                self._budget.on_remb(item.bitrate_bps, now_ns)
        self._probe(now_ns)
        self.flush()

    def _on_nack(self, nack: Nack, now_ns: int) -> None:
        consumer = self._by_ssrc.get(nack.media_ssrc)
        if consumer is not None:
            self.host.metrics.counters.nacks_received += len(nack.lost)
            consumer.on_nack(nack.lost, now_ns)

    def _on_keyframe_request(self, ssrc: int, now_ns: int) -> None:
        consumer = self._by_ssrc.get(ssrc)
        if consumer is not None:
            self.host.metrics.counters.keyframe_requests_received += 1
            if not consumer.keyframe_waits(now_ns):
                consumer.on_keyframe_request()

    def _on_reports(self, blocks: Sequence[ReportBlock], arrival_ns: int, now_ns: int) -> None:
        ours = [block for block in blocks if block.ssrc in self._by_ssrc]
        for block in ours:
            self._link.rtt.on_report_block(block, arrival_ns)
        if self._budget is not None:
            self._budget.on_reports(ours, now_ns)
        self.transport.rtt_ns = self._link.rtt.rtt_ns

    # time

    def on_tick(self, now_ns: int) -> None:
        catching_up = [consumer for consumer in self._consumers.values() if consumer.is_catching_up]
        for consumer in catching_up:
            consumer.catch_up(now_ns)
        self.flush()
        if now_ns >= self._slow_tick_ns:
            self._slow_tick_ns = (now_ns // SLOW_TICK_NS + 1) * SLOW_TICK_NS  # all sessions' at once
            self._check_peer(now_ns)
            self._look_at_budget(now_ns)
            self._select_layers(now_ns)
            for consumer, timers in self._timers.items():
                self._report(consumer, timers, now_ns)
                self._tell_clock(consumer, timers, now_ns)
        self.tick_due_ns = now_ns + CATCH_UP_NS if catching_up else self._slow_tick_ns

    def hurried(self, now_ns: int) -> bool:
        link, budget = self._link, self._budget
        if budget is None or link.sealer is None:
            return False
        link.release(now_ns)
        due_bytes = budget.padding_due(now_ns)
        if due_bytes and not self._pad(due_bytes, now_ns):
            budget.give_up_probe()
        self.flush()
        return budget.busy

    def _pad(self, size_bytes: int, now_ns: int) -> bool:
        return any(consumer.pad(size_bytes, now_ns) for consumer in self._consumers.values())

    def _look_at_budget(self, now_ns: int) -> None:
        if self._budget is not None:
            link = self._link
            self._budget.tick(link.counters.bytes_out, link.log.in_flight_bytes > 0, now_ns)
            self._probe(now_ns)

    def _probe(self, now_ns: int) -> None:
        """Find out whether more fits, while more is wanted."""
        if self._budget is not None and self._selection is not None:
            wanted_bps = self._selection.useful_bps
            if wanted_bps and self._budget.probe(wanted_bps, now_ns):
                self.host.hurry(self)

    def _select_layers(self, now_ns: int) -> None:
        """Which layer each picture gets now; the viewer is told of changes."""
        if self._selection is None or self._link.sealer is None:
            return
        consumers = [consumer for consumer in self._consumers.values() if consumer.started]
        for track_id, sent in self._selection.update(consumers, self._link.budget_bps, now_ns):
            self.host.emit(self._layer_changed(track_id, sent))
        if self._budget is not None:
            self._budget.committed_bps = self._selection.total_bps

    def _layer_changed(self, track_id: str, sent: Sent) -> LayerChanged:
        return LayerChanged(transport_id=self.id, track_id=track_id, layer=sent.layer, lowered=sent.lowered)

    def present_events(self) -> Iterator[Model]:
        if self._selection is not None:
            for track_id, sent in self._selection.sent.items():
                yield self._layer_changed(track_id, sent)

    def _check_peer(self, now_ns: int) -> None:
        silent_ns = self._silent_ns
        if silent_ns is not None and now_ns - silent_ns >= PAUSE_NS and self._link.sealer is not None:
            self._pause()
        changes = self.transport.counters.path_changes
        if changes != self._path_changes and self._link.sealer is not None:
            self._path_changes = changes
            self._renew_pictures()
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
                publisher_ahead_us=consumer.publisher_ahead_us,
            )
        )

    def on_closed(self) -> None:
        self._link.sealer = None
        self.host.router.unregister(self._link)
        for track_id in list(self._consumers):
            self._drop(track_id)

    def stats(self) -> dict[str, Any]:
        counters, log = self._link.counters, self._link.log
        return (
            super().stats()
            | {
                "tracks": list(self._consumers),
                "packets_out": counters.packets_out,
                "bytes_out": counters.bytes_out,
                "acknowledged": counters.acknowledged,
                "reported_lost": counters.reported_lost,
                "in_flight_bytes": log.in_flight_bytes,
                "nacked": counters.nacked,
                "resent": counters.resent,
                "refused": counters.refused,
                "padding": counters.padding,
                "layers": {
                    track_id: consumer.active.rid if consumer.active is not None else None
                    for track_id, consumer in self._consumers.items()
                    if consumer.adaptive
                },
            }
            | ({} if self._budget is None else self._budget_stats(self._budget))
        )

    def _budget_stats(self, budget: LinkBudget) -> dict[str, Any]:
        return {
            "budget_bps": None if budget.bps >= UNLIMITED_BPS else budget.bps,
            "sent_bps": budget.sent_bps,
            "queue_ms": round(budget.queue_ms),
            "waiting_bytes": 0 if budget.pacer is None else budget.pacer.queued_bytes,
            "dropped": self._link.counters.dropped,
        }


def require_subscriber(session: PeerSession) -> SubscribeSession:
    """Raises `NotFound` for a transport that does not subscribe."""
    if not isinstance(session, SubscribeSession):
        raise NotFound("this transport does not subscribe")
    return session


def _unsupported(producer: Producer) -> UnsupportedTrack:
    return UnsupportedTrack(track_id=producer.identity.track_id, codec=producer.identity.codec)
