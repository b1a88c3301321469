"""Pure: which encodings of a simulcast track its publisher shall send, and which can be had.

What nobody wants is rested at the source: it costs the uplink. The smallest one never is, so that who joins
sees something at once and the track does not look dead.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from core.clock import NS_PER_MS, NS_PER_S
from sfu.layer import Layer

REST_AFTER_NS: Final = 5 * NS_PER_S
"""Nobody has wanted it for so long."""
WAKE_NS: Final = 3 * NS_PER_S
"""An encoding that was asked for and has not come by then is none: the publisher cannot."""
LAGGING_NS: Final = 600 * NS_PER_MS
"""An encoding silent for so long, while others of the track go on, has been dropped by its publisher."""
BEGINS_WITHIN_NS: Final = 1 * NS_PER_S
"""A track's encodings begin about together, but not with the same packet: a busy encoder needs a while for
its first large picture.
"""
_BY_NAME: Final = {"f": 0, "h": 1, "q": 2}
"""What our publishers call them: full, half, quarter."""


def largest_first(layers: Iterable[Layer]) -> list[Layer]:
    """As their publisher means them, before any has come: by our names, else as it prefers them (RFC 8853
    §5.2: the first most).
    """
    return sorted(layers, key=lambda layer: _BY_NAME.get(layer.rid or "", 0))


class Encodings:
    """Looks at the layers of one producer; their `consumers` say who wants them."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        self._layers = layers
        self._resting: set[Layer] = set()
        self._idle_ns: dict[Layer, int] = {}
        self._woken_ns: dict[Layer, int] = {}
        self._begun_ns: int | None = None
        """When the first packet of any layer was noticed."""

    @property
    def wanted(self) -> list[str]:
        """Rids the publisher shall send. What it never sent is among them: it may be able to later."""
        return [layer.rid for layer in self._layers if layer.rid is not None and layer not in self._resting]

    @property
    def any_resting(self) -> bool:
        return bool(self._resting)

    def can_have(self, layer: Layer, now_ns: int) -> bool:
        """True when it comes, or would if it were asked for."""
        if layer in self._resting or now_ns < self._woken_ns.get(layer, -WAKE_NS) + WAKE_NS:
            return True
        return self._flows(layer, now_ns) or self._may_still_begin(layer, now_ns)

    def _may_still_begin(self, layer: Layer, now_ns: int) -> bool:
        begun_ns = self._begun_ns
        return layer.last_packet_ns is None and begun_ns is not None and now_ns - begun_ns < BEGINS_WITHIN_NS

    def _flows(self, layer: Layer, now_ns: int) -> bool:
        newest_ns = max(other.last_packet_ns or 0 for other in self._layers)
        return layer.is_live(now_ns) and newest_ns - (layer.last_packet_ns or 0) < LAGGING_NS

    def smallest(self, now_ns: int) -> Layer | None:
        """The cheapest that comes; None when none does."""
        flowing = [layer for layer in self._layers if self._flows(layer, now_ns)]
        return min(flowing, key=lambda layer: (layer.pixels, layer.expected_bps), default=None)

    def update(self, now_ns: int) -> bool:
        """True when `wanted` has changed. To be called at each tick."""
        if len(self._layers) == 1:
            return False
        if self._begun_ns is None and any(layer.last_packet_ns is not None for layer in self._layers):
            self._begun_ns = now_ns
        before = len(self._resting)
        woken = self._wake(now_ns)
        for layer in self._layers:
            self._rest(layer, now_ns)
        return woken or len(self._resting) != before

    def _wake(self, now_ns: int) -> bool:
        """What somebody wants; everything while nothing comes."""
        deserted = bool(self._resting) and self.smallest(now_ns) is None
        waking = [layer for layer in self._resting if layer.consumers or deserted]
        for layer in waking:
            self._resting.discard(layer)
            self._woken_ns[layer] = now_ns
        return bool(waking)

    def _rest(self, layer: Layer, now_ns: int) -> None:
        if layer.consumers or not self._flows(layer, now_ns) or layer in self._resting:
            self._idle_ns.pop(layer, None)
            return
        since_ns = self._idle_ns.setdefault(layer, now_ns)
        if now_ns - since_ns >= REST_AFTER_NS and layer is not self.smallest(now_ns):
            self._resting.add(layer)
