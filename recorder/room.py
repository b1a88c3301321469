"""The recorder's seat in one room: WebSocket, subscribe connection, what is told to the room and to the
archive.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from functools import partial
from typing import Any, Final, cast

import aiohttp
import structlog
from pydantic import ValidationError

from archive.layout import TRACK_PATTERN
from core.clock import NS_PER_US, Clock
from core.errors import NotFound, ProtocolError, TeleconsultError, Unavailable
from core.messages import (
    Answer,
    CaptureClock,
    Codec,
    ConsultationEnded,
    Error,
    Hello,
    MediaReset,
    Model,
    Offer,
    Ping,
    RecordingState,
    SetRecording,
    Subscribe,
    TrackAdded,
    TrackChanged,
    TrackInfo,
    TrackRemoved,
    Welcome,
    parse_server_message,
)
from recorder.api import ServiceApi
from recorder.backoff import Backoff
from recorder.consultation_archive import OVERLOAD_REASON, ConsultationArchive
from recorder.events import EventLog
from recorder.intake import Intake
from recorder.jobs import GapJob, PieceJob, TrackJob
from recorder.received import ReceivedTrack
from recorder.track import TrackCutter, TrackSource
from recorder.writing import WritingThread
from rtp.negotiation import ReceivedMedia

SUBPROTOCOL: Final = "teleconsult.v1"
CLOSE_NORMAL: Final = 1000
"""To the server: we leave, our media may go."""
CLOSE_GOING_AWAY: Final = 1001
"""To the server: we come back and resume, keep our media."""
CONNECT_TIMEOUT_S: Final = 5.0
PING_INTERVAL_S: Final = 5.0
SILENCE_LIMIT_S: Final = 12.0
"""Two pings unanswered: the connection is dead, whatever TCP believes."""
HOUSEKEEPING_S: Final = 0.25
MAX_MESSAGE_BYTES: Final = 1 << 20
UNKNOWN_FEED: Final = "unknown"

log = structlog.get_logger()
_TRACK: Final = re.compile(TRACK_PATTERN)


class RoomRecorder:
    """Records one room until the consultation ends. `run` returns then; cancelled, it leaves in order."""

    def __init__(
        self, api: ServiceApi, room: str, consultation: str, writing: WritingThread, clock: Clock
    ) -> None:
        self._api = api
        self._room = room
        self._consultation = consultation
        self._writing = writing
        self._clock = clock
        self._log = log.bind(room=room, consultation=consultation)
        self._archive: ConsultationArchive | None = None
        self._events = EventLog(0)
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._resume_token: str | None = None
        self._participant: str | None = None
        self._infos: dict[str, TrackInfo] = {}
        self._intake: Intake | None = None
        self._retiring: set[Intake] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._subscribe_backoff = Backoff()
        self._interrupted: dict[str, tuple[int, str]] = {}
        self._seen: set[str] = set()
        self._failure: str | None = None
        self._overloaded = False
        self._stopping = False
        self._announced: tuple[RecordingState, str] | None = None
        self.ended = asyncio.Event()

    # what the consultation tells

    def begin(self, archive: ConsultationArchive) -> None:
        """The archive is open: record into it from now on. Best before `run`."""
        self._archive = archive
        self._events = EventLog(archive.writer.epoch_us)
        self._failure = None
        self._note({"type": "recording_resumed" if archive.writer.resumed else "recording_started"})
        if self._socket is not None:
            self._spawn(self._restart_session())

    def storage(self, failure: str | None) -> None:
        """The writing thread's report, on the event loop."""
        self._failure = failure
        self._note({"type": "storage_failed" if failure else "storage_works", "reason": failure or ""})
        self._spawn(self._announce())

    async def run(self) -> None:
        """Stay in the room, coming back with back-off, until the consultation has ended."""
        housekeeping = asyncio.create_task(self._keep_house())
        backoff = Backoff()
        try:
            while not self.ended.is_set():
                try:
                    await self._attend(backoff)
                except NotFound:
                    self._log.info("recorder.room_gone")
                except (aiohttp.ClientError, TimeoutError, OSError, TeleconsultError) as error:
                    reason = str(error) if isinstance(error, TeleconsultError) else type(error).__name__
                    self._log.warning("recorder.room_left", reason=reason)
                await self._pause(backoff.next_delay_s())
        except asyncio.CancelledError:
            self._stopping = True
            raise
        finally:
            housekeeping.cancel()
            await self._leave()

    async def _pause(self, seconds: float) -> None:
        """Wait before the next try, or until the consultation has ended."""
        try:
            async with asyncio.timeout(seconds):
                await self.ended.wait()
        except TimeoutError:
            return

    async def _leave(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for intake in [*self._retiring, *([self._intake] if self._intake else [])]:
            await intake.close()
        self._intake = None
        if self._archive is not None and (job := self._events.take()) is not None:
            self._writing.post(partial(self._archive.write_events, job))

    # the WebSocket

    async def _attend(self, backoff: Backoff) -> None:
        ticket = await self._api.join(self._room)
        if ticket.consultation_id != self._consultation:
            self.ended.set()  # the room went on to the next one
            return
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            socket = await self._api.session.ws_connect(
                (self._api.base_url / "ws").with_query(room=self._room),
                protocols=(SUBPROTOCOL, f"token.{ticket.token}"),
                max_msg_size=MAX_MESSAGE_BYTES,
                autoclose=False,  # it would say goodbye for good
                ssl=self._api.tls,
            )
        async with socket:
            self._socket = socket
            pings = asyncio.create_task(self._keep_pinging())
            try:
                await self._say(Hello(resume_token=self._resume_token))
                await self._listen(socket, backoff)
            finally:
                self._socket, self._announced = None, None
                pings.cancel()
                leaving = self.ended.is_set() or self._stopping
                await socket.close(code=CLOSE_NORMAL if leaving else CLOSE_GOING_AWAY)

    async def _listen(self, socket: aiohttp.ClientWebSocketResponse, backoff: Backoff) -> None:
        while not self.ended.is_set():
            raw = await socket.receive(SILENCE_LIMIT_S)
            if raw.type is not aiohttp.WSMsgType.TEXT:
                raise Unavailable(f"the server closed the room connection ({socket.close_code})")
            try:
                message = parse_server_message(raw.data)
            except ValidationError:
                self._log.warning("recorder.message_unreadable")
                continue
            if isinstance(message, Welcome):
                backoff.reset()
            await self._handle(message)

    async def _handle(self, message: Model) -> None:
        self._archive_message(message)
        match message:
            case Welcome():
                await self._welcomed(message)
            case TrackAdded() | TrackChanged():
                self._infos[message.track.track_id] = message.track
            case TrackRemoved():
                self._infos.pop(message.track_id, None)
            case Offer():
                await self._offered(message)
            case CaptureClock():
                if self._intake is not None:
                    self._intake.set_clock(message)
            case MediaReset():
                self._log.warning("recorder.media_reset", reason=message.reason)
                self._retire_intake("media_reset")
                await self._subscribe()
            case ConsultationEnded():
                self.ended.set()
            case Error():
                await self._refused(message)

    async def _welcomed(self, message: Welcome) -> None:
        resumed = message.participant.participant_id == self._participant
        self._participant = message.participant.participant_id
        self._resume_token = message.resume_token
        self._infos = {track.track_id: track for track in message.tracks}
        self._log.info("recorder.room_joined", resumed=resumed, tracks=len(message.tracks))
        await self._announce()
        if not resumed or self._intake is None:
            await self._subscribe()

    async def _refused(self, message: Error) -> None:
        self._log.warning("recorder.refused", code=message.code, about=message.about)
        if message.about == "hello":
            self._resume_token = None
        elif message.about in ("subscribe", "answer"):
            self._resubscribe_later()

    async def _restart_session(self) -> None:
        """Come in once more: who is here, and what is shown, belongs into the archive just opened."""
        if self._socket is not None:
            await self._socket.close()

    async def _keep_pinging(self) -> None:
        number = 0
        while True:
            await asyncio.sleep(PING_INTERVAL_S)
            number += 1
            await self._say(Ping(id=number))

    async def _say(self, message: Model) -> None:
        socket = self._socket
        if socket is None or socket.closed:
            return
        try:
            await socket.send_str(message.model_dump_json(exclude_none=True))
        except (ConnectionError, aiohttp.ClientError):
            self._log.debug("recorder.message_unsent")  # the reader finds the same and reconnects

    # the subscribe connection

    async def _subscribe(self) -> None:
        if self._archive is not None:
            await self._say(Subscribe())

    async def _offered(self, offer: Offer) -> None:
        if self._archive is None:
            return
        if offer.fresh or self._intake is None:
            self._retire_intake("reconnected")
            self._intake = await self._new_intake()
        intake = self._intake
        try:
            sdp = intake.answer(offer)
        except ProtocolError as error:
            self._log.warning("recorder.offer_unusable", error=str(error))
            self._retire_intake("connection_lost")
            self._resubscribe_later()
            return
        for track in offer.unsupported:
            self._log.warning("recorder.track_unsupported", codec=track.codec)
        await self._say(Answer(revision=offer.revision, sdp=sdp))
        self._spawn(self._connect(intake))

    async def _new_intake(self) -> Intake:
        intake: Intake | None = None

        def lost(reason: str) -> None:
            if intake is not None:
                self._intake_lost(intake, reason)

        intake = Intake(self._clock, self._make_track, self._deliver, lost)
        await intake.gather()
        return intake

    async def _connect(self, intake: Intake) -> None:
        try:
            if not await intake.connect():
                await self._announce()  # nothing to connect to yet, or other tracks on the same connection
                return
        except TeleconsultError as error:
            self._log.warning("recorder.media_unreachable", error=str(error))
            if intake is self._intake:
                self._retire_intake("connection_lost")
                self._resubscribe_later()
            return
        self._subscribe_backoff.reset()
        self._log.info("recorder.media_connected", tracks=len(intake.tracks))
        await self._announce()

    def _intake_lost(self, intake: Intake, reason: str) -> None:
        self._log.warning("recorder.media_lost", reason=reason)
        if intake is self._intake:
            self._retire_intake("connection_lost")
            self._resubscribe_later()

    def _retire_intake(self, reason: str) -> None:
        """Finish what the present connection received; its tracks are away until they are back."""
        intake, self._intake = self._intake, None
        if intake is None:
            return
        for track in intake.finish():
            if (end_us := track.cutter.end_us) is not None:
                self._interrupted.setdefault(track.cutter.source.name, (end_us, reason))
        self._retiring.add(intake)
        self._spawn(self._hang_up(intake))
        self._spawn(self._announce())

    async def _hang_up(self, intake: Intake) -> None:
        await intake.close()
        self._retiring.discard(intake)

    def _resubscribe_later(self) -> None:
        async def later() -> None:
            await asyncio.sleep(self._subscribe_backoff.next_delay_s())
            if self._intake is None:
                await self._subscribe()

        self._spawn(later())

    def _make_track(self, media: ReceivedMedia, track_id: str, ssrc: int) -> ReceivedTrack:
        assert self._archive is not None
        info = self._infos.get(track_id)
        feed = info.feed if info is not None else UNKNOWN_FEED
        source = info.source if info is not None else "device"
        name = track_name(feed, source, media.kind)
        reason = "restart" if name in self._seen or self._archive.writer.resumed else "start"
        self._seen.add(name)
        cutter = TrackCutter(
            TrackSource(name, feed, source, track_id, cast(Codec, media.codec), media.clock_rate),
            self._archive.writer.epoch_us,
            reason,
            self._interrupted.pop(name, None),
        )
        return ReceivedTrack(media, ssrc, cutter)

    # into the archive

    def _deliver(self, jobs: list[TrackJob]) -> None:
        archive = self._archive
        if archive is None:
            return
        for job in jobs:
            if isinstance(job, GapJob):
                self._writing.post(partial(archive.declare_gap, job))
            elif self._writing.submit(job.cost_bytes, partial(archive.write_piece, job)):
                self._set_overloaded(False)
            else:
                self._drop(archive, job)

    def _drop(self, archive: ConsultationArchive, job: PieceJob) -> None:
        gap = GapJob(job.generation.track, job.span, OVERLOAD_REASON)
        self._writing.post(partial(archive.note_gap, gap))
        self._set_overloaded(True)

    def _set_overloaded(self, overloaded: bool) -> None:
        if overloaded == self._overloaded:
            return
        self._overloaded = overloaded
        if overloaded:
            self._log.error("recorder.overloaded", queued_bytes=self._writing.queued_bytes)
        self._spawn(self._announce())

    def _archive_message(self, message: Model) -> None:
        if self._archive is None:
            return
        now_us, now_ns = self._clock.unix_ns() // NS_PER_US, self._clock.monotonic_ns()
        if isinstance(message, CaptureClock):
            self._events.add_clock(message, now_us, now_ns)
        else:
            self._events.add_message(message, now_us, now_ns)

    def _note(self, fields: dict[str, Any]) -> None:
        if self._archive is not None:
            self._events.add(fields, self._clock.unix_ns() // NS_PER_US, self._clock.monotonic_ns())

    async def _keep_house(self) -> None:
        while True:
            await asyncio.sleep(HOUSEKEEPING_S)
            job = self._events.poll(self._clock.monotonic_ns())
            if job is not None and self._archive is not None:
                self._writing.post(partial(self._archive.write_events, job))

    # what the room is told

    async def _announce(self) -> None:
        state = self._state()
        if state != self._announced and self._socket is not None:
            self._announced = state
            self._note({"type": "recorder_state", "state": state[0], "reason": state[1]})
            await self._say(SetRecording(state=state[0], reason=state[1][:500]))

    def _state(self) -> tuple[RecordingState, str]:
        if self._failure is not None:
            return "failed", self._failure
        if self._overloaded:
            return "failed", "the archive's disk is too slow"
        if (
            self._archive is None
            or self._intake is None
            or (self._intake.tracks and not self._intake.connected)
        ):
            return "starting", ""
        return "recording", ""

    def refuse(self, failure: str) -> None:
        """The archive could not be opened."""
        self._failure = failure
        self._spawn(self._announce())

    def _spawn(self, coroutine: Any) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def track_name(feed: str, source: str, kind: str) -> str:
    """The archive's name of a feed's track; a feed whose name no folder may have is hashed."""
    name = f"{feed.lower()}-{source}-{kind}"
    if _TRACK.match(name):
        return name
    return f"feed-{hashlib.sha256(feed.encode()).hexdigest()[:16]}-{source}-{kind}"
