"""The recorder's seat in one room: the WebSocket, what goes from it into the archive, what the room is
told.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Final

import aiohttp
import structlog
from pydantic import ValidationError

from archive.continuity import RECORDING_STOPPED
from archive.specs import Span
from core.clock import NS_PER_US, Clock
from core.errors import NotFound, TeleconsultError, Unavailable
from core.messages import (
    CaptureClock,
    ChatAdded,
    ConsentChanged,
    ConsultationEnded,
    Error,
    FileInfo,
    Hello,
    IceServer,
    MediaReset,
    Model,
    Offer,
    PausedChanged,
    Ping,
    RecordChanged,
    SetRecording,
    StillChanged,
    SyncAnnotations,
    TrackAdded,
    TrackChanged,
    TrackRemoved,
    Welcome,
    parse_server_message,
)
from recorder.api import ServiceApi
from recorder.backoff import Backoff
from recorder.consultation_archive import OVERLOAD_REASON, ConsultationArchive
from recorder.events import EventLog
from recorder.failure import TOO_SLOW, Failure
from recorder.files import FileKeeper
from recorder.jobs import GapJob, PieceJob, TrackJob
from recorder.subscriber import Subscriber
from recorder.writing import WritingThread

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
MAX_REASON_CHARS: Final = 500
CONSULTATION_CLOSED: Final = "consultation_closed"
CONSENT_WITHDRAWN: Final = "consent_withdrawn"

log = structlog.get_logger()


class RoomRecorder:
    """Records one room until the consultation ends. `run` returns then; cancelled, it leaves in order.

    Without an archive it sits there all the same and tells the room why nothing is recorded.
    """

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
        self._subscriber: Subscriber | None = None
        self._events = EventLog(0)
        self._files: FileKeeper | None = None
        self._stops: Sequence[Span] = ()
        """When nothing was to be recorded: what was written then is not ours to keep."""
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._resume_token: str | None = None
        self._participant: str | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._failure: Failure | None = None
        self._overloaded = False
        self._ice_servers: Sequence[IceServer] = ()
        self._announced: SetRecording | None = None
        self.pause_heard: Callable[[bool], None] = lambda paused: None
        """Told whether the site pauses picture and sound, whenever we hear of it."""
        self.ended = asyncio.Event()
        self.close_reason = CONSULTATION_CLOSED
        """What the archive's closing entry will say."""

    # what the consultation tells

    def begin(self, archive: ConsultationArchive) -> None:
        """The archive is open: record into it from now on. Best before `run`."""
        writer = archive.writer
        self._archive, self._failure = archive, None
        self._events = EventLog(writer.epoch_us)
        self._subscriber = Subscriber(
            self._clock,
            writer.epoch_us,
            writer.left_off if writer.resumed else None,
            say=self._say,
            deliver=self._deliver,
            changed=self._announce_soon,
        )
        self._subscriber.relays = self._relays()
        self._stops = tuple(writer.stops)
        self._files = FileKeeper(
            self._api, self._consultation, self._keep_file, self._file_missing, writer.files
        )
        self._note({"type": "recording_resumed" if writer.resumed else "recording_started"})
        if self._socket is not None:
            self._spawn(self._come_in_again(self._socket))

    def end(self, reason: str) -> None:
        """Finish and leave: the consultation, or the consent to record it, has ended."""
        if not self.ended.is_set():
            self.close_reason = reason
            self.ended.set()

    def refuse(self, failure: Failure) -> None:
        """The archive could not be opened."""
        self._failure = failure
        self._announce_soon()

    def storage(self, failure: Failure | None) -> None:
        """The writing thread's report, on the event loop."""
        self._failure = failure
        reason = failure.reason if failure else ""
        self._note({"type": "storage_failed" if failure else "storage_works", "reason": reason})
        self._announce_soon()

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
        finally:
            housekeeping.cancel()
            await self._finish()

    async def _pause(self, seconds: float) -> None:
        """Wait before the next try, or until the consultation has ended."""
        try:
            async with asyncio.timeout(seconds):
                await self.ended.wait()
        except TimeoutError:
            return

    async def _finish(self) -> None:
        """Hand everything there is to the writing thread."""
        for task in self._tasks:
            task.cancel()
        if self._subscriber is not None:
            await self._subscriber.close()
        if self._files is not None:
            if self.ended.is_set():
                await self._files.finish()
            else:
                self._files.stop()
        self._write_events()

    def _write_events(self) -> None:
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
        self._socket = socket
        pings = asyncio.create_task(self._keep_pinging())
        goodbye = CLOSE_GOING_AWAY
        try:
            await self._say(Hello(resume_token=self._resume_token))
            await self._listen(socket, backoff)
        except asyncio.CancelledError:
            goodbye = CLOSE_NORMAL
            raise
        finally:
            self._socket, self._announced = None, None
            pings.cancel()
            await socket.close(code=CLOSE_NORMAL if self.ended.is_set() else goodbye)

    async def _listen(self, socket: aiohttp.ClientWebSocketResponse, backoff: Backoff) -> None:
        while not self.ended.is_set():
            raw = await socket.receive(SILENCE_LIMIT_S)
            if raw.type is not aiohttp.WSMsgType.TEXT:
                raise Unavailable(f"the room connection was closed ({raw.data or raw.type.name})")
            try:
                message = parse_server_message(raw.data)
            except ValidationError:
                self._log.warning("recorder.message_unreadable")
                continue
            if isinstance(message, Welcome):
                backoff.reset()
            await self._handle(message)

    async def _handle(self, message: Model) -> None:
        if isinstance(message, Welcome):
            message = self._without_stops(message)
        self._archive_message(message)
        self._tell_pause(message)
        match message:
            case Welcome():
                await self._welcomed(message)
            case ConsultationEnded():
                self.ended.set()
            case ConsentChanged():
                await self._consent_changed(message)
            case RecordChanged():
                await self._record_changed(message)
            case Error():
                self._refused(message)
            case _ if self._subscriber is not None:
                await self._handle_media(self._subscriber, message)

    def _tell_pause(self, message: Model) -> None:
        if isinstance(message, Welcome):
            self.pause_heard(message.consultation.paused)
        elif isinstance(message, PausedChanged):
            self.pause_heard(message.paused)

    async def _handle_media(self, subscriber: Subscriber, message: Model) -> None:
        match message:
            case TrackAdded() | TrackChanged():
                subscriber.track_shown(message.track)
            case PausedChanged():
                if not message.paused:
                    subscriber.pause_ended()
            case TrackRemoved():
                subscriber.infos.pop(message.track_id, None)
            case Offer():
                await subscriber.offered(message)
            case CaptureClock():
                subscriber.clock_told(message)
            case MediaReset():
                self._log.warning("recorder.media_reset", reason=message.reason)
                subscriber.retire("media_reset")
                await subscriber.subscribe()

    async def _welcomed(self, message: Welcome) -> None:
        resumed = message.participant.participant_id == self._participant
        self._participant = message.participant.participant_id
        self._resume_token = message.resume_token
        self._log.info("recorder.room_joined", resumed=resumed, tracks=len(message.tracks))
        await self._announce()
        await self._say(SyncAnnotations())
        self._ice_servers = message.ice_servers
        if self._subscriber is not None:
            self._subscriber.relays = self._relays()
            self._subscriber.room_shows(message.tracks)
            if not resumed or not self._subscriber.active:
                await self._subscriber.subscribe()

    def _relays(self) -> tuple[Sequence[IceServer], ssl.SSLContext | None]:
        tls = self._api.tls
        return self._ice_servers, tls if isinstance(tls, ssl.SSLContext) else None

    async def _consent_changed(self, message: ConsentChanged) -> None:
        """Withdrawn: say that nothing is recorded any more, and end for good."""
        if not message.consent.record:
            self.end(CONSENT_WITHDRAWN)
            await self._announce()

    async def _record_changed(self, message: RecordChanged) -> None:
        """Stopped for now: whoever begins again goes on with this archive."""
        if not message.record:
            self.end(RECORDING_STOPPED)
            await self._announce()

    def _without_stops(self, message: Welcome) -> Welcome:
        """Nothing of what was said while recording was stopped."""
        epoch_us = 0 if self._archive is None else self._archive.writer.epoch_us
        kept = [
            entry
            for entry in message.chat
            if not any(stop.begin_us <= entry.at_us - epoch_us < stop.end_us for stop in self._stops)
        ]
        stills = [
            still
            for still in message.stills
            if not any(stop.begin_us <= still.at_us - epoch_us < stop.end_us for stop in self._stops)
        ]
        return message.model_copy(update={"chat": kept, "stills": stills})

    # files of the chat

    def _want_files(self, message: Model) -> None:
        if self._files is None:
            return
        if isinstance(message, ChatAdded):
            self._files.want(message.entry.files)
        elif isinstance(message, Welcome):
            self._files.want(info for entry in message.chat for info in entry.files)
            self._files.want(still.file for still in message.stills if still.file is not None)
        elif isinstance(message, StillChanged) and message.still.file is not None:
            self._files.want([message.still.file])

    async def _keep_file(self, file_id: str, data: bytes) -> bool:
        assert self._archive is not None
        return await self._writing.run(partial(self._archive.write_file, file_id, data))

    def _file_missing(self, info: FileInfo, reason: str) -> None:
        self._log.warning("recorder.file_missing", file=info.file_id, reason=reason)
        self._note({"type": "file_missing", "file_id": info.file_id, "reason": reason})

    def _refused(self, message: Error) -> None:
        self._log.warning("recorder.refused", code=message.code, about=message.about)
        if message.about == "hello":
            self._resume_token = None
        elif message.about in ("subscribe", "answer") and self._subscriber is not None:
            self._subscriber.retire("connection_lost")
            self._subscriber.resubscribe_later()

    async def _come_in_again(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Who is here, and what is shown, belongs into the archive that has just been opened."""
        self._participant = None
        await socket.close(code=CLOSE_GOING_AWAY)

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

    # into the archive

    def _deliver(self, jobs: list[TrackJob]) -> None:
        archive = self._archive
        if archive is None:
            return
        for job in jobs:
            if isinstance(job, GapJob):
                self._writing.post(partial(archive.declare_gap, job))
            elif not self._writing.submit(
                job.cost_bytes,
                partial(archive.write_piece, job),
                partial(archive.prepare, job),
                archive.stage,
            ):
                self._drop(archive, job)
            elif self._overloaded and self._writing.relaxed:
                self._set_overloaded(False)

    def _drop(self, archive: ConsultationArchive, job: PieceJob) -> None:
        gap = GapJob(job.generation.track, job.span, OVERLOAD_REASON)
        self._writing.post(partial(archive.note_gap, gap))
        self._set_overloaded(True)

    def _set_overloaded(self, overloaded: bool) -> None:
        if overloaded == self._overloaded:
            return
        self._overloaded = overloaded
        self._log.warning("recorder.overload", on=overloaded, queued_bytes=self._writing.queued_bytes)
        self._announce_soon()

    def _archive_message(self, message: Model) -> None:
        if self._archive is None:
            return
        now_us, now_ns = self._clock.unix_ns() // NS_PER_US, self._clock.monotonic_ns()
        if isinstance(message, CaptureClock):
            self._events.add_clock(message, now_us, now_ns)
        else:
            self._events.add_message(message, now_us, now_ns)
            self._want_files(message)

    def note(self, fields: dict[str, Any]) -> None:
        """Write into the archive's events, before anything that is entered after this."""
        self._note(fields)
        self._write_events()

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

    def _announce_soon(self) -> None:
        self._spawn(self._announce())

    async def _announce(self) -> None:
        state = self._state()
        if state != self._announced and self._socket is not None:
            self._announced = state
            self._note({"type": "recorder_state", "state": state.state, "reason": state.reason})
            await self._say(state)

    def _state(self) -> SetRecording:
        if self.close_reason in (CONSENT_WITHDRAWN, RECORDING_STOPPED):
            return SetRecording(state="off", reason=self.close_reason)
        failure = TOO_SLOW if self._failure is None and self._overloaded else self._failure
        if failure is not None:
            reason = failure.reason[:MAX_REASON_CHARS]
            return SetRecording(state="failed", problem=failure.problem, reason=reason)
        ready = self._subscriber is not None and self._subscriber.ready
        return SetRecording(state="recording" if ready else "starting")

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
