"""Keeps one feed published: whatever is lost is offered anew, while capture and encoding go on."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from core.clock import Clock
from core.errors import TeleconsultError
from edge_agents.audio import EncodedAudio
from edge_agents.backoff import Backoff
from edge_agents.config import FeedConfig
from edge_agents.egress import START_BPS
from edge_agents.encoder import EncodedFrame
from edge_agents.publication import EncoderControl, Publication
from edge_agents.whip import WhipClient, WhipRefused

log = structlog.get_logger()

HTTP_CONFLICT = 409


class FeedPublisher:
    """Give it access units with `send_video` and `send_audio`, run `run`; all on one event loop.

    It tells `encoders` what the present connection carries, and when a keyframe is needed.
    """

    def __init__(self, feed: FeedConfig, whip: WhipClient, clock: Clock, encoders: EncoderControl) -> None:
        self.publication: Publication | None = None
        self.published = 0
        """How many times this feed has been set up."""
        self._feed, self._whip, self._clock = feed, whip, clock
        self._encoders = encoders
        self._wanted: frozenset[str] | None = None
        self.keeping: Callable[[], bool] = lambda: False
        """Whether what is encoded is kept on the box, too."""
        self._fresh: Publication | None = None
        """Connected, but not adopted yet: must not be forgotten when we are cancelled just then."""
        self._reset = asyncio.Event()
        self._log = log.bind(feed=feed.name)

    def send_video(self, unit: EncodedFrame) -> None:
        """Forward to the present connection; dropped while there is none."""
        if self.publication is not None:
            self.publication.send_video(unit)

    def send_audio(self, unit: EncodedAudio) -> None:
        """As `send_video`."""
        if self.publication is not None:
            self.publication.send_audio(unit)

    def set_wanted(self, rids: frozenset[str] | None) -> None:
        """The encodings that are watched; None: all. The others rest."""
        self._wanted = rids
        if self.publication is not None:
            self.publication.set_wanted(rids)

    def republish(self) -> None:
        """The server says that our media connection is gone: offer again, now."""
        self._reset.set()

    async def run(self) -> None:
        """Publish and stay published until cancelled; then the resource is deleted."""
        try:
            while True:
                await self._adopt(await self._obtain(self.publication))
                await self._until_lost()
        finally:
            left = [held for held in (self.publication, self._fresh) if held is not None]
            self.publication = self._fresh = None
            for publication in left:
                await publication.close(self._whip)

    async def _adopt(self, publication: Publication) -> None:
        old, self.publication, self._fresh = self.publication, publication, None
        if old is publication:
            return
        self.published += 1
        publication.set_keeping(self.keeping)
        publication.set_wanted(self._wanted)
        publication.drive(self._encoders)
        self._log.info("published", srtp=publication.srtp_profile, times=self.published)
        if old is not None:
            await old.close(self._whip)

    async def _until_lost(self) -> None:
        assert self.publication is not None
        publication = self.publication
        reports = asyncio.create_task(publication.report_until_closed())
        try:
            _, result = await _first(publication.lost(), self._reset_asked())
            self._log.warning("media_lost", reason=result)
        finally:
            await _cancel(reports)

    async def _reset_asked(self) -> str:
        await self._reset.wait()
        return "media_reset"

    async def _obtain(self, old: Publication | None) -> Publication:
        """A connected publication: a new one, or `old` when it was only silent and came back first."""
        while True:
            was_reset = self._reset.is_set()
            self._reset.clear()
            rivals: list[Coroutine[Any, Any, Any]] = [self._open_repeatedly(old), self._reset_asked()]
            if old is not None and not was_reset:
                rivals.append(old.recovered())
            winner, _ = await _first(*rivals)
            if self._fresh is not None:
                return self._fresh
            if winner == 2 and old is not None:
                self._log.info("media_recovered")
                return old

    async def _open_repeatedly(self, old: Publication | None) -> None:
        backoff = Backoff()
        start_bps = START_BPS if old is None else min(START_BPS, old.estimate_bps)
        while True:
            try:
                self._fresh = await Publication.open(self._whip, self._feed, self._clock, start_bps)
                return
            except (TeleconsultError, OSError) as error:
                reason = str(error) if isinstance(error, TeleconsultError) else type(error).__name__
                await self._make_room(error, old)
            delay_s = backoff.next_delay_s(random.random())  # noqa: S311  # spreads load, hides nothing
            self._log.warning("publish_failed", reason=reason, retry_s=round(delay_s, 3))
            await asyncio.sleep(delay_s)

    async def _make_room(self, error: Exception, old: Publication | None) -> None:
        """A server that still holds our lost connection may insist that it be ended first."""
        if isinstance(error, WhipRefused) and error.status == HTTP_CONFLICT and old and old.resource:
            await self._whip.delete(old.resource)


async def _first(*rivals: Coroutine[Any, Any, Any]) -> tuple[int, Any]:
    """Run all, return (index, result) of the first to end; of several the earliest listed. The others are
    cancelled and waited for. An exception of the winner is raised.
    """
    tasks = [asyncio.create_task(rival) for rival in rivals]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        index = next(index for index, task in enumerate(tasks) if task.done())
        return index, tasks[index].result()
    finally:
        for task in tasks:
            await _cancel(task)


async def _cancel(task: asyncio.Task[Any]) -> None:
    """Cancel and wait, so that whatever it holds is given back before we go on."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
