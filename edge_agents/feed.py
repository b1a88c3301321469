"""One feed from the source to the server: threads capture and encode, the event loop publishes."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Final

import aiohttp
import structlog

from core.clock import Clock
from edge_agents.audio import TonePipeline
from edge_agents.config import EdgeConfig, FeedConfig
from edge_agents.encoder import EncoderSettings, open_encoder
from edge_agents.outbox import AudioOutbox, Outbox
from edge_agents.pipeline import VideoPipeline
from edge_agents.publisher import FeedPublisher
from edge_agents.sources import open_source
from edge_agents.whip import WhipClient

log = structlog.get_logger()

STATS_INTERVAL_S: Final = 10.0


class Feed:
    """Owns everything of one `[[feeds]]` table."""

    def __init__(
        self, config: EdgeConfig, feed: FeedConfig, session: aiohttp.ClientSession, clock: Clock
    ) -> None:
        loop = asyncio.get_running_loop()
        self._log = log.bind(feed=feed.name)
        endpoint = f"{config.base_url}/whip/{config.room}/{feed.name}"
        whip = WhipClient(session, endpoint, config.read_token)
        settings = EncoderSettings(feed.width, feed.height, feed.fps, feed.bitrate_bps, feed.ceiling_bps)
        self.publisher = FeedPublisher(feed, whip, clock, self._request_keyframe)
        self.outbox = Outbox(loop, self.publisher.send_video, lambda: self._request_keyframe(True))
        self.pipeline = VideoPipeline(
            feed.name,
            lambda: open_source(feed, clock),
            lambda: open_encoder(feed.encoder, settings),
            self.outbox.put,
        )
        audio_outbox = AudioOutbox(loop, self.publisher.send_audio)
        self._tone = TonePipeline(feed.name, clock, audio_outbox.put) if feed.audio == "tone" else None

    async def run(self) -> None:
        """Capture and publish until cancelled; then the WHIP resource is deleted and the threads end."""
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
        if self._tone is not None:
            self._tone.stop()

    def _request_keyframe(self, at_once: bool) -> None:
        self.pipeline.request_keyframe(at_once)

    async def _tell_stats(self) -> None:
        while True:
            await asyncio.sleep(STATS_INTERVAL_S)
            publication = self.publisher.publication
            sent = asdict(publication.sender.stats) if publication and publication.sender else {}
            rtt_ns = publication.rtt_ns if publication else None
            self._log.info(
                "feed_stats",
                **asdict(self.pipeline.stats),
                undelivered=self.outbox.dropped,
                rtt_ms=None if rtt_ns is None else round(rtt_ns / 1e6, 1),
                sent=sent,
            )
