"""What viewers show reaches the media server; what it does about it reaches viewers and publishers."""

from __future__ import annotations

from core import messages
from core.messages import ShownView
from core.tokens import Grants
from core.worker_api import LayerChanged, LayersWanted
from signaling.grants import device_grants, room_grants, viewer_grants
from tests.signaling.conftest import RoomClient, World
from tests.signaling.room_people import Kind, enter, person, until
from tests.signaling.worker_double import Transport


def view(track_id: str, width: int = 640, height: int = 360, *, focus: bool = False) -> ShownView:
    return ShownView(track_id=track_id, width=width, height=height, focus=focus)


async def subscribe(client: RoomClient) -> messages.Offer:
    """A fresh connection, answered."""
    await client.send(messages.Subscribe())
    offer: messages.Offer = await client.next(messages.Offer)
    await client.send(messages.Answer(revision=offer.revision, sdp="v=0 answer"))
    return offer


async def camera_and_viewer(
    world: World, grants: Grants | None = None
) -> tuple[RoomClient, messages.Published, RoomClient, messages.Welcome]:
    speaker, _ = await world.join("u_1", "specialist")
    published = await world.publish(speaker, "video/camera", "video/screen")
    viewer, welcome = await world.join("u_2", "specialist", grants)
    return speaker, published, viewer, welcome


def shown(transport: Transport) -> list[tuple[str, int, bool]]:
    """What the worker was told last: track, width, focus."""
    return [(item.track_id, item.width, item.focus) for item in transport.views[-1].views]


async def test_what_a_member_shows_reaches_the_worker(world: World) -> None:
    _, published, viewer, _ = await camera_and_viewer(world)
    camera, screen = (track.track_id for track in published.tracks)
    await subscribe(viewer)
    views = [view(camera, 1280, 720, focus=True), view(screen, 320, 180)]
    await viewer.send(messages.SetView(views=views))
    transport = world.worker.only("subscribe")
    assert transport.wanted.adaptive
    await until(lambda: bool(transport.views))
    assert shown(transport) == [(camera, 1280, True), (screen, 320, False)]


async def test_said_before_there_is_a_connection_it_is_told_with_the_first(world: World) -> None:
    _, published, viewer, _ = await camera_and_viewer(world)
    camera = published.tracks[0].track_id
    await viewer.send(messages.SetView(views=[view(camera)]))
    await subscribe(viewer)
    transport = world.worker.only("subscribe")
    await until(lambda: bool(transport.views))
    assert shown(transport) == [(camera, 640, False)]


async def test_only_tracks_of_this_room_that_a_member_may_see_are_passed_on(world: World) -> None:
    box = world.room_token("device:box", "device", device_grants(["ultrasound", "theatre"]))
    for feed in ("ultrasound", "theatre"):
        assert (await world.whip(feed, box)).status == 201
    viewer, welcome = await world.join("u_2", "specialist", viewer_grants(["theatre"]))
    (seen,) = [track.track_id for track in welcome.tracks]
    (hidden,) = set(world.context.service.rooms["demo"].tracks) - {seen}
    await subscribe(viewer)
    await viewer.send(messages.SetView(views=[view(hidden), view("k_nowhere"), view(seen)]))
    transport = world.worker.only("subscribe")
    await until(lambda: bool(transport.views))
    assert shown(transport) == [(seen, 640, False)]


async def test_a_picture_that_comes_later_is_shown_as_was_said(world: World) -> None:
    """A page may know of a track a moment before its seat may see it."""
    speaker, _ = await world.join("u_1", "specialist")
    viewer, _ = await world.join("u_2", "specialist", room_grants("specialist"))
    await subscribe(viewer)
    published = await world.publish(speaker, "video/camera")
    track_id = published.tracks[0].track_id
    await viewer.send(messages.SetView(views=[view(track_id)]))
    transport = world.worker.only("subscribe")
    await until(lambda: bool(transport.views) and bool(transport.views[-1].views))
    assert shown(transport) == [(track_id, 640, False)]


async def test_of_a_flood_the_newest_counts_and_the_worker_hears_little(world: World) -> None:
    _, published, viewer, _ = await camera_and_viewer(world)
    camera = published.tracks[0].track_id
    await subscribe(viewer)
    for width in range(100, 200):
        await viewer.send(messages.SetView(views=[view(camera, width)]))
    transport = world.worker.only("subscribe")
    await until(lambda: bool(transport.views) and shown(transport) == [(camera, 199, False)])
    assert len(transport.views) < 20
    assert not any(isinstance(message, messages.Error) for message in await viewer.sync())


async def test_a_view_beyond_its_bounds_is_refused_and_the_last_one_stays(world: World) -> None:
    _, published, viewer, _ = await camera_and_viewer(world)
    camera = published.tracks[0].track_id
    await subscribe(viewer)
    await viewer.send(messages.SetView(views=[view(camera)]))
    transport = world.worker.only("subscribe")
    await until(lambda: bool(transport.views))
    for bad in (
        {"type": "set_view", "views": [{"track_id": "k", "width": 1, "height": 1}] * 65},
        {"type": "set_view", "views": [{"track_id": "k", "width": -1, "height": 1}]},
        {"type": "set_view", "views": [{"track_id": "k", "width": 1, "height": 1_000_000}]},
    ):
        await viewer.socket.send_json(bad)
        assert (await viewer.next(messages.Error)).about == "set_view"
    assert len(transport.views) == 1


async def test_a_worker_that_could_not_take_it_is_told_again(world: World) -> None:
    _, published, viewer, _ = await camera_and_viewer(world)
    world.worker.refuse_views = 2
    await subscribe(viewer)
    await viewer.send(messages.SetView(views=[view(published.tracks[0].track_id)]))
    transport = world.worker.only("subscribe")
    await until(lambda: bool(transport.views))


async def test_a_new_worker_is_told_what_is_shown_without_asking_the_viewer(world: World) -> None:
    box = world.room_token("device:box", "device", device_grants(["ultrasound"]))
    viewer, _ = await world.join("u_2", "specialist")
    await subscribe(viewer)
    await viewer.send(messages.SetView(views=[]))
    before = world.worker.only("subscribe")
    await until(lambda: bool(before.views))
    await world.worker.crash()
    await viewer.next(messages.MediaReset)
    await world.worker.start()
    await until(lambda: bool(world.context.service.pool.connected))
    assert (await world.whip("ultrasound", box)).status == 201
    await subscribe(viewer)
    after = world.worker.only("subscribe")
    assert after is not before
    await until(lambda: bool(after.views))


async def test_a_resumed_seat_shows_what_it_showed(world: World) -> None:
    _, published, viewer, welcome = await camera_and_viewer(world)
    camera = published.tracks[0].track_id
    await viewer.send(messages.SetView(views=[view(camera)]))
    await viewer.drop()
    back = await world.connect(None, messages.Hello(resume_token=welcome.resume_token))
    await back.next(messages.Welcome)
    await subscribe(back)
    transport = world.worker.only("subscribe")
    await until(lambda: bool(transport.views))
    assert shown(transport) == [(camera, 640, False)]


async def test_a_recorder_gets_the_best_there_is_whatever_it_shows(world: World) -> None:
    recorder, _ = await world.join("service:recorder", "recorder", room_grants("recorder"))
    await subscribe(recorder)
    assert not world.worker.only("subscribe").wanted.adaptive


async def test_a_viewer_is_told_once_which_layer_it_gets_and_nobody_else_is(world: World) -> None:
    speaker, published, viewer, _ = await camera_and_viewer(world)
    camera = published.tracks[0].track_id
    offer = await subscribe(viewer)
    event = LayerChanged(transport_id=offer.transport_id, track_id=camera, layer="q", lowered="network")
    for _ in range(2):
        await world.worker.emit(event)
    await world.worker.emit(event.model_copy(update={"layer": None}))
    told = [await viewer.next(messages.LayerChanged) for _ in range(2)]
    assert told == [
        messages.LayerChanged(track_id=camera, layer="q", lowered="network"),
        messages.LayerChanged(track_id=camera, layer=None, lowered="network"),
    ]
    assert not any(isinstance(message, messages.LayerChanged) for message in await speaker.sync())


async def test_who_was_away_is_told_its_layers_again(world: World) -> None:
    _, published, viewer, welcome = await camera_and_viewer(world)
    camera = published.tracks[0].track_id
    offer = await subscribe(viewer)
    await world.worker.emit(LayerChanged(transport_id=offer.transport_id, track_id=camera, layer="q"))
    told = await viewer.next(messages.LayerChanged)
    await viewer.drop()
    back = await world.connect(None, messages.Hello(resume_token=welcome.resume_token))
    assert await back.next(messages.LayerChanged) == told


async def test_layers_of_a_connection_before_are_not_told(world: World) -> None:
    _, published, viewer, _ = await camera_and_viewer(world)
    camera = published.tracks[0].track_id
    old = await subscribe(viewer)
    new = await subscribe(viewer)
    for offer, layer in ((old, "q"), (new, "f")):
        await world.worker.emit(LayerChanged(transport_id=offer.transport_id, track_id=camera, layer=layer))
    assert (await viewer.next(messages.LayerChanged)).layer == "f"


async def test_a_publisher_is_told_what_is_wanted_of_it_and_again_when_it_is_back(world: World) -> None:
    speaker, welcome = await world.join("u_1", "specialist")
    other, _ = await world.join("u_2", "specialist")
    published = await world.publish(speaker, "video/camera")
    track_id = published.tracks[0].track_id
    for rids in (["q"], ["q", "f"], ["q", "f"]):
        await world.worker.emit(
            LayersWanted(transport_id=published.transport_id, track_id=track_id, rids=rids)
        )
    told = [await speaker.next(messages.LayersWanted) for _ in range(2)]
    assert [item.rids for item in told] == [["q"], ["q", "f"]]
    await speaker.drop()
    back = await world.connect(None, messages.Hello(resume_token=welcome.resume_token))
    assert await back.next(messages.LayersWanted) == told[1]
    assert not any(isinstance(message, messages.LayersWanted) for message in await back.sync())
    assert not any(isinstance(message, messages.LayersWanted) for message in await other.sync())


async def test_a_box_is_told_what_is_wanted_of_its_feeds_also_when_it_joins_after_them(world: World) -> None:
    box = world.room_token("device:box", "device", device_grants(["ultrasound"]))
    assert (await world.whip("ultrasound", box)).status == 201
    transport = world.worker.only("publish")
    track_id = transport.tracks[0].track_id
    wanted = LayersWanted(transport_id=transport.wanted.transport_id, track_id=track_id, rids=["q"])
    await world.worker.emit(wanted)
    (use,) = world.context.service.uses.values()
    await until(lambda: bool(use.layers_wanted))
    seat = await world.connect(box)
    await seat.next(messages.Welcome)
    assert await seat.next(messages.LayersWanted) == messages.LayersWanted(track_id=track_id, rids=["q"])
    await world.worker.emit(wanted.model_copy(update={"rids": ["f", "q"]}))
    assert (await seat.next(messages.LayersWanted)).rids == ["f", "q"]


async def test_the_site_s_cameras_show_the_room_those_of_others_a_face(world: World) -> None:
    cases: tuple[tuple[Kind, bool], ...] = (("host", True), ("invited", False))
    for kind, on_site in cases:
        client, _ = await enter(world, person(world, kind))
        published = await world.publish(client, "video/camera")
        assert world.worker.transports[published.transport_id].wanted.on_site is on_site
