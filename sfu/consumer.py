"""Pure: one track on its way to one subscriber. Only metadata: packets stay with the producer's layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from core.clock import NS_PER_MS, NS_PER_US, unix_ns_to_ntp
from rtp.congestion import Pacer, PacketClass
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
    plan_key,
)
from sfu.layer import Batch, Layer, in_order
from sfu.paced import OVERHEAD_BYTES, Held, take_out
from sfu.picture_numbers import PictureNumbers
from sfu.resend import Resender

if TYPE_CHECKING:
    from sfu.producer import Producer

PLAYOUT_DELAY_VALUE: Final = encode_playout_delay(0, 200)
"""Chromium takes its low-latency path for min = 0 and max > 0."""
CATCH_UP_BYTES: Final = 150_000
"""Per step (60 Mbit/s at a step each 20 ms): a whole group at once would overrun the subscriber's queues."""
STALE_NS: Final = 150 * NS_PER_MS
"""Pictures that have waited for so long give way to a keyframe of their own."""


class Consumer:
    """Sends `active`; goes over to `target` at its next keyframe. Silent before `start` and after `stop`.

    `wish` is what it shall get in the end: while nothing of it comes, and nothing else is sent, `target` is
    the smallest layer that does. `adaptive`: its owner chooses layers; else it follows the producer's best.
    `link` is shared by all consumers of the transport. `first_…` should be random, numbers below 2¹⁵.
    """

    __slots__ = (
        "_group",
        "_group_position",
        "_is_video",
        "_key_ns",
        "_may_express",
        "_numbered",
        "_numbers",
        "_octets",
        "_packets",
        "_payload_type",
        "_resender",
        "_ssrc",
        "_unsent",
        "_unsent_payload",
        "active",
        "adaptive",
        "epoch",
        "link",
        "media",
        "plan",
        "producer",
        "rewriter",
        "started",
        "target",
        "wish",
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
        adaptive: bool = False,
    ) -> None:
        self.adaptive = adaptive
        self.epoch = 0
        """Another one when what waits for its turn must not be sent any more."""
        self.producer = producer
        self.media = media
        self.link = link
        self.plan = producer.plan_for(_plan_key(producer, media))
        self.rewriter = StreamRewriter(media.clock_rate, first_sequence, first_timestamp)
        self.active: Layer | None = None
        self.target: Layer | None = None
        self.wish: Layer | None = None
        self.started = False
        self._numbers = PictureNumbers() if producer.media.codec == "VP8" else None
        self._resender = Resender(
            self, producer, media, self.rewriter, link, self.plan, first_rtx_sequence, self._numbers
        )
        self._may_express = not self._resender.keeps_ciphertext
        self._payload_type = media.payload_type
        self._ssrc = media.ssrc or 0
        self._numbered = self.plan.key.number_id is not None
        self._packets = 0
        self._octets = 0
        self._is_video = media.kind == "video"
        self._key_ns = 0
        """When the last keyframe came."""
        self._unsent = 0
        """The newest numbers given, when nothing was sealed with them."""
        self._unsent_payload: bytes | None = None
        """Of the first of them."""
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
        self.epoch += 1
        self.producer.detach(self)
        self.rest()

    def rest(self) -> None:
        """Send nothing until `want`; the numbers will go on without a gap."""
        self._group = None
        self._unsent += self._drop_waiting()
        layers = {self.active, self.target, self.wish}
        self.active = self.target = self.wish = None
        for layer in layers:
            self._leave(layer)

    def want(self, layer: Layer, now_ns: int) -> None:
        """Go over to `layer` as soon as it can be decoded from; what is sent now goes on until then."""
        before, self.wish = self.wish, layer
        if self not in layer.consumers:
            layer.consumers.append(self)
        self._aim(self._way_to(layer, now_ns), now_ns)
        self._leave(before)

    def _way_to(self, layer: Layer, now_ns: int) -> Layer:
        """An archive waits for the producer's choice instead: it shall not begin with a small picture."""
        if not self.adaptive or self.active is not None or layer.is_live(now_ns):
            return layer
        return self.producer.encodings.smallest(now_ns) or layer

    def _aim(self, layer: Layer, now_ns: int) -> None:
        before = self.target
        if layer is before:
            return
        self.target = layer
        self._leave(before)
        if self not in layer.consumers:
            layer.consumers.append(self)
        self._begin_soon(layer, now_ns)

    def _leave(self, layer: Layer | None) -> None:
        """Unless it is still sent, or shall be."""
        if (
            layer is not None
            and layer not in (self.active, self.target, self.wish)
            and self in layer.consumers
        ):
            layer.consumers.remove(self)

    def _begin_soon(self, layer: Layer, now_ns: int) -> None:
        """With the cached group, or with the keyframe asked for here; sound begins with the next packet."""
        if layer is self.active or self.media.kind == "audio":
            return
        group = layer.group.serve(now_ns) if self.active is None else None
        if group is not None:
            self._begin(layer, now_ns)
            self._group, self._group_position = group, 0
        else:
            layer.keyframes.request()

    def pause(self) -> None:
        """Nobody is there to send to; `resume` goes on without a gap in the numbers."""
        self.epoch += 1
        if self.active is not None:
            self.restart(self.active)

    def silence(self) -> None:
        """The producer is paused: what was sent before it must not be sent again either."""
        self.pause()
        self._resender.forget()

    def resume(self, now_ns: int) -> None:
        """Begin again as a joiner does."""
        if self.target is not None:
            self._begin_soon(self.target, now_ns)

    def restart(self, layer: Layer) -> None:
        """`layer` has a new source: wait for its first keyframe."""
        if self.active is layer:
            self.active, self._group = None, None
        self._leave(layer)

    def _begin(self, layer: Layer, now_ns: int) -> None:
        source = layer.source
        assert source is not None
        before, self.active = self.active, layer
        self._unsent += self._drop_waiting()
        self.rewriter.switch(source, unsent=self._unsent)
        if self._numbers is not None:
            self._numbers.switch(self._unsent_payload if self._unsent else None)
        self._unsent, self._unsent_payload = 0, None
        self._leave(before)
        if self.wish is not None:
            self._aim(self.wish, now_ns)

    # forwarding

    def forward(self, layer: Layer, batch: Batch, now_ns: int) -> None:
        """Seal a batch of `layer` into the link's outbox."""
        sealer = self.link.sealer
        if sealer is None or not self.started:
            return
        if self._group is not None:
            if layer is self.active or layer is not self.target or batch.key is None:
                return
            self._group = None  # the rest of the cached group is overtaken by what it was a stopgap for
        prepared = self.plan.prepare_batch(batch.packets)
        key = batch.key
        if layer is not self.active and (layer is not self.target or key is None):
            return
        if key is not None:
            self._key_ns = now_ns
            if layer is not self.active or self.link.waited_ns(now_ns) > STALE_NS:
                self._begin(layer, now_ns)
                prepared = PreparedBatch(prepared.items[key:], prepared.numbered)
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
            if self._numbers is not None:
                self._numbers.switch(None)
            group = self._group = layer.group.packets
            self._group_position = 0
        part = group[self._group_position : _part_end(group, self._group_position)]
        prepared = self.plan.prepared(part)
        self._seal(prepared, in_order(part), sealer, now_ns)
        self._group_position += len(part)
        if self._group_position == len(group):
            self._group = None

    def _seal(self, batch: PreparedBatch, ordered: bool, sealer: SrtpSender, now_ns: int) -> None:
        """Numbers, headers, encryption: the hottest path of the project. `ordered`: numbers without gaps."""
        items, link = batch.items, self.link
        if not items:
            return
        rewriter, move = self.rewriter, None
        if ordered:
            last = items[-1].timestamp
            move = rewriter.rewrite_run(
                rewriter.source or 0, items[0].sequence_number, len(items), last, now_ns
            )
        is_run = move is not None
        if move is None:
            batch, move = self._place(items, now_ns), (0, 0)  # they may have overtaken each other
        if self._numbers is not None:
            batch = self._numbers.moved(batch, move[0], is_run)
        pacer = None if link.budget is None else link.budget.pacer
        if pacer is not None:
            kind = PacketClass.VIDEO if self._is_video else PacketClass.AUDIO
            if not pacer.passes(batch.octets + OVERHEAD_BYTES * len(batch.items), kind, now_ns):
                return self._wait(batch, is_run, move, pacer, kind, now_ns)
        if pacer is None or pacer.is_roomy:
            batch = batch.even()
        terms, count = (self._payload_type, self._ssrc, *move), len(batch.items)
        datagrams: list[bytes] = []
        if not (is_run and self._may_express and link.express(batch, 0, count, *terms, now_ns)):
            headers = batch.headers(*terms, link.next_number)
            datagrams = (sealer.seal_run if is_run else sealer.seal_each)(headers, batch.payloads)
            link.sealed(datagrams, *batch.sizes(sealer.tag_bytes), batch.numbered, now_ns)
        self.was_sent(datagrams, count, batch.octets, now_ns)

    def was_sent(self, datagrams: Sequence[bytes], packets: int, octets: int, now_ns: int) -> None:
        """Media of this consumer is leaving; `datagrams` are empty where the engine seals them."""
        self._packets += packets
        self._octets += octets
        if self._resender.keeps_ciphertext:
            self._resender.keep(datagrams, now_ns)

    def _drop_waiting(self) -> int:
        """What waits belongs in front of a keyframe to come, and would only hold it up.

        How many of the newest numbers are free again.
        """
        pacer = None if self.link.budget is None else self.link.budget.pacer
        if pacer is None or not pacer.queued_bytes:
            return 0
        take_out(pacer, PacketClass.REPAIR, self)
        waiting = take_out(pacer, PacketClass.VIDEO, self)
        ours = [number for held in waiting for number in held.numbers]
        if not ours or not self.rewriter.newest_are(ours):
            return 0
        self._unsent_payload = waiting[0].items[0].payload
        return len(ours)

    def _wait(
        self,
        batch: PreparedBatch,
        is_run: bool,
        move: tuple[int, int],
        pacer: Pacer[Held],
        kind: PacketClass,
        now_ns: int,
    ) -> None:
        """Where the way is narrow, a burst goes out bit by bit: as much together as leaves on one tick."""
        count = len(batch.items)
        step = max(1, pacer.tick_bytes * count // max(1, batch.octets)) if is_run else 1
        for first in range(0, count, step):
            part = min(step, count - first)
            held = Held(
                self, self.epoch, self._payload_type, self._ssrc, batch, first, part, move, now_ns, True
            )
            if not pacer.push(held, held.size_bytes, kind, now_ns):
                self.link.counters.dropped += part

    def _place(self, items: Sequence[Prepared], now_ns: int) -> PreparedBatch:
        """Number packets one by one: after a gap, a repair, a switch. Those not to be sent are left out."""
        rewriter, source = self.rewriter, self.rewriter.source or 0
        placed = []
        for item in items:
            place = rewriter.rewrite(source, item.sequence_number, item.timestamp, now_ns)
            if place is not None:
                placed.append(item.placed(place[0], place[1]))
        return PreparedBatch(placed, self._numbered)

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

    def keyframe_waits(self, now_ns: int) -> bool:
        """True while a keyframe waits for its turn: another one would only wait behind it."""
        waited_ns = self.link.waited_ns(now_ns)
        return waited_ns > 0 and waited_ns >= now_ns - self._key_ns

    def pad(self, size_bytes: int, now_ns: int) -> bool:
        """Put about so much padding into the link's outbox, for a probe; False when it cannot."""
        last = self.rewriter.last_timestamp
        return last is not None and self._resender.pad(size_bytes, last, now_ns)

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

    @property
    def publisher_ahead_us(self) -> int:
        """By how much the publisher's clock names frames later than `clock` does; 0 while unknown."""
        return 0 if self.active is None else self.active.publisher_ahead_us

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


def _part_end(group: Sequence[RtpPacket], start: int) -> int:
    """Index behind as many packets as one step may send, at least one."""
    size = 0
    for index in range(start, len(group)):
        size += len(group[index].payload)
        if size > CATCH_UP_BYTES:
            return max(index, start + 1)
    return len(group)
