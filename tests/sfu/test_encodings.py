"""Encodings nobody watches rest at the source; nothing looks dead, and who comes sees something at once."""

from __future__ import annotations

import pytest

from tests.sfu.rig import follow_each_other
from tests.sfu.simulcast import simulcast


def test_what_nobody_wants_rests_after_five_seconds_but_never_the_smallest() -> None:
    _, camera = simulcast()
    camera.run(4.8)
    assert camera.wanted == []
    camera.run(0.4)
    assert camera.wanted == [["q"]]
    camera.run(10)
    assert camera.wanted == [["q"]]


def test_a_track_lives_and_its_resting_layers_can_still_be_had() -> None:
    rig, camera = simulcast()
    rig.producer.live_change(rig.now_ns)
    camera.run(20)
    assert not camera.encoders["f"].on
    assert rig.producer.live_change(rig.now_ns) is True
    camera.run(20)
    assert rig.producer.live_change(rig.now_ns) is None, "it did not flip"
    assert [option.rid for option in rig.producer.options] == ["f", "h", "q"]
    assert rig.producer.best.rid == "f"


def test_a_wanted_layer_goes_on_and_the_others_rest() -> None:
    rig, camera = simulcast()
    camera.run(1)
    view = rig.view(adaptive=True)
    view.consumer.want(camera.layer("h"), rig.now_ns)
    camera.run(10)
    assert camera.wanted == [["h", "q"]]


def test_who_wants_a_resting_layer_sees_the_smallest_at_once_and_it_wakes_at_the_next_tick() -> None:
    rig, camera = simulcast()
    camera.run(10)
    view = rig.view(adaptive=True)
    view.consumer.want(camera.layer("f"), rig.now_ns)
    camera.step()
    assert camera.wanted[-1] == ["f", "q"]
    camera.run(0.2)
    assert view.packets, "a keyframe of the smallest"
    camera.run(0.5)
    assert view.consumer.active is camera.layer("f")
    assert follow_each_other(view.numbers)


def test_a_follower_of_the_best_wakes_it_too() -> None:
    rig, camera = simulcast()
    camera.run(10)
    view = rig.view()
    camera.run(1)
    assert view.consumer.active is camera.layer("f")
    assert camera.wanted[-1] == ["f", "q"]


def test_when_its_last_viewer_goes_a_layer_rests_again() -> None:
    rig, camera = simulcast()
    camera.run(1)
    view = rig.view(adaptive=True)
    view.consumer.want(camera.layer("f"), rig.now_ns)
    camera.run(1)
    view.consumer.stop()
    camera.run(10)
    assert camera.wanted[-1] == ["q"]
    assert not camera.layer("f").consumers


def test_a_layer_the_publisher_cannot_send_is_no_choice_after_a_while_but_stays_wanted() -> None:
    rig, camera = simulcast()
    camera.run(10)
    camera.obeys = False
    view = rig.view(adaptive=True)
    view.consumer.want(camera.layer("f"), rig.now_ns)
    camera.run(2.5)
    assert rig.producer.encodings.can_have(camera.layer("f"), rig.now_ns)
    camera.run(1)
    assert not rig.producer.encodings.can_have(camera.layer("f"), rig.now_ns)
    view.consumer.want(camera.layer("q"), rig.now_ns)
    camera.run(10)
    assert "f" in rig.producer.encodings.wanted
    camera.encoders["f"].on = True
    camera.run(0.2)
    assert rig.producer.encodings.can_have(camera.layer("f"), rig.now_ns)


def test_a_layer_its_publisher_drops_is_missed_within_a_second() -> None:
    rig, camera = simulcast()
    camera.run(3)
    camera.encoders["f"].on = False
    camera.run(0.8)
    assert [option.rid for option in rig.producer.options] == ["h", "q"]
    assert rig.producer.best.rid == "h"


def test_when_only_rested_layers_are_left_they_wake() -> None:
    _, camera = simulcast()
    camera.run(10)
    camera.encoders["q"].on = False
    camera.run(2.5)
    assert camera.wanted[-1] == ["f", "h", "q"]


def test_a_silent_track_keeps_its_choices() -> None:
    rig, camera = simulcast(("f",))
    camera.run(3)
    before = rig.producer.options
    camera.encoders["f"].on = False
    camera.run(10)
    assert rig.producer.options == before


def test_a_track_without_simulcast_is_never_rested() -> None:
    _, camera = simulcast(("f",))
    camera.run(20)
    assert camera.wanted == []


def test_a_publisher_that_does_not_listen_loses_nothing() -> None:
    """WHIP has no way to tell it."""
    rig, camera = simulcast()
    camera.obeys = False
    camera.run(10)
    view = rig.view(adaptive=True)
    view.consumer.want(camera.layer("f"), rig.now_ns)
    camera.run(1)
    assert view.consumer.active is camera.layer("f")


def test_the_bit_rate_of_a_rested_layer_is_remembered() -> None:
    rig, camera = simulcast()
    camera.run(20)
    (full, *_) = rig.producer.options
    assert abs(full.bitrate_bps - 3_000_000) < 300_000
    assert full.pixels == 1920 * 1080


def test_a_source_that_sends_less_than_it_did_or_could_lacks_something() -> None:
    rig, camera = simulcast()
    camera.run(2)
    assert not rig.producer.lacks(1920 * 1080)
    camera.encoders["f"].on = False
    camera.run(1)
    assert rig.producer.lacks(1920 * 1080)
    assert not rig.producer.lacks(960 * 540), "what is shown wants no more"


def test_an_archive_begins_with_the_large_picture_though_the_small_one_comes_first() -> None:
    rig, camera = simulcast()
    view = rig.view()
    camera.encoders["f"].on = camera.encoders["h"].on = False
    camera.run(0.2)
    assert not view.packets
    camera.encoders["f"].on = True
    camera.run(0.1)
    assert view.consumer.active is camera.layer("f")


@pytest.mark.parametrize("rids", [("f", "h", "q"), ("q", "h", "f")])
def test_an_archive_that_has_the_large_picture_does_not_wait_for_the_small_one(rids: tuple[str, ...]) -> None:
    rig, camera = simulcast(rids)
    view = rig.view()
    camera.encoders["q"].on = camera.encoders["h"].on = False
    camera.step()
    assert view.consumer.active is camera.layer("f")
    camera.encoders["q"].on = camera.encoders["h"].on = True
    for _ in range(10):
        camera.step()
        assert rig.producer.best is camera.layer("f")
        assert view.consumer.active is camera.layer("f")


@pytest.mark.parametrize("rids", [("f", "h", "q"), ("q", "h", "f")])
def test_the_large_picture_may_begin_most_of_a_second_after_the_small_one(rids: tuple[str, ...]) -> None:
    rig, camera = simulcast(rids)
    view = rig.view()
    camera.encoders["f"].on = camera.encoders["h"].on = False
    camera.run(0.9)
    assert not view.packets
    camera.encoders["f"].on = True
    camera.step()
    assert view.consumer.active is camera.layer("f"), "with its first keyframe"


def test_an_archive_takes_the_small_picture_when_no_other_comes() -> None:
    rig, camera = simulcast()
    view = rig.view()
    camera.encoders["f"].on = camera.encoders["h"].on = False
    camera.run(1.2)
    assert view.consumer.active is camera.layer("q")
    camera.encoders["f"].on = True
    camera.run(1.5)
    assert view.consumer.active is camera.layer("f")
