"""Pure: one track on its way to one subscriber. Only metadata: packets stay with the producer's layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from core.clock import NS_PER_US, unix_ns_to_ntp
from rtp.extensions import MID, PLAYOUT_DELAY, encode_playout_delay, encode_token
from rtp.negotiation import AcceptedMedia
from rtp.packet import RtpPacket
from rtp.rewrite import StreamRewriter
from rtp.rtcp import SenderReport
from rtp.srtp import SrtpSender
from sfu.downlink import Downlink
from sfu.headers import (
    PlanKey,
    Prepared,
    PreparedBatch,
    numbered_headers,
    plain_headers,
    plan_key,
    prepared_batch,
)
from sfu.layer import Batch, Layer, in_order
from sfu.resend import Resender

if TYPE_CHECKING:
    from sfu.producer import Producer

PLAYOUT_DELAY_VALUE: Final = encode_playout_delay(0, 200)
"""Chromium takes its low-latency path for min = 0 and max > 0."""
CATCH_UP_BYTES: Final = 150_000
"""Per step (60 Mbit/s at a step each 20 ms): a whole group at once would overrun the subscriber's queues."""


class Consumer:
    """Sends `active`; goes over to `target` at its next keyframe. Silent before `start` and after `stop`.

    `link` is shared by all consumers of the transport. `first_…` should be random, numbers below 2¹⁵.
    """

    __slots__ = (
        "_group",
        "_group_position",
        "_octets",
        "_packets",
        "_resender",
        "active",
        "link",
        "media",
        "plan",
        "producer",
        "rewriter",
        "started",
        "target",
    )

    def __init__(
        self,
        producer: Producer,
        media: AcceptedMedia,
        link: Downlink,
        *,
        first_sequence: int,
        first_timestamp: int,
        first_rtx_sequence: int,
    ) -> None:
        self.producer = producer
        self.media = media
        self.link = link
        self.plan = producer.plan_for(_plan_key(producer, media))
        self.rewriter = StreamRewriter(media.clock_rate, first_sequence, first_timestamp)
        self.active: Layer | None = None
        self.target: Layer | None = None
        self.started = False
        self._resender = Resender(producer, media, self.rewriter, link, self.plan, first_rtx_sequence)
        self._packets = 0
        self._octets = 0
        self._group: list[RtpPacket] | None = None
        self._group_position = 0

    # which layer

    def start(self, now_ns: int) -> None:
        """The subscriber is ready: send from the next packet, or keyframe, on."""
        if not self.started:
            self.started = True
            self.producer.attach(self, now_ns)

    def stop(self) -> None:
        """Send nothing more."""
        self.started = False
        self._group = None
        self.producer.detach(self)
        for layer in {self.active, self.target} - {None}:
            _leave(layer, self)
        self.active = self.target = None

    def want(self, layer: Layer, now_ns: int) -> None:
        """Go over to `layer` as soon as it can be decoded from. The seam for layer allocation."""
        if layer is self.target:
            return
        if self.target is not None and self.target is not self.active:
            _leave(self.target, self)
        self.target = layer
        if self not in layer.consumers:
            layer.consumers.append(self)
        self._begin_soon(layer, now_ns)

    def _begin_soon(self, layer: Layer, now_ns: int) -> None:
        """With the cached group, or with the keyframe asked for here; sound begins with the next packet."""
        if layer is self.active or self.media.kind == "audio":
            return
        group = layer.group.serve(now_ns) if self.active is None else None
        if group is not None:
            self._begin(layer)
            self._group, self._group_position = group, 0
        else:
            layer.keyframes.request()

    def pause(self) -> None:
        """Nobody is there to send to; `resume` goes on without a gap in the numbers."""
        if self.active is not None:
            self.restart(self.active)

    def resume(self, now_ns: int) -> None:
        """Begin again as a joiner does."""
        if self.target is not None:
            self._begin_soon(self.target, now_ns)

    def restart(self, layer: Layer) -> None:
        """`layer` has a new source: wait for its first keyframe."""
        if self.active is layer:
            self.active, self._group = None, None
        if self.target is not layer:
            _leave(layer, self)

    def _begin(self, layer: Layer) -> None:
        source = layer.source
        assert source is not None
        if self.active is not None and self.active is not layer:
            _leave(self.active, self)
        self.active = layer
        self.rewriter.switch(source)

    # forwarding

    def forward(self, layer: Layer, batch: Batch, now_ns: int) -> None:
        """Seal a batch of `layer` into the link's outbox."""
        sealer = self.link.sealer
        if sealer is None or not self.started or self._group is not None:
            return
        prepared = self.plan.prepare_batch(batch.packets)
        if layer is not self.active:
            if layer is not self.target or batch.key is None:
                return
            self._begin(layer)
            prepared = prepared_batch(prepared.items[batch.key :])
        self._seal(prepared, batch.in_order, sealer, now_ns)

    @property
    def is_catching_up(self) -> bool:
        """True while it sends the cached group and must be ticked."""
        return self._group is not None

    def catch_up(self, now_ns: int) -> None:
        """Send the next part of the cached group; to be called at each tick, between batches."""
        group, sealer, layer = self._group, self.link.sealer, self.active
        if group is None or sealer is None or layer is None:
            return
        if layer.group.packets is not group:
            if not layer.group.packets:  # it grew too old under our hands
                self._group, self.active = None, None
                layer.keyframes.request()
                return
            for packet in group[self._group_position :]:  # never sent, and nobody shall miss them
                self.rewriter.skip(packet.ssrc, packet.sequence_number)
            group = self._group = layer.group.packets
            self._group_position = 0
        part = group[self._group_position : _part_end(group, self._group_position)]
        prepared = prepared_batch([self.plan.prepare(packet) for packet in part])
        self._seal(prepared, in_order(part), sealer, now_ns)
        self._group_position += len(part)
        if self._group_position == len(group):
            self._group = None

    def _seal(self, batch: PreparedBatch, ordered: bool, sealer: SrtpSender, now_ns: int) -> None:
        """Numbers, headers, encryption: the hottest path of the project. `ordered`: numbers without gaps."""
        items, link, media = batch.items, self.link, self.media
        if not items:
            return
        rewriter, move = self.rewriter, None
        seal_all = sealer.seal_run
        if ordered:
            last = items[-1].timestamp
            move = rewriter.rewrite_run(
                rewriter.source or 0, items[0].sequence_number, len(items), last, now_ns
            )
        if move is None:
            batch, move = self._place(items, now_ns), (0, 0)
            seal_all = sealer.seal_each  # they may have overtaken each other
        numbered = self.plan.key.number_id is not None
        if numbered:
            headers = numbered_headers(
                batch.items, media.payload_type, media.ssrc or 0, *move, link.next_number
            )
        else:
            headers = plain_headers(batch.items, media.payload_type, media.ssrc or 0, *move)
        datagrams = seal_all(headers, batch.payloads)
        link.sealed(datagrams, list(map(len, datagrams)), numbered, now_ns)
        self._packets += len(datagrams)
        self._octets += batch.octets
        if self._resender.keeps_ciphertext:
            self._resender.keep(datagrams, now_ns)

    def _place(self, items: Sequence[Prepared], now_ns: int) -> PreparedBatch:
        """Number packets one by one: after a gap, a repair, a switch. Those not to be sent are left out."""
        rewriter, source = self.rewriter, self.rewriter.source or 0
        placed = []
        for item in items:
            place = rewriter.rewrite(source, item.sequence_number, item.timestamp, now_ns)
            if place is not None:
                placed.append(item._replace(sequence_number=place[0], timestamp=place[1]))
        return prepared_batch(placed)

    # feedback

    @property
    def keeps_ciphertext(self) -> bool:
        """True for a subscriber without RTX, which is sent stored ciphertext again."""
        return self._resender.keeps_ciphertext

    def on_nack(self, lost: Sequence[int], now_ns: int) -> None:
        """The subscriber misses packets: answers go into the link's outbox."""
        self._resender.on_nack(lost, now_ns)

    def on_keyframe_request(self) -> None:
        """The subscriber cannot decode: PLI or FIR."""
        layer = self.target or self.active
        if layer is not None:
            layer.keyframes.request()

    # clocks

    def clock(self) -> tuple[int, int, int] | None:
        """(outgoing RTP timestamp, its capture time in Unix µs, uncertainty in µs); None while unknown."""
        layer = self.active
        if layer is None or layer.stream is None or not self._packets:
            return None
        clock = layer.stream.capture_clock
        anchor, uncertainty_us = clock.anchor, clock.uncertainty_us
        if anchor is None or uncertainty_us is None:
            return None
        return (anchor[0] + self.rewriter.timestamp_offset) & 0xFFFFFFFF, anchor[1], uncertainty_us

    def clock_key(self) -> tuple[int, ...]:
        """Changes whenever `clock` maps timestamps otherwise than before."""
        layer = self.active
        if layer is None or layer.stream is None:
            return ()
        return layer.stream.ssrc, layer.stream.capture_clock.revision, self.rewriter.timestamp_offset

    def sender_report(self, now_unix_ns: int) -> SenderReport | None:
        """Our own report: now, in our clock, and the RTP timestamp a frame captured now would have."""
        clock = self.clock()
        if clock is None or self.media.ssrc is None:
            return None
        timestamp, capture_us, _ = clock
        ticks = (now_unix_ns // NS_PER_US - capture_us) * self.media.clock_rate // 1_000_000
        return SenderReport(
            self.media.ssrc,
            unix_ns_to_ntp(now_unix_ns),
            (timestamp + ticks) & 0xFFFFFFFF,
            self._packets & 0xFFFFFFFF,
            self._octets & 0xFFFFFFFF,
        )


def _plan_key(producer: Producer, media: AcceptedMedia) -> PlanKey:
    constant = [(MID, encode_token(media.mid))]
    if media.kind == "video":
        constant.append((PLAYOUT_DELAY, PLAYOUT_DELAY_VALUE))
    return plan_key(producer.media.extensions, media.extensions, constant)


def _leave(layer: Layer | None, consumer: Consumer) -> None:
    if layer is not None and consumer in layer.consumers:
        layer.consumers.remove(consumer)


def _part_end(group: Sequence[RtpPacket], start: int) -> int:
    """Index behind as many packets as one step may send, at least one."""
    size = 0
    for index in range(start, len(group)):
        size += len(group[index].payload)
        if size > CATCH_UP_BYTES:
            return max(index, start + 1)
    return len(group)
