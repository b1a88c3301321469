"""The privacy pause: in force at the media server, and stored, then shown as it is.

A pause begins at the media server: were it stored first, and this process died before it told the worker,
pictures would flow on until its successor looks. It ends the other way round: what is stored says that it
goes on before anything flows. A host's page asks again for what was not confirmed.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Final
from weakref import WeakKeyDictionary

import structlog

from core import consultations, messages
from core.errors import NotFound, TeleconsultError, Unavailable
from core.messages import TrackInfo
from signaling.context import Context
from signaling.members import Member
from signaling.room_media import RoomMedia
from signaling.rooms import Room
from signaling.stage import Track
from signaling.worker_client import WorkerClient

log = structlog.get_logger()

RETRY_S: Final = 0.1
STORE_ANYWAY_S: Final = 0.5
"""A media server that does not answer may be gone for long; the wish must outlive this process."""
STORE_AGAIN_S: Final = 1.0
_locks: Final[WeakKeyDictionary[Room, asyncio.Lock]] = WeakKeyDictionary()
"""One change at a time: a pause that is not in force yet is not overtaken by its end."""


async def set_paused(context: Context, room: Room, member: Member, wanted: messages.SetPaused) -> None:
    """Pause, or go on, and tell everyone once it is so. Again: nothing changes.

    Raises `Unavailable` while the media server does not answer; it is tried on until it does, or is gone
    with all it forwarded.
    """
    await context.service.finish(_set_paused(context, room, member, wanted.paused))


async def _set_paused(context: Context, room: Room, member: Member, paused: bool) -> None:
    service = context.service
    async with _locks.setdefault(room, asyncio.Lock()):
        with service.holding(room):  # one made anew meanwhile would not know
            await _store_and_settle(context, room, member, paused)


async def _store_and_settle(context: Context, room: Room, member: Member, paused: bool) -> None:
    service, consultation = context.service, room.consultation.consultation_id
    if room.consultation.paused == paused and not room.unsettled():
        return
    if paused:
        await _pause(context, room)
    else:
        await consultations.set_paused(context.database, consultation, False)
        service.changes += 1
        room.set_paused(False)
        await _settle_all(service, room)
    service.deliver(room, room.paused_changed(member.participant.name, service.now_us()))
    await context.audit(member.subject, "pause" if paused else "unpause", consultation)


async def _pause(context: Context, room: Room) -> None:
    """First the media server; it is stored meanwhile only when that takes long. Tried until it is stored."""
    service = context.service
    room.set_paused(True)
    settling = asyncio.create_task(_settle_all(service, room))
    try:
        await asyncio.wait([settling], timeout=STORE_ANYWAY_S)
        await _store_pause(context, room.consultation.consultation_id)
        service.changes += 1
        await settling
    finally:
        settling.cancel()


async def _store_pause(context: Context, consultation: str) -> None:
    """It is in force already: it is not taken back because a database is away. Raises `NotFound`."""
    while True:
        try:
            await consultations.set_paused(context.database, consultation, True)
        except NotFound:
            raise
        except Exception:
            log.exception("room.pause_not_stored", consultation=consultation)
            await asyncio.sleep(STORE_AGAIN_S)
        else:
            return


async def _settle_all(service: RoomMedia, room: Room) -> None:
    while room.unsettled():
        await _settle(service, room)


async def _settle(service: RoomMedia, room: Room) -> None:
    """Bring the media server to what the room says, and show it. Waits a moment when it does not answer."""
    for worker, tracks in _by_worker(service, room.unsettled()).items():
        ids, paused = [track.info.track_id for track in tracks], room.consultation.paused
        try:
            if worker is not None:  # else the transport is just ending, with its tracks
                await worker.set_paused(ids, paused)
        except TeleconsultError as error:
            log.warning("room.pause_not_told", worker=worker.worker_id if worker else "", code=error.code)
            await asyncio.sleep(RETRY_S)
            continue
        service.deliver(room, [out for name in ids for out in room.set_track_paused(name, paused)])


def _by_worker(service: RoomMedia, tracks: Sequence[Track]) -> dict[WorkerClient | None, list[Track]]:
    found: defaultdict[WorkerClient | None, list[Track]] = defaultdict(list)
    for track in tracks:
        found[service.pool.of(track.transport_id)].append(track)
    return found


async def settled(
    service: RoomMedia, room: Room, transport_id: str, org: str, tracks: Sequence[TrackInfo]
) -> list[TrackInfo]:
    """Tracks just published by that organisation, as the room wants them: paused, or not.

    To be shown at once: whoever changes the room later finds them there. Raises `Unavailable`.
    """
    now = list(tracks)
    while wrong := [track.track_id for track in now if track.paused != room.pauses(org)]:
        worker, paused = service.pool.of(transport_id), room.pauses(org)
        if worker is None:
            raise Unavailable("the media server is gone; publish anew", code="no_worker")
        await worker.set_paused(wrong, paused)
        now = [
            track.model_copy(update={"paused": paused}) if track.track_id in wrong else track for track in now
        ]
    return now
