"""Pure: a published track. Its layers receive; its consumers send."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from core.clock import NS_PER_S
from core.messages import Codec, Kind, Source, TrackInfo
from rtp.negotiation import OutgoingTrack, ReceivedMedia
from sfu.allocation import COVERS, LayerOption, Rank
from sfu.encodings import Encodings, largest_first
from sfu.headers import HeaderPlan, PlanKey
from sfu.layer import Layer

if TYPE_CHECKING:
    from sfu.consumer import Consumer

BETTER_BY: Final = 1.25
"""A layer must carry so much more than the present one to be preferred: equal ones must not alternate."""
CHOOSE_INTERVAL_NS: Final = 1 * NS_PER_S
NOTABLE: Final = 8
"""A bit rate that changed by less than this part of it is none that anybody chooses anew for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackIdentity:
    """What signaling says about a track. `stream_id`: tracks of one stream play in step."""

    track_id: str
    room: str
    participant_id: str
    feed: str
    kind: Kind
    source: Source
    codec: Codec
    stream_id: str
    on_site: bool = False

    @property
    def rank(self) -> Rank:
        """What it is worth where not everything fits. The site's cameras show the room, others' a face."""
        if self.kind == "audio":
            return Rank.AUDIO
        if self.source == "camera":
            return Rank.ROOM if self.on_site else Rank.FACE
        return Rank.SCREEN if self.source == "screen" else Rank.DEVICE


class Producer:
    """One m-line of a publisher. Without simulcast there is one layer, of rid None."""

    def __init__(self, identity: TrackIdentity, media: ReceivedMedia) -> None:
        self.identity = identity
        self.media = media
        rids: tuple[str | None, ...] = media.rids or (None,)
        self.layers: dict[str | None, Layer] = {rid: Layer(media, rid) for rid in rids}
        self.consumers: list[Consumer] = []
        self.live = False
        self.closed = False
        self.paused = False
        self._by_size = largest_first(self.layers.values())
        self.best: Layer = self._by_size[0]
        """The layer that carries most: for all who do not choose, as recorders and WHEP players."""
        self.encodings = Encodings(list(self.layers.values()))
        self.options: tuple[LayerOption, ...] = ()
        """The layers that can be had. `revision` says when they have notably changed."""
        self.revision = 0
        self._plans: dict[PlanKey, HeaderPlan] = {}
        self._chosen_ns = 0

    def info(self) -> TrackInfo:
        """The track as room members know it."""
        identity = self.identity
        return TrackInfo(
            track_id=identity.track_id,
            participant_id=identity.participant_id,
            feed=identity.feed,
            kind=identity.kind,
            source=identity.source,
            codec=identity.codec,
            live=self.live,
            paused=self.paused,
        )

    def outgoing(self, ssrc: int, rtx_ssrc: int | None) -> OutgoingTrack:
        """The track as an offer to a subscriber names it."""
        identity, media = self.identity, self.media
        return OutgoingTrack(
            track_id=identity.track_id,
            kind=identity.kind,
            codec=identity.codec,
            clock_rate=media.clock_rate,
            ssrc=ssrc,
            cname=identity.stream_id,
            stream_id=identity.stream_id,
            channels=media.channels,
            fmtp=media.fmtp,
            rtx_ssrc=rtx_ssrc,
        )

    def layer_of(self, source: int) -> Layer | None:
        """The layer whose SSRC is `source`."""
        return next((layer for layer in self.layers.values() if layer.source == source), None)

    def plan_for(self, key: PlanKey) -> HeaderPlan:
        """One plan per distinct key, shared by all consumers that have it."""
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = HeaderPlan(key)
        return plan

    def attach(self, consumer: Consumer, now_ns: int) -> None:
        """A consumer wants the track."""
        self.consumers.append(consumer)
        if not consumer.adaptive:
            consumer.want(self.best, now_ns)

    def detach(self, consumer: Consumer) -> None:
        """A consumer has gone; a plan nobody uses goes with it."""
        if consumer in self.consumers:
            self.consumers.remove(consumer)
        used = {other.plan.key for other in self.consumers}
        self._plans = {key: plan for key, plan in self._plans.items() if key in used}

    def bind(self, layer: Layer, ssrc: int, rtx_ssrc: int | None) -> None:
        """The layer has a (new) SSRC."""
        for consumer in list(layer.consumers):
            consumer.restart(layer)
        layer.bind(ssrc, rtx_ssrc)

    def choose(self, now_ns: int) -> bool:
        """Look what there is, and prefer what carries most; to be called at each tick.

        True when the publisher shall send other encodings than before.
        """
        for layer in self.layers.values():
            layer.update_rate(now_ns)
        changed = self.encodings.update(now_ns)
        available = [layer for layer in self.layers.values() if self.encodings.can_have(layer, now_ns)]
        if available:  # a track that is silent for now will be what it was
            self._note(available)
        if len(self.layers) > 1:
            self._choose_best(available, now_ns)
        return changed

    def _note(self, available: Sequence[Layer]) -> None:
        """Keep `options` up to date, but for small changes."""
        options = self.options
        same = len(options) == len(available) and all(
            layer.rid == option.rid
            and layer.pixels == option.pixels
            and abs(layer.expected_bps - option.bitrate_bps) * NOTABLE <= option.bitrate_bps
            for layer, option in zip(available, options, strict=True)
        )
        if not same:
            self.options = tuple(
                LayerOption(layer.rid, layer.expected_bps, layer.pixels) for layer in available
            )
            self.revision += 1

    def _choose_best(self, available: Sequence[Layer], now_ns: int) -> None:
        """Once per second, or as soon as the best of before is gone or a larger picture comes."""
        gone = self.best not in available
        larger = any(self._size(layer) > self._size(self.best) for layer in available)
        at_once = gone or larger
        if not available or (now_ns - self._chosen_ns < CHOOSE_INTERVAL_NS and not at_once):
            return
        self._chosen_ns = now_ns
        best = max(available, key=lambda layer: (self._size(layer), layer.expected_bps))
        if not at_once and best.expected_bps < self.best.expected_bps * BETTER_BY:
            return
        if best is not self.best:
            self.best = best
            for consumer in list(self.consumers):
                if not consumer.adaptive:
                    consumer.want(best, now_ns)

    def _size(self, layer: Layer) -> int:
        """In pixels; what has not been seen yet counts as larger than those it is meant to be larger than."""
        smaller = self._by_size[self._by_size.index(layer) + 1 :]
        return layer.pixels or max((other.pixels for other in smaller), default=0) + 1

    def lacks(self, shown_pixels: int) -> bool:
        """True when the shown size wants more than the publisher sends, though it can or could."""
        sent = max((option.pixels for option in self.options), default=0)
        if not sent or sent >= shown_pixels * COVERS:
            return False
        shrunk = any(layer.most_pixels > sent for layer in self.layers.values())
        return shrunk or len(self.options) < len(self.layers)

    def set_paused(self, paused: bool, now_ns: int) -> None:
        """Nothing is forwarded to anybody from now on; or again, pictures from their next keyframe on."""
        if paused == self.paused:
            return
        self.paused = paused
        for layer in self.layers.values():
            layer.set_paused(paused)
        for consumer in list(self.consumers):
            if paused:
                consumer.silence()
            else:
                consumer.resume(now_ns)

    def live_change(self, now_ns: int) -> bool | None:
        """The new state when packets began or ceased to come since the last call, else None."""
        live = any(layer.is_live(now_ns) for layer in self.layers.values())
        if live == self.live:
            return None
        self.live = live
        return live

    def close(self) -> None:
        """The publisher has gone."""
        self.closed = True
        for consumer in list(self.consumers):
            consumer.stop()

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers.values())
