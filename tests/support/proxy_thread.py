"""The impairment proxy beside synchronous tests: its own thread, its own event loop."""

from __future__ import annotations

import asyncio
import threading
from typing import Self

from tests.support.impairment import Address, ImpairmentProxy
from tests.support.link import Impairment


class ProxyThread:
    """`with ProxyThread(server) as proxy: proxy.address …`."""

    def __init__(self, server: Address, *, seed: int = 1, impairment: Impairment | None = None) -> None:
        self._server = server
        self._seed = seed
        self._impairment = impairment or Impairment()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self.proxy: ImpairmentProxy

    def __enter__(self) -> Self:
        self._thread.start()
        opening = ImpairmentProxy.open(
            self._server, seed=self._seed, up=self._impairment, down=self._impairment
        )
        self.proxy = asyncio.run_coroutine_threadsafe(opening, self._loop).result(10)
        self.address = self.proxy.address
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self.proxy.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def set(self, impairment: Impairment, up: Impairment | None = None) -> None:
        """Both directions, unless the way to the server is given, too."""
        self._loop.call_soon_threadsafe(self.proxy.set, impairment, up)
