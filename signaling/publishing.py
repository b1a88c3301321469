"""A member's publish connection: offer in, answer and tracks out."""

from __future__ import annotations

from core import messages
from core.errors import Forbidden, NotFound, TeleconsultError
from core.ids import new_id
from core.messages import Source
from core.worker_api import CreateTransport, TransportDescription
from signaling.members import Member
from signaling.pausing import settled
from signaling.room_service import RoomService
from signaling.rooms import Room
from signaling.transports import Use


async def publish(service: RoomService, room: Room, member: Member, wanted: messages.Publish) -> None:
    """Create or change the publish connection and tell the member and the room.

    Raises `Forbidden` for a source that is not granted, `NotFound` for a connection that is not there,
    the worker's `RemoteError` for an unusable offer, `Unavailable` without a worker.
    """
    sources = {source.mid: source.source for source in wanted.sources}
    _check_sources(member, set(sources.values()))
    if wanted.transport_id is None:
        await unpublish(service, room, member)
        description = await _create(service, room, member, wanted.offer, sources)
    else:
        description = await _change(service, member, wanted.transport_id, wanted.offer, sources)
    transport_id = description.transport_id
    try:
        _check_sources(member, {track.source for track in description.tracks})
        tracks = await settled(service, room, transport_id, member.org, description.tracks)
    except TeleconsultError:
        member.publish_id = None
        service.deliver(room, room.drop_transport(transport_id))
        await service.delete_transports([transport_id])
        raise
    if member.id not in service.attached:
        await service.delete_transports([transport_id])
        return
    out = room.publish(member, transport_id, tracks)
    shown = [track.info for track in room.tracks.values() if track.transport_id == transport_id]
    service.tell(member, messages.Published(transport_id=transport_id, answer=description.sdp, tracks=shown))
    service.deliver(room, out)


async def unpublish(service: RoomService, room: Room, member: Member) -> None:
    """End the publish connection, if there is one."""
    if member.publish_id is not None:
        transport_id = member.publish_id
        service.deliver(room, room.drop_transport(transport_id))
        await service.delete_transports([transport_id])


async def _create(
    service: RoomService, room: Room, member: Member, offer: str, sources: dict[str, Source]
) -> TransportDescription:
    """An m-line without a named source counts as `device`, which nobody may publish here: it is refused."""
    worker = await service.pool.place(room.name)
    transport_id = new_id("t")
    wanted = CreateTransport(
        transport_id=transport_id,
        room=room.name,
        participant_id=member.id,
        direction="publish",
        offer=offer,
        feed=member.id,
        sources=sources,
        paused=room.pauses(member.org),
        on_site=room.is_site(member.org),
    )
    service.own(transport_id, worker, Use(room, "publish", member.id))
    try:
        return await worker.create(wanted)
    except BaseException:
        service.abandon(transport_id)
        raise


async def _change(
    service: RoomService, member: Member, transport_id: str, offer: str, sources: dict[str, Source]
) -> TransportDescription:
    worker = service.pool.of(transport_id)
    if worker is None or transport_id != member.publish_id:
        raise NotFound("this connection is gone; publish anew", code="transport_not_found")
    return await worker.offer(transport_id, offer, sources)


def _check_sources(member: Member, sources: set[Source]) -> None:
    if "device" in sources:
        raise Forbidden(
            "device feeds are published by WHIP; name the source of every m-line", code="not_granted"
        )
    for source in sorted(sources.difference(member.grants.publish)):
        raise Forbidden(f"you may not publish a {source} here", code="not_granted")
