"""What a box's device delivers is told to whoever sees the feed, and to who comes later."""

from __future__ import annotations

from core import messages
from tests.signaling.conftest import World
from tests.signaling.room_people import enter, person

FEED = "ultrasound"
LOST = messages.FeedSignal(state="none", trouble="no_signal")
BACK = messages.FeedSignal(width=1280, height=720)


async def test_a_lost_and_another_signal_are_told_to_all_who_see_the_feed_from_its_own_box_alone(
    world: World,
) -> None:
    box_person = person(world, "device", name=f"device:{FEED}")
    assert (await world.whip(FEED, box_person.token)).status == 201
    box, _ = await enter(world, box_person)
    watchers = [(await enter(world, person(world, kind)))[0] for kind in ("invited", "recorder", "viewer")]
    for signal in (LOST, BACK):
        await box.send(messages.SetSignal(feed=FEED, signal=signal))
        for watcher in watchers:
            told = await watcher.next(messages.TrackChanged)
            assert (told.track.feed, told.track.signal) == (FEED, signal)
    await box.send(messages.SetSignal(feed=FEED, signal=BACK))
    assert not any(isinstance(message, messages.TrackChanged) for message in await watchers[0].sync())
    _, welcome = await enter(world, person(world, "host"))
    assert [track.signal for track in welcome.tracks] == [BACK]
    stranger, _ = await enter(world, person(world, "device", name="device:other"))
    await stranger.send(messages.SetSignal(feed=FEED, signal=LOST))
    assert (await stranger.next(messages.Error)).code == "feed_not_found"
