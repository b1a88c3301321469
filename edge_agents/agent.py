"""The capture box's process: a seat in the room and every feed, none of which can stop another."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator
from typing import Final

import aiohttp
import structlog
import uvloop

from core.clock import Clock, SystemClock
from edge_agents.config import EdgeConfig, FeedConfig
from edge_agents.feed import Feed
from edge_agents.publication import Publication
from edge_agents.room import RoomPresence

log = structlog.get_logger()

FEED_RESTART_S: Final = 2.0


def main(config: EdgeConfig) -> None:
    """Run the box on uvloop until SIGTERM or SIGINT."""
    uvloop.run(run(config))


async def run(config: EdgeConfig) -> None:
    """Run the box until SIGTERM or SIGINT, then delete its WHIP resources and return."""
    stop = asyncio.Event()
    with _stopped_by_signals(stop):
        await run_until(config, stop, SystemClock())


async def run_until(config: EdgeConfig, stop: asyncio.Event, clock: Clock) -> None:
    """As `run`, ended by `stop`."""
    log.info("edge_starting", server=config.base_url, room=config.room, feeds=[f.name for f in config.feeds])
    async with aiohttp.ClientSession() as session:
        work = asyncio.create_task(Agent(config, session, clock).run())
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
        finally:
            stopped.cancel()
            work.cancel()
            await asyncio.gather(work, stopped, return_exceptions=True)
    log.info("edge_stopped")


class Agent:
    """Everything that runs while the box runs."""

    def __init__(self, config: EdgeConfig, session: aiohttp.ClientSession, clock: Clock) -> None:
        self._config, self._session, self._clock = config, session, clock
        self._feeds: dict[str, Feed] = {}
        self._published: dict[str, Publication] = {}
        """By feed: what the next welcome must know of."""

    async def run(self) -> None:
        config = self._config
        presence = RoomPresence(self._session, config.base_url, config.room, config.read_token, self)
        async with asyncio.TaskGroup() as group:
            group.create_task(presence.run())
            for feed in config.feeds:
                group.create_task(self._keep_feeding(feed))

    # FeedsOwner

    def media_reset(self) -> None:
        for feed in self._feeds.values():
            feed.publisher.republish()

    def greeting(self) -> None:
        publications = {name: feed.publisher.publication for name, feed in self._feeds.items()}
        self._published = {name: held for name, held in publications.items() if held is not None}

    def welcomed(self, feeds: frozenset[str]) -> None:
        """A restarted server knows nothing of a feed whose packets still reach a media worker somewhere."""
        for name, publication in self._published.items():
            publisher = self._feeds[name].publisher
            if name not in feeds and publisher.publication is publication:
                log.warning("feed_unknown_to_room", feed=name)
                publisher.republish()
        self._published = {}

    async def _keep_feeding(self, config: FeedConfig) -> None:
        """A feed that fails in a way it cannot handle itself is started anew; the others do not notice."""
        while True:
            feed = self._feeds[config.name] = Feed(self._config, config, self._session, self._clock)
            try:
                await feed.run()
            except Exception:
                log.exception("feed_failed", feed=config.name, retry_s=FEED_RESTART_S)
            await asyncio.sleep(FEED_RESTART_S)


@contextlib.contextmanager
def _stopped_by_signals(stop: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
