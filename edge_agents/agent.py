"""The capture box in a consultation: a seat in the room and every feed, none of which can stop another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import aiohttp
import structlog

from annotation.tissue import Transform
from core.annotations import Mark, MarkMotion
from core.clock import Clock
from core.device_health import DeviceHealth, LogLevel
from core.errors import NotFound
from core.messages import (
    ArchiveHead,
    CheckCode,
    ControlChanged,
    ControlPressed,
    FeedSignal,
    MoveMarks,
    ReportHealth,
    SetSignal,
    TakeStill,
)
from edge_agents.backfill_pace import Uplink
from edge_agents.config import EdgeConfig, FeedConfig
from edge_agents.control import Controls
from edge_agents.feed import Feed
from edge_agents.freezing import StillSender
from edge_agents.heads import KeptHeads
from edge_agents.hid_reports import Screen
from edge_agents.own_tracks import WantedLayers
from edge_agents.publication import Publication
from edge_agents.ring import Ring
from edge_agents.room import RoomPresence
from edge_agents.tissue import tissue_marks

log = structlog.get_logger()

FEED_RESTART_S: Final = 2.0
MAX_KEEPING: Final = 4


@dataclass(frozen=True)
class Wishes:
    """What the room says that concerns more than the pictures. Nobody may be listening."""

    log_level: Callable[[LogLevel, int], None] = lambda level, for_s: None
    over: Callable[[], None] = lambda: None
    server_time: Callable[[int, int, int], None] = lambda sent_us, server_us, received_us: None


class Agent:
    """Everything that runs while the box is in one consultation."""

    def __init__(
        self,
        config: EdgeConfig,
        session: aiohttp.ClientSession,
        clock: Clock,
        wishes: Wishes | None = None,
        ring: Ring | None = None,
        controls: Controls | None = None,
    ) -> None:
        self._config, self._session, self._clock = config, session, clock
        self._wishes, self._ring, self._controls = wishes or Wishes(), ring, controls
        self._feeds: dict[str, Feed] = {}
        self._presence: RoomPresence | None = None
        self._marks: dict[str, list[Mark]] = {}
        self._wanted: dict[str, frozenset[str] | None] = {}
        self._heads = KeptHeads(config.heads_file)
        self._keeping: set[asyncio.Task[None]] = set()
        self._paused = False
        self._stills: StillSender | None = None
        self._published: dict[str, Publication] = {}
        """By feed: what the next welcome must know of."""

    async def run(self) -> None:
        config = self._config
        presence = self._presence = RoomPresence(
            self._session, config.base_url, config.room, config.read_token, self
        )
        stills = self._stills = StillSender(
            self._session, config.base_url, config.room, config.read_token, self._take_still, presence.say
        )
        if self._controls is not None:
            self._controls.attend(presence.say, self._screen)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(presence.run())
                group.create_task(stills.run())
                for feed in config.feeds:
                    group.create_task(self._keep_feeding(feed))
        finally:
            if self._controls is not None:
                self._controls.leave()

    @property
    def feeds(self) -> Mapping[str, Feed]:
        """By name, as they are now: one that failed is made anew."""
        return self._feeds

    @property
    def is_in_room(self) -> bool:
        return self._presence is not None and self._presence.joined.is_set()

    def uplinks(self) -> list[Uplink]:
        """What the connections know of the path."""
        publications = [feed.publisher.publication for feed in self._feeds.values()]
        found = [None if one is None else one.uplink for one in publications]
        return [one for one in found if one is not None]

    def keyframe_needed(self, feed: str) -> None:
        """In any thread: what is kept of it cannot go on without one."""
        if feed in self._feeds:
            self._feeds[feed].pipeline.request_keyframe(at_once=True)

    def report(self, health: DeviceHealth) -> None:
        """Tell the room's server how the box is."""
        if self._presence is not None:
            self._presence.say(ReportHealth(health=health))

    # FeedsOwner

    def log_wanted(self, level: LogLevel, for_s: int) -> None:
        self._wishes.log_level(level, for_s)

    def over(self) -> None:
        self._wishes.over()

    def server_time(self, sent_us: int, server_us: int, received_us: int) -> None:
        self._wishes.server_time(sent_us, server_us, received_us)

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

    def shown(self, feed: str) -> None:
        if self._controls is not None:
            self._controls.offer(feed)

    def control_told(self, told: ControlChanged | CheckCode | ControlPressed) -> None:
        if self._controls is not None:
            self._controls.told(told)

    def left(self) -> None:
        if self._controls is not None:
            self._controls.lost()

    def _screen(self, name: str) -> Screen | None:
        """Where the device's picture is in the feed's; None while that shows a slate, or nothing."""
        feed = self._feeds.get(name)
        signal = None if feed is None else feed.pipeline.signal.signal
        if signal is None or signal.state != "ok" or self._paused:
            return None
        size = next((one.width, one.height) for one in self._config.feeds if one.name == name)
        return Screen(*size, signal.width, signal.height)

    def layers_wanted(self, wanted: WantedLayers) -> None:
        """Kept for when the feed is started anew, too."""
        self._wanted[wanted.feed] = wanted.rids
        feed = self._feeds.get(wanted.feed)
        if feed is not None:
            feed.publisher.set_wanted(wanted.rids)
            if feed.pipeline.signal.signal is not None:  # a track that is new knows nothing of it
                self._signalled(wanted.feed, feed.pipeline.signal.signal)

    def _signalled(self, feed: str, signal: FeedSignal) -> None:
        """What the feed's device delivers, for whoever sees it."""
        if self._presence is not None:
            self._presence.say(SetSignal(feed=feed, signal=signal))

    def drawn(self, feed: str, marks: Sequence[Mark]) -> None:
        """Kept for when the feed is started anew, too."""
        self._marks[feed] = tissue_marks(marks)
        if feed in self._feeds:
            self._feeds[feed].tissue.set_marks(self._marks[feed])

    def _moved(self, feed: str, transforms: Sequence[Transform]) -> None:
        """From the feed's thread, by way of the loop: where marks are in one frame."""
        marks = [
            MarkMotion(
                mark_id=one.mark_id,
                motion=[round(value, 6) for value in one.motion],
                confidence=one.confidence,
                state=one.state,
            )
            for one in transforms
        ]
        if self._presence is not None and marks:
            self._presence.say(MoveMarks(feed=feed, captured_us=transforms[0].capture_time_us, marks=marks))

    def paused(self, paused: bool) -> None:
        """What was captured before is forgotten each time: who was away may have missed a whole pause."""
        self._paused = paused
        if self._controls is not None:
            self._controls.paused(paused)
        if self._ring is not None:
            self._ring.set_paused(paused)
        for feed in self._feeds.values():
            feed.set_paused(paused)

    def still_wanted(self, wanted: TakeStill) -> None:
        if self._stills is not None:
            self._stills.ask(wanted)

    async def _take_still(self, feed: str, captured_us: int) -> bytes:
        """Raises `NotFound` for a feed or a frame we have not got."""
        if feed not in self._feeds:
            raise NotFound("this box has no such feed", code="feed_not_found")
        return await self._feeds[feed].still(captured_us)

    def head_told(self, told: ArchiveHead) -> None:
        """One comes every 10 s; while the disk is slower than that, they are passed over."""
        if len(self._keeping) < MAX_KEEPING:
            task = asyncio.get_running_loop().create_task(self._heads.keep(told))
            self._keeping.add(task)
            task.add_done_callback(self._keeping.discard)

    async def _keep_feeding(self, config: FeedConfig) -> None:
        """A feed that fails in a way it cannot handle itself is started anew; the others do not notice."""
        while True:
            feed = self._feeds[config.name] = Feed(
                self._config, config, self._session, self._clock, self._moved, self._signalled, self._ring
            )
            feed.set_paused(self._paused)
            feed.tissue.set_marks(self._marks.get(config.name, []))
            feed.publisher.set_wanted(self._wanted.get(config.name))
            try:
                await feed.run()
            except Exception:
                log.exception("feed_failed", feed=config.name, retry_s=FEED_RESTART_S)
            await asyncio.sleep(FEED_RESTART_S)
