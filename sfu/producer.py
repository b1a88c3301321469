"""Pure: a published track. Its layers receive; its consumers send."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from core.clock import NS_PER_S
from core.messages import Codec, Kind, Source, TrackInfo
from rtp.negotiation import OutgoingTrack, ReceivedMedia
from sfu.headers import HeaderPlan, PlanKey
from sfu.layer import Layer

if TYPE_CHECKING:
    from sfu.consumer import Consumer

BETTER_BY: Final = 1.25
"""A layer must carry so much more than the present one to be preferred: equal ones must not alternate."""
CHOOSE_INTERVAL_NS: Final = 1 * NS_PER_S


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
        self.best: Layer = next(iter(self.layers.values()))
        """The layer everyone gets for now."""
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

    def choose(self, now_ns: int) -> None:
        """Prefer the live layer that carries most; to be called often, decides once per second."""
        for layer in self.layers.values():
            layer.update_rate(now_ns)
        recently = now_ns - self._chosen_ns < CHOOSE_INTERVAL_NS
        if len(self.layers) == 1 or (recently and self.best.is_live(now_ns)):
            return
        self._chosen_ns = now_ns
        live = [layer for layer in self.layers.values() if layer.is_live(now_ns)]
        best = max(live, key=lambda layer: layer.bitrate_bps, default=self.best)
        if self.best.is_live(now_ns) and best.bitrate_bps < self.best.bitrate_bps * BETTER_BY:
            return
        if best is not self.best:
            self.best = best
            for consumer in list(self.consumers):
                consumer.want(best, now_ns)

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
