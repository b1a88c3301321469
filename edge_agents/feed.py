"""One feed from the source to the server: threads capture and encode, the event loop publishes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Final

import aiohttp
import structlog

from annotation.tissue import Transform
from core.clock import Clock
from core.local_service import private_authority
from core.messages import FeedSignal
from edge_agents.audio import EncodedAudio, TonePipeline
from edge_agents.config import EdgeConfig, FeedConfig
from edge_agents.encoder import EncodedFrame, EncoderShelf
from edge_agents.layers import full_plan
from edge_agents.outbox import AudioOutbox, Outbox
from edge_agents.pipeline import VideoPipeline
from edge_agents.publisher import FeedPublisher
from edge_agents.ring import Ring
from edge_agents.signal_watch import SignalWatch
from edge_agents.sources import CapturedFrame, open_source
from edge_agents.sources.slate import Slate
from edge_agents.still import StillRing
from edge_agents.tissue import TissueWatch
from edge_agents.whip import WhipClient

log = structlog.get_logger()

STATS_INTERVAL_S: Final = 10.0


class Feed:
    """Owns everything of one `[[feeds]]` table."""

    def __init__(
        self,
        config: EdgeConfig,
        feed: FeedConfig,
        session: aiohttp.ClientSession,
        clock: Clock,
        moved: Callable[[str, Sequence[Transform]], None] = lambda feed, transforms: None,
        signalled: Callable[[str, FeedSignal], None] = lambda feed, signal: None,
        ring: Ring | None = None,
    ) -> None:
        loop = self._loop = asyncio.get_running_loop()
        self._name, self._moved, self._signalled = feed.name, moved, signalled
        self._log, self._ring = log.bind(feed=feed.name), ring
        endpoint = f"{config.base_url}/whip/{config.room}/{feed.name}"
        tls = None if config.tls_ca is None else private_authority(config.tls_ca)
        whip = WhipClient(session, endpoint, config.read_token, tls)
        self.encoders = EncoderShelf(feed.encoder)
        self.outbox = Outbox(loop, self._send_video, lambda: self.pipeline.request_keyframe(at_once=True))
        self.stills = StillRing(feed.still_mb << 20)
        self.tissue = TissueWatch(
            feed.name,
            self.stills,
            self._tell_moved,
        )
        self.pipeline = VideoPipeline(
            feed.name,
            lambda: open_source(feed, clock),
            self.encoders.open,
            full_plan(feed),
            self._encoded,
            self._captured,
            SignalWatch(Slate(feed.width, feed.height, clock), self._signal_changed, fps=feed.fps),
        )
        self.publisher = FeedPublisher(feed, whip, clock, self.pipeline)
        self.publisher.keeping = self._keeping
        self._audio_outbox = AudioOutbox(loop, self.publisher.send_audio)
        self._tone = TonePipeline(feed.name, clock, self._sounded) if feed.audio == "tone" else None

    async def run(self) -> None:
        """Capture and publish until cancelled; then the WHIP resource is deleted and the threads end."""
        self.tissue.start()
        self.pipeline.start()
        if self._tone is not None:
            self._tone.start()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.publisher.run())
                group.create_task(self._tell_stats())
        finally:
            await asyncio.to_thread(self._stop_threads)

    def _stop_threads(self) -> None:
        self.pipeline.stop()
        self.tissue.stop()
        self.stills.clear()
        if self._tone is not None:
            self._tone.stop()

    def _encoded(self, unit: EncodedFrame) -> None:
        """In the encoder's thread: kept whatever becomes of it."""
        if self._ring is not None:
            self._ring.put_video(self._name, unit)
        self.outbox.put(unit)

    def _sounded(self, unit: EncodedAudio) -> None:
        if self._ring is not None:
            self._ring.put_audio(self._name, unit)
        self._audio_outbox.put(unit)

    def _keeping(self) -> bool:
        return self._ring is not None and self._ring.keeping

    def _captured(self, frame: CapturedFrame) -> None:
        self.stills.put(frame)
        self.tissue.put(frame)

    def _tell_moved(self, transforms: Sequence[Transform]) -> None:
        """In the watch's thread."""
        with contextlib.suppress(RuntimeError):  # the loop is gone: the process ends
            self._loop.call_soon_threadsafe(self._moved, self._name, transforms)

    def _signal_changed(self, signal: FeedSignal) -> None:
        """In whatever thread noticed it."""
        self._log.info("signal", **signal.model_dump())
        with contextlib.suppress(RuntimeError):  # the loop is gone: the process ends
            self._loop.call_soon_threadsafe(self._signalled, self._name, signal)

    async def still(self, captured_us: int) -> bytes:
        """The exact frame of that capture time (Unix µs) as PNG. Raises as `StillRing.still`."""
        return await asyncio.to_thread(self.stills.still, captured_us)

    def set_paused(self, paused: bool) -> None:
        """The site paused picture and sound, or goes on: nothing of a pause is held for stills."""
        self.stills.set_paused(paused)
        if not paused and self._keeping():
            self.pipeline.request_keyframe(at_once=True)  # what is kept begins anew

    def _send_video(self, unit: EncodedFrame) -> None:
        self.publisher.send_video(unit)

    async def _tell_stats(self) -> None:
        while True:
            await asyncio.sleep(STATS_INTERVAL_S)
            publication = self.publisher.publication
            sent = asdict(publication.sender.stats) if publication and publication.sender else {}
            rtt_ns = publication.rtt_ns if publication else None
            estimate_bps = publication.estimate_bps if publication else None
            self._log.info(
                "feed_stats",
                **asdict(self.pipeline.stats),
                undelivered=self.outbox.dropped,
                tissue=asdict(self.tissue.stats),
                still_bytes=self.stills.held_bytes,
                estimate_bps=estimate_bps,
                rtt_ms=None if rtt_ns is None else round(rtt_ns / 1e6, 1),
                sent=sent,
            )
