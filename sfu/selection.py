"""Pure: what one adaptive subscriber shows, what it may cost, and so which layer each consumer sends."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Final, NamedTuple

from core.clock import NS_PER_MS
from core.worker_api import Lowered, TrackView
from sfu.allocation import Allocation, Choice, Demand, allocate, least_bps, useful_layers
from sfu.consumer import Consumer

UNTOLD_PIXELS: Final = 640 * 360
"""How large each picture counts as shown before the viewer says."""


WANTED_FACTOR: Final = 1.2
"""Over what things cost: what is new needs `UP_MARGIN`."""
DARK_AFTER_NS: Final = 2_500 * NS_PER_MS
"""So long a picture goes on in its smallest layer, over budget, before it is dark: longer than it takes to
find out that an estimate was too low."""
DARK_FACTOR: Final = 1.6
"""What is over budget by more costs the other pictures too much, and no estimate is that wrong."""


class Sent(NamedTuple):
    """What the viewer gets of a picture. `layer`: rid, empty without simulcast, None: nothing."""

    layer: str | None
    lowered: Lowered | None


class Selection:
    """`update` at each slow tick, and after every change, with the consumers of all accepted tracks."""

    def __init__(self) -> None:
        self._views: dict[str, TrackView] | None = None
        self._allocation: Allocation | None = None
        self._basis: tuple[int, ...] | None = None
        """Of which revisions the allocation was made; None: it must be made anew."""
        self._dark_ns: dict[str, int] = {}
        """Since when a picture that is sent does not fit at all."""
        self._lowered: dict[str, Lowered | None] = {}
        self.total_bps = 0
        """What the viewer gets, by what its layers are expected to cost."""
        self.wanted_bps = 0
        """The budget with which the viewer would get everything it wants; 0 when it does."""
        self.sent: dict[str, Sent] = {}
        """What the viewer was told last, by track id."""

    @property
    def useful_bps(self) -> int:
        """The budget worth probing for: everything that is wanted, and some to spare for what is sent."""
        return max(self.wanted_bps, int(self.total_bps * WANTED_FACTOR))

    def show(self, views: Iterable[TrackView]) -> None:
        """What the viewer shows from now on."""
        self._views = {view.track_id: view for view in views}
        self._basis = None

    def update(self, consumers: Collection[Consumer], budget_bps: int, now_ns: int) -> list[tuple[str, Sent]]:
        """Let consumers go where they should. What the viewer gets otherwise than before, by track id."""
        basis = tuple(consumer.producer.revision for consumer in consumers)
        settled = not self.wanted_bps and self.total_bps <= budget_bps and not self._dark_ns
        if basis != self._basis or not settled:
            self._choose(consumers, budget_bps, now_ns)
            self._basis = basis
        return self._news(consumers)

    def _choose(self, consumers: Collection[Consumer], budget_bps: int, now_ns: int) -> None:
        demands = [self._demand(consumer) for consumer in consumers]
        budget_bps = max(budget_bps, least_bps(demands))
        allocation = allocate(budget_bps, demands, self._allocation, now_ns)
        allocation = self._allocation = self._spared(consumers, demands, allocation, budget_bps, now_ns)
        self.total_bps = allocation.total_bps
        self.wanted_bps = _wanted_bps(allocation)
        self._lowered = {}
        for consumer, demand in zip(consumers, demands, strict=True):
            choice = allocation.choices.get(demand.track_id)
            if choice is not None:
                _go(consumer, choice, now_ns)
                self._lowered[demand.track_id] = _why(consumer, choice, demand.shown_pixels)

    def _spared(
        self,
        consumers: Iterable[Consumer],
        demands: Sequence[Demand],
        allocation: Allocation,
        budget_bps: int,
        now_ns: int,
    ) -> Allocation:
        """What would go dark is kept for a while, over budget."""
        choices, total_bps = dict(allocation.choices), allocation.total_bps
        for consumer, demand in zip(consumers, demands, strict=True):
            choice = choices.get(demand.track_id)
            if choice is None or choice.option is not None or choice.best is None or consumer.wish is None:
                self._dark_ns.pop(demand.track_id, None)
            elif now_ns - self._dark_ns.setdefault(demand.track_id, now_ns) < DARK_AFTER_NS:
                smallest = useful_layers(demand)[0]
                if total_bps + smallest.bitrate_bps <= budget_bps * DARK_FACTOR:
                    choices[demand.track_id] = choice._replace(option=smallest)
                    total_bps += smallest.bitrate_bps
        return Allocation(choices, total_bps)

    def _demand(self, consumer: Consumer) -> Demand:
        identity, options = consumer.producer.identity, consumer.producer.options
        if self._views is None:
            return Demand(identity.track_id, identity.rank, options, UNTOLD_PIXELS)
        view = self._views.get(identity.track_id)
        if view is None:
            return Demand(identity.track_id, identity.rank, options)
        return Demand(identity.track_id, identity.rank, options, view.width * view.height, view.focus)

    def _news(self, consumers: Iterable[Consumer]) -> list[tuple[str, Sent]]:
        news = []
        for consumer in consumers:
            track_id = consumer.media.track_id
            if track_id not in self._lowered or (consumer.active is None and consumer.wish is not None):
                continue  # it waits for its first keyframe
            layer = None if consumer.active is None else consumer.active.rid or ""
            sent = Sent(layer, self._lowered[track_id])
            if self.sent.get(track_id) != sent:
                self.sent[track_id] = sent
                news.append((track_id, sent))
        return news

    def forget(self, track_id: str) -> None:
        """The subscriber no longer has this track."""
        self.sent.pop(track_id, None)
        self._dark_ns.pop(track_id, None)
        self._basis = None


def _wanted_bps(allocation: Allocation) -> int:
    if allocation.satisfied:
        return 0
    missing_bps = sum(_missing_bps(choice) for choice in allocation.choices.values())
    return int((allocation.total_bps + missing_bps) * WANTED_FACTOR)


def _missing_bps(choice: Choice) -> int:
    have_bps = 0 if choice.option is None else choice.option.bitrate_bps
    return 0 if choice.best is None else choice.best.bitrate_bps - have_bps


def _go(consumer: Consumer, choice: Choice, now_ns: int) -> None:
    producer = consumer.producer
    if choice.option is not None:
        layer = producer.layers[choice.option.rid]
        if layer is not consumer.wish:
            consumer.want(layer, now_ns)
    elif choice.best is not None:
        consumer.rest()
    elif consumer.wish is None:  # nothing has come yet: begin with whatever will
        consumer.want(producer.best, now_ns)


def _why(consumer: Consumer, choice: Choice, shown_pixels: int) -> Lowered | None:
    if choice.lowered:
        return "network"
    return "source" if consumer.producer.lacks(shown_pixels) else None
