"""Pure: carries a drained batch's packets from producers to consumers: per subscriber one list, one send."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import Protocol

from core.clock import NS_PER_US
from sfu.consumer import Consumer
from sfu.downlink import Downlink
from sfu.layer import Batch, Layer
from sfu.metrics import Metrics
from transport.lane import FanOut

Work = tuple[Consumer, Layer, Batch]


class Outlet(Protocol):
    """Where a link's datagrams go: one subscriber."""

    def flush(self) -> None:
        """Send what is in the outbox."""

    def fail(self, error: Exception) -> None:
        """Forwarding to this subscriber went wrong; must not raise."""


class Router:
    """`queue` layers that received packets; `flush` at the end of the batch."""

    def __init__(self, metrics: Metrics, fan_out: FanOut | None = None) -> None:
        self._metrics = metrics
        self._fan_out = fan_out
        self._waiting: dict[Layer, None] = {}
        self._outlets: dict[Downlink, Outlet] = {}
        self._turn = 0

    def register(self, link: Downlink, outlet: Outlet) -> None:
        """Datagrams of `link` go to `outlet`."""
        self._outlets[link] = outlet

    def unregister(self, link: Downlink) -> None:
        """The subscriber has gone."""
        self._outlets.pop(link, None)

    def queue(self, layer: Layer) -> None:
        """The layer has packets pending."""
        self._waiting[layer] = None

    def flush(self, now_ns: int, unix_ns: Callable[[], int]) -> None:
        """Fan out. The subscriber served first changes from batch to batch, so that none is always last."""
        if not self._waiting:
            return
        layers, self._waiting = self._waiting, {}
        arrivals: list[int] = []
        work: dict[Downlink, list[Work]] = {}
        for layer in layers:
            batch = layer.take_pending()
            arrivals += [packet.arrival_ns for packet in batch.packets]
            for consumer in layer.consumers:
                work.setdefault(consumer.link, []).append((consumer, layer, batch))
        links = list(work)
        self._turn += 1
        start = self._turn % len(links) if links else 0
        with self.collecting():
            for link in links[start:] + links[:start]:
                self._serve(link, work[link], now_ns)
        self._observe(arrivals, unix_ns())

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """What the engine can do is done for all subscribers at once."""
        fan_out = self._fan_out
        if fan_out is None:
            yield
            return
        fan_out.collecting = True
        try:
            yield
        finally:
            fan_out.collecting = False
            fan_out.run()

    def _serve(self, link: Downlink, work: list[Work], now_ns: int) -> None:
        outlet = self._outlets.get(link)
        if outlet is None:
            return
        try:
            for consumer, layer, batch in work:
                consumer.forward(layer, batch, now_ns)
            outlet.flush()
        except Exception as error:  # one subscriber's trouble is not the others'
            outlet.fail(error)

    def _observe(self, arrivals: Sequence[int], now_unix_ns: int) -> None:
        add = self._metrics.inside.add
        for arrival_ns, together in groupby(arrivals):  # most came with others
            if arrival_ns:
                add((now_unix_ns - arrival_ns) // NS_PER_US, len(list(together)))
        self._metrics.counters.batches += 1
