"""Pure: carries a drained batch's packets from producers to consumers: per subscriber one list, one send."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
        self.begin_collecting()
        try:
            for link in links[start:] + links[:start]:
                self._serve(link, work[link], now_ns)
        finally:
            self.end_collecting()
        self._observe(arrivals, unix_ns())

    def begin_collecting(self) -> None:
        """Until `end_collecting`, what the engine can do waits, to be done for all subscribers at once."""
        if self._fan_out is not None:
            self._fan_out.collecting = True

    def end_collecting(self) -> None:
        """Do it. (A pair of calls: a generator's context costs more than some subscriber's forwarding.)"""
        if self._fan_out is not None:
            self._fan_out.collecting = False
            self._fan_out.run()

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
        inside, count, position = self._metrics.inside, len(arrivals), 0
        while position < count:
            start, arrival_ns = position, arrivals[position]
            while position < count and arrivals[position] == arrival_ns:  # most came with others
                position += 1
            if arrival_ns:
                inside.add((now_unix_ns - arrival_ns) // NS_PER_US, position - start)
        self._metrics.counters.batches += 1
