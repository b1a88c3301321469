"""Drawing in a room: ordered by the server, shown to who sees the feed, the same for everybody in the end."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from annotation.replica import Replica
from core import messages
from core.annotations import (
    Add,
    Clear,
    DocumentSeen,
    Extend,
    MarkMotion,
    NewMark,
    Operation,
    Place,
    RemoveMark,
    Undo,
)
from core.worker_api import ConsumerClock
from signaling.room_service import OPERATIONS_BURST, POINTERS_BURST, SYNCS_BURST
from tests.signaling.conftest import WITHIN_S, RoomClient, World
from tests.signaling.room_people import enter, guest, person, refused, until

FEED = "ultrasound"
CAPTURED_US = 1_700_000_000_000_000


def pen(mark_id: str, *points: float, **more: Any) -> Add:
    fields: dict[str, Any] = {"tool": "pen", "colour": "#e5484d", "width": 0.004}
    return Add(mark=NewMark(mark_id=mark_id, points=list(points) or [0.5, 0.5], **(fields | more)))


def said(op_id: str, operation: Operation, feed: str = FEED) -> messages.Annotate:
    return messages.Annotate(op_id=op_id, feed=feed, operation=operation)


async def show(world: World, feed: str = FEED) -> None:
    """A feed begins."""
    assert (await world.whip(feed, person(world, "device", name=f"device:{feed}").token)).status == 201


async def change_of(client: RoomClient) -> Any:
    told = await client.next(messages.AnnotationsChanged)
    (change,) = told.changes
    return change


async def drawn(client: RoomClient, seen: list[DocumentSeen] | None = None) -> list[Any]:
    """Everything that is answered to a sync, before its end."""
    await client.sync()
    start = len(client.seen)
    await client.send(messages.SyncAnnotations(seen=seen or []))
    await client.next(messages.AnnotationsSynced)
    kinds = (messages.AnnotationDocument, messages.AnnotationsChanged)
    return [message for message in client.seen[start:] if isinstance(message, kinds)]


async def test_a_stroke_reaches_everybody_who_sees_the_feed_stamped_by_the_server(world: World) -> None:
    await show(world)
    artist, welcome = await enter(world, person(world, "invited"))
    box = person(world, "device", name=f"device:{FEED}")
    others = [
        (await enter(world, who))[0]
        for who in (person(world, "host"), person(world, "recorder"), person(world, "viewer"), box)
    ]
    await artist.send(said("o1", pen("m1", 0.1, 0.2)))
    await artist.send(said("o2", Extend(mark_id="m1", start=1, points=[0.3, 0.4])))
    for client in [artist, *others]:
        first, second = await change_of(client), await change_of(client)
        (mark,) = first.put
        assert (mark.author, mark.author_name, mark.role) == ("u_invited", "u_invited", "specialist")
        assert (mark.feed, first.seq, first.op_id) == (FEED, 1, "o1")
        assert (second.seq, second.extended.points) == (2, [0.3, 0.4])
    assert welcome.participant.person == "u_invited"


async def test_a_box_hears_of_its_own_feeds_only(world: World) -> None:
    await show(world)
    await show(world, "theatre")
    host, _ = await enter(world, person(world, "host"))
    box, _ = await enter(world, person(world, "device", name="device:theatre"))
    await host.send(said("o1", pen("m1")))
    await host.send(said("o2", pen("m2"), feed="theatre"))
    assert (await box.next(messages.AnnotationsChanged)).feed == "theatre"
    assert [message.feed for message in await drawn(box)] == ["theatre"]


async def test_whoever_comes_later_gets_everything_in_parts_if_it_is_much(world: World) -> None:
    await show(world)
    host, _ = await enter(world, person(world, "host"))
    for number in range(8):
        await host.send(said(f"o{number}", pen(f"m{number}", *[0.123456] * 2_000)))
    await host.sync()
    late, _ = await enter(world, person(world, "invited"))
    parts = await drawn(late)
    assert [part.first for part in parts] == [True, *[False] * (len(parts) - 1)]
    assert [part.last for part in parts] == [*[False] * (len(parts) - 1), True]
    assert [mark.mark_id for part in parts for mark in part.marks] == [f"m{number}" for number in range(8)]
    assert max(len(part.model_dump_json()) for part in parts) < 100_000
    assert {part.seq for part in parts} == {8}


async def test_who_comes_back_gets_what_they_missed_and_goes_on_undoing(world: World) -> None:
    await show(world)
    host, _ = await enter(world, person(world, "host"))
    who = person(world, "invited")
    artist, welcome = await enter(world, who)
    await artist.send(said("o1", pen("m1")))
    told = await artist.next(messages.AnnotationsChanged)
    replica = Replica(told.document_id)
    assert replica.apply(told.document_id, told.changes[0])
    await artist.drop()
    await host.send(said("h1", pen("m2")))
    await change_of(host)
    await host.send(said("h2", pen("m3")))
    await change_of(host)
    await change_of(host)
    back = await world.connect(None, messages.Hello(resume_token=welcome.resume_token))
    await back.next(messages.Welcome)
    seen = DocumentSeen(feed=FEED, document_id=replica.document_id, seq=replica.seq)
    (missed,) = await drawn(back, [seen])
    assert all(replica.apply(missed.document_id, change) for change in missed.changes)
    await back.send(said("o1", pen("m1")))  # it does not know whether that arrived
    assert (await change_of(back)).seq == 1
    assert await host.sync() == []
    await back.send(said("o2", Undo()))
    assert (await change_of(host)).removed == ["m1"]


@pytest.mark.parametrize("seen", [("d_other", 1), (None, 99)])
async def test_whoever_knows_another_document_gets_this_one_whole(
    world: World, seen: tuple[str | None, int]
) -> None:
    await show(world)
    host, _ = await enter(world, person(world, "host"))
    await host.send(said("o1", pen("m1")))
    told = await host.next(messages.AnnotationsChanged)
    known = DocumentSeen(feed=FEED, document_id=seen[0] or told.document_id, seq=seen[1])
    (whole,) = await drawn(host, [known])
    assert isinstance(whole, messages.AnnotationDocument)
    assert (whole.document_id, whole.undo, whole.redo) == (told.document_id, 1, 0)


async def test_drawings_outlast_a_room_that_everybody_left_and_end_with_the_consultation(
    world: World,
) -> None:
    await show(world)
    for name in ("host", "invited"):
        artist, _ = await enter(world, person(world, "host", name=name))
        await artist.send(said(f"o_{name}", pen(f"m_{name}")))
        await artist.sync()
        await artist.close()
    await world.worker.stop()
    await until(lambda: world.context.service.room_of(world.consultation.consultation_id) is None)
    back, _ = await enter(world, person(world, "host", name="host"))
    (whole,) = await drawn(back)
    assert [mark.mark_id for mark in whole.marks] == ["m_host", "m_invited"]
    room = world.context.service.rooms["demo"]
    world.context.service.end_room(room)
    await back.closed()
    assert world.context.service.drawings.of(world.consultation.consultation_id).documents == {}


async def test_hosts_remove_what_others_drew_and_that_is_written_down(world: World) -> None:
    await show(world)
    host, _ = await enter(world, person(world, "host"))
    expert, _ = await enter(world, person(world, "invited"))
    visitor, _ = await enter(world, await guest(world, lobby=False))
    for number, client in enumerate((expert, visitor)):
        await client.send(said("o1", pen(f"m{number}")))
        await change_of(host)
    await refused(expert, said("o2", RemoveMark(mark_id="m1")), "not_yours")
    await refused(visitor, said("o3", Clear(whose="all")), "not_host")
    await host.send(said("o4", Clear(whose="all")))
    assert (await change_of(host)).removed == ["m0", "m1"]
    async with asyncio.timeout(WITHIN_S):
        while ("u_host", "annotate_clear", "ok") not in (trail := await world.audit()):
            await asyncio.sleep(0.005)
    assert ("u_invited", "annotate_draw", "ok") in trail
    assert ("u_invited", "annotate", "not_yours") in trail


async def test_what_is_wrong_is_answered_to_its_sender_and_disturbs_nobody(world: World) -> None:
    await show(world)
    watcher, _ = await enter(world, person(world, "host"))
    artist, _ = await enter(world, person(world, "invited"))
    await watcher.sync()
    error = await refused(artist, said("o1", pen("m1"), feed="nowhere"), "feed_not_found")
    assert error.ref == "o1"
    await refused(artist, said("o2", Extend(mark_id="no", start=0, points=[0.1, 0.1])), "mark_not_found")
    good = json.loads(said("o3", pen("m3")).model_dump_json())
    for wrong in ({"points": [float("nan"), 0.5]}, {"points": [0.5] * 4_000}, {"author": "u_host"}):
        mark = good["operation"]["mark"] | wrong
        await artist.socket.send_str(json.dumps(good | {"operation": {"op": "add", "mark": mark}}))
        assert (await artist.next(messages.Error)).code == "malformed"
    await artist.socket.send_str(json.dumps(good | {"author": "u_host"}))
    assert (await artist.next(messages.Error)).code == "malformed"
    assert await watcher.sync() == []


async def test_a_shared_screen_is_another_picture_than_its_owner_s_camera(world: World) -> None:
    host, welcome = await enter(world, person(world, "host"))
    await world.publish(host, "video/camera", "video/screen", "audio/microphone")
    expert, _ = await enter(world, person(world, "invited"))
    mine = welcome.participant.participant_id
    feed = next(track.feed for track in host_tracks(world, mine))
    await expert.send(said("o1", pen("m1"), feed=f"{feed}-screen"))
    assert (await host.next(messages.AnnotationsChanged)).feed == f"{feed}-screen"
    await expert.send(said("o2", pen("m2"), feed=feed))
    assert (await host.next(messages.AnnotationsChanged)).changes[0].seq == 1


def host_tracks(world: World, participant_id: str) -> list[messages.TrackInfo]:
    tracks = [track.info for track in world.context.service.rooms["demo"].tracks.values()]
    return [track for track in tracks if track.participant_id == participant_id]


async def test_who_only_watches_draws_nothing(world: World) -> None:
    await show(world)
    viewer, _ = await enter(world, person(world, "viewer"))
    await refused(viewer, said("o1", pen("m1")), "not_granted")
    await refused(viewer, messages.Point(feed=FEED, at=Place(x=0, y=0)), "not_granted")


async def test_a_flood_is_refused_to_who_sends_it_and_the_others_go_on(world: World) -> None:
    await show(world)
    who = person(world, "invited")
    flooder, _ = await enter(world, who)
    other, _ = await enter(world, person(world, "host"))
    # The clock stands still for the service: nobody's bucket fills up meanwhile.
    for _ in range(OPERATIONS_BURST):
        assert world.context.service.operations.allows("demo u_invited", world.clock.monotonic_ns())
    await refused(flooder, said("f", pen("m")), "too_fast")
    await other.send(said("o1", pen("m1")))
    assert (await change_of(other)).put[0].mark_id == "m1"
    world.clock.advance(5)
    await flooder.send(said("f", pen("m")))
    assert (await change_of(other)).put[0].mark_id == "m"


async def test_asking_for_everything_again_and_again_is_refused(world: World) -> None:
    host, _ = await enter(world, person(world, "host"))
    for _ in range(SYNCS_BURST):
        await drawn(host)
    await refused(host, messages.SyncAnnotations(), "too_fast")


async def test_a_text_on_a_picture_is_just_text(world: World) -> None:
    await show(world)
    host, _ = await enter(world, person(world, "host"))
    text = "<b>left\u0000</b> atrium"
    await host.send(said("o1", pen("m1", tool="text", text=text)))
    assert (await change_of(host)).put[0].text == "<b>left</b> atrium"
    await refused(host, said("o2", pen("m2", tool="text", text="\u0000")), "bad_text")


# --- the pointer ---------------------------------------------------------------------------


async def test_a_pointer_is_shown_to_the_others_by_name(world: World) -> None:
    await show(world)
    expert, welcome = await enter(world, person(world, "invited"))
    host, _ = await enter(world, person(world, "host"))
    await expert.send(messages.Point(feed=FEED, at=Place(x=0.25, y=0.75), captured_us=5))
    told = await host.next(messages.Pointed)
    assert (told.name, told.participant_id) == ("u_invited", welcome.participant.participant_id)
    assert (told.at, told.captured_us) == (Place(x=0.25, y=0.75), 5)
    await expert.send(messages.Point(feed=FEED))
    assert (await host.next(messages.Pointed)).at is None
    assert not any(isinstance(message, messages.Pointed) for message in await expert.sync())
    await refused(expert, messages.Point(feed="nowhere", at=Place(x=0, y=0)), "feed_not_found")


async def test_pointers_that_come_too_fast_are_dropped_without_a_word_but_never_the_last(
    world: World,
) -> None:
    await show(world)
    expert, _ = await enter(world, person(world, "invited"))
    host, _ = await enter(world, person(world, "host"))
    for number in range(60):
        await expert.send(messages.Point(feed=FEED, at=Place(x=number / 100, y=0.5)))
    await expert.send(messages.Point(feed=FEED))
    assert not any(isinstance(message, messages.Error) for message in await expert.sync())
    heard = [message for message in await host.sync() if isinstance(message, messages.Pointed)]
    assert 1 <= len(heard) < 60
    assert len(heard) >= min(POINTERS_BURST, 2)
    assert heard[-1].at is None


async def test_where_a_mark_has_moved_reaches_who_sees_the_feed_from_its_own_box_alone(world: World) -> None:
    box_person = person(world, "device", name=f"device:{FEED}")
    assert (await world.whip(FEED, box_person.token)).status == 201
    box, _ = await enter(world, box_person)
    watchers = [(await enter(world, person(world, kind)))[0] for kind in ("invited", "recorder", "viewer")]
    motion = MarkMotion(mark_id="m1", motion=[1, 0, 0, 1, 0.25, -0.1], confidence=0.9, state="held")
    await box.send(messages.MoveMarks(feed=FEED, captured_us=1_700_000_000_000_000, marks=[motion]))
    for watcher in watchers:
        told = await watcher.next(messages.MarksMoved)
        assert (told.feed, told.captured_us, told.marks) == (FEED, 1_700_000_000_000_000, [motion])
    stranger, _ = await enter(world, person(world, "device", name="device:other"))
    await stranger.send(messages.MoveMarks(feed=FEED, captured_us=1, marks=[motion]))
    assert (await stranger.next(messages.Error)).code == "feed_not_found"


async def test_a_box_names_frames_by_its_own_clock_and_everybody_else_by_the_servers(world: World) -> None:
    box_person = person(world, "device", name=f"device:{FEED}")
    assert (await world.whip(FEED, box_person.token)).status == 201
    box, _ = await enter(world, box_person)
    client, welcome = await enter(world, person(world, "host"))
    await client.send(messages.Subscribe())
    offer = await client.next(messages.Offer)
    (track,) = [track for track in welcome.tracks if track.feed == FEED and track.kind == "video"]
    clock = ConsumerClock(
        transport_id=offer.transport_id,
        mid=next(one.mid for one in offer.tracks if one.track_id == track.track_id),
        track_id=track.track_id,
        rtp_timestamp=5,
        clock_rate=90_000,
        capture_time_us=CAPTURED_US,
        uncertainty_us=40,
        publisher_ahead_us=-2_500_000,
    )
    await world.worker.emit(clock)
    await client.next(messages.CaptureClock)
    await client.send(said("o1", pen("m1", anchor="tissue", captured_us=CAPTURED_US)))
    assert (await change_of(client)).put[0].captured_us == CAPTURED_US
    assert (await change_of(box)).put[0].captured_us == CAPTURED_US - 2_500_000
    (document,) = await drawn(box)
    assert document.marks[0].captured_us == CAPTURED_US - 2_500_000
    motion = MarkMotion(mark_id="m1", motion=[1, 0, 0, 1, 0, 0], confidence=1, state="held")
    await box.send(messages.MoveMarks(feed=FEED, captured_us=CAPTURED_US - 2_400_000, marks=[motion]))
    assert (await client.next(messages.MarksMoved)).captured_us == CAPTURED_US + 100_000
