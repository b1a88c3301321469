"""Keeps one subscribe connection alive: answers offers, replaces connections, knows which tracks are away
since when.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import ssl
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any, Final, cast

import structlog

from archive.layout import TRACK_PATTERN
from archive.specs import Span
from core.clock import NS_PER_US, Clock
from core.errors import ProtocolError, TeleconsultError
from core.messages import Answer, CaptureClock, Codec, IceServer, Model, Offer, Subscribe, TrackInfo
from recorder.backoff import Backoff
from recorder.intake import Intake
from recorder.jobs import GapJob, TrackJob
from recorder.received import PRIVACY_PAUSE, ReceivedTrack
from recorder.track import TrackCutter, TrackSource
from rtp.negotiation import ReceivedMedia

UNKNOWN_FEED: Final = "unknown"
SOURCE_AWAY: Final = "source_away"
"""We were there, but its publisher was not."""

log = structlog.get_logger()
_TRACK: Final = re.compile(TRACK_PATTERN)


class Subscriber:
    """Lives as long as the archive is open. A new connection takes over when it is there; what was away in
    between is declared by the track's first frame after it.
    """

    def __init__(
        self,
        clock: Clock,
        epoch_us: int,
        left_off: Mapping[str, tuple[int, str | None]] | None,
        *,
        say: Callable[[Model], Awaitable[None]],
        deliver: Callable[[list[TrackJob]], None],
        changed: Callable[[], None],
    ) -> None:
        """`left_off`: the archive goes on after a restart; its tracks, since when they are away, and why,
        if it was the recorder that was. `changed` is called when `ready` may have
        changed.
        """
        self.relays: tuple[Sequence[IceServer], ssl.SSLContext | None] = ((), None)
        """TURN servers for connections made from now on, and whom to trust about them."""
        self.infos: dict[str, TrackInfo] = {}
        """What the room says of its tracks, by id."""
        self._clock = clock
        self._epoch_us = epoch_us
        self._resumed = left_off is not None
        self._say, self._deliver, self._changed = say, deliver, changed
        self._intake: Intake | None = None
        self._retiring: set[Intake] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._backoff = Backoff()
        self._interrupted: dict[str, tuple[int, str]] = {
            track: (since_us, SOURCE_AWAY if reason is None else reason)
            for track, (since_us, reason) in (left_off or {}).items()
        }
        self._cutters: dict[str, TrackCutter] = {}
        """The latest of each name."""

    @property
    def active(self) -> bool:
        """True while there is a connection, or one is being made."""
        return self._intake is not None

    @property
    def ready(self) -> bool:
        """True while everything the room shows is received."""
        return self._intake is not None and (self._intake.connected or not self._intake.tracks)

    async def subscribe(self) -> None:
        """Ask for a fresh connection."""
        await self._say(Subscribe())

    async def offered(self, offer: Offer) -> None:
        """Answer an offer; connect if it is a fresh one."""
        if offer.fresh or self._intake is None:
            self.retire("reconnected")
            self._intake = await self._new_intake()
        intake = self._intake
        try:
            sdp = intake.answer(offer)
        except ProtocolError as error:
            log.warning("recorder.offer_unusable", error=str(error))
            self._lost(intake)
            return
        for track in offer.unsupported:
            log.warning("recorder.track_unsupported", codec=track.codec)
        await self._say(Answer(revision=offer.revision, sdp=sdp))
        self._spawn(self._connect(intake))

    def room_shows(self, tracks: Iterable[TrackInfo]) -> None:
        """All the tracks there are: after joining, after coming back."""
        known = {track.track_id: track for track in tracks}
        for track in known.values():
            self.track_shown(track)
        self.infos = known

    def track_shown(self, info: TrackInfo) -> None:
        """A track is new, or is otherwise than it was: perhaps the site paused it, or goes on."""
        before = self.infos.get(info.track_id)
        self.infos[info.track_id] = info
        received = None if self._intake is None else self._intake.received(info.track_id)
        if received is None or info.paused == (before is not None and before.paused):
            return
        now_ns = self._clock.monotonic_ns()
        if info.paused:
            received.pause(self._now_us(), now_ns)
        else:
            self._deliver(received.go_on(now_ns))

    def pause_ended(self) -> None:
        """Tracks that were paused and are not there any more: their pause ends here."""
        shown = set(self.infos)
        self._settle(cutter for cutter in self._cutters.values() if cutter.source.track_id not in shown)

    def _settle(self, cutters: Iterable[TrackCutter]) -> None:
        for cutter in cutters:
            if cutter.away is not None and cutter.away[1] == PRIVACY_PAUSE:
                self._interrupted.pop(cutter.source.name, None)
                self._deliver(cutter.settle(self._now_us()))

    def clock_told(self, message: CaptureClock) -> None:
        """The mapping of one m-line's RTP time to capture time."""
        if self._intake is not None:
            self._intake.set_clock(message)

    def retire(self, reason: str) -> None:
        """Finish what the present connection received; its tracks are away until they are back."""
        intake, self._intake = self._intake, None
        if intake is None:
            return
        for track in intake.finish():
            if track.cutter.away is not None:
                self._interrupted.setdefault(track.cutter.source.name, track.cutter.away)
            elif (end_us := track.cutter.end_us) is not None:
                self._interrupted.setdefault(track.cutter.source.name, (end_us, reason))
        self._retiring.add(intake)
        self._spawn(self._hang_up(intake))
        self._changed()

    def resubscribe_later(self) -> None:
        """Ask again after a pause, unless a connection has come meanwhile."""

        async def later() -> None:
            await asyncio.sleep(self._backoff.next_delay_s())
            if self._intake is None:
                await self.subscribe()

        self._spawn(later())

    async def close(self) -> None:
        """Finish every piece and hang up."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for intake in [*self._retiring, *([self._intake] if self._intake else [])]:
            await intake.close()
        self._intake = None
        self._settle(self._cutters.values())

    async def _new_intake(self) -> Intake:
        intake: Intake | None = None

        def lost(reason: str) -> None:
            log.warning("recorder.media_lost", reason=reason)
            if intake is not None:
                self._lost(intake)

        intake = Intake(self._clock, self._make_track, self._deliver, lost, *self.relays)
        await intake.gather()
        return intake

    async def _connect(self, intake: Intake) -> None:
        try:
            if await intake.connect():
                self._backoff.reset()
                log.info("recorder.media_connected", tracks=len(intake.tracks))
        except TeleconsultError as error:
            log.warning("recorder.media_unreachable", error=str(error))
            self._lost(intake)
        self._changed()

    def _lost(self, intake: Intake) -> None:
        if intake is self._intake:
            self.retire("connection_lost")
            self.resubscribe_later()

    async def _hang_up(self, intake: Intake) -> None:
        await intake.close()
        self._retiring.discard(intake)

    def _make_track(self, media: ReceivedMedia, track_id: str, ssrc: int) -> ReceivedTrack:
        info = self.infos.get(track_id)
        feed = info.feed if info is not None else UNKNOWN_FEED
        source = info.source if info is not None else "device"
        name = track_name(feed, source, media.kind)
        before = self._cutters.get(name)
        interrupted = self._interrupted.pop(name, None)
        if interrupted is None and before is not None:
            # One that never had a frame still knows since when, and why, nothing has come.
            interrupted = before.away
            if interrupted is None and before.end_us is not None:
                interrupted = before.end_us, SOURCE_AWAY
        if info is not None and info.paused:
            interrupted = self._paused_from_the_start(name, interrupted)
        cutter = self._cutters[name] = TrackCutter(
            TrackSource(name, feed, source, track_id, cast(Codec, media.codec), media.clock_rate),
            self._epoch_us,
            "start" if before is None and not self._resumed else "restart",
            interrupted,
        )
        return ReceivedTrack(media, ssrc, cutter)

    def _paused_from_the_start(self, name: str, away: tuple[int, str] | None) -> tuple[int, str]:
        """A track that comes while the site pauses: nothing of it is to be expected."""
        if away is not None and away[1] == PRIVACY_PAUSE:
            return away
        now_us = self._now_us()
        if away is not None:
            self._deliver([GapJob(name, Span(min(away[0], now_us), now_us), away[1])])
        return now_us, PRIVACY_PAUSE

    def _now_us(self) -> int:
        """On the consultation's timeline."""
        return max(0, self._clock.unix_ns() // NS_PER_US - self._epoch_us)

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def track_name(feed: str, source: str, kind: str) -> str:
    """The archive's name of a feed's track; a feed whose name no folder may have is hashed."""
    name = f"{feed.lower()}-{source}-{kind}"
    if _TRACK.fullmatch(name):
        return name
    return f"feed-{hashlib.sha256(feed.encode()).hexdigest()[:16]}-{source}-{kind}"
