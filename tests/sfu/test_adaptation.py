"""Whole subscriber sessions over impaired links, in simulated time: squeezed, lossy, silent, side by side."""

from __future__ import annotations

import pytest

from core.worker_api import LayerChanged
from rtp.rtcp import Remb
from tests.sfu.narrowing import VOICE_BYTES, VOICE_S
from tests.sfu.simulated import Stage, Viewer
from tests.support.link import Impairment

pytestmark = pytest.mark.interpreted

M = 1_000_000
LARGE = (1920, 1080)


def wide(rate_bps: int = 20 * M, **changes: float) -> Impairment:
    shape: dict[str, float] = {"delay_ms": 20, "jitter_ms": 3, "queue_ms": 200}
    return Impairment(rate_bps=rate_bps, **(shape | changes))  # type: ignore[arg-type]  # floats all


def staged(link: Impairment, *tracks: str, seed: int = 1, feedback: bool = True) -> tuple[Stage, Viewer]:
    """Cameras that run, and one viewer who shows them all at full size, the first in focus."""
    stage = Stage(seed)
    for track_id in tracks:
        stage.camera(track_id)
    stage.run(3)
    return stage, joined(stage, "viewer", link, *tracks, feedback=feedback)


def joined(stage: Stage, name: str, link: Impairment, *tracks: str, feedback: bool = True) -> Viewer:
    viewer = stage.viewer(name, link, feedback=feedback)
    viewer.join(*tracks)
    viewer.show(*((track_id, *LARGE, track_id == tracks[0]) for track_id in tracks))
    return viewer


def test_on_a_wide_link_everything_comes_in_full_within_three_seconds() -> None:
    stage, viewer = staged(wide(50 * M), "a", "b")
    stage.run(3)
    assert viewer.layers() == {"a": "f", "b": "f"}
    stage.run(10)
    assert viewer.layers() == {"a": "f", "b": "f"}
    assert viewer.lost == 0
    assert viewer.longest_freeze_s("a", 4, stage.seconds) < 0.2


def test_a_squeeze_picks_the_best_set_that_fits_and_lets_go_again() -> None:
    stage, viewer = staged(wide(8 * M), "a", "b")
    stage.run(8)
    assert viewer.layers() == {"a": "f", "b": "f"}
    down_s = stage.seconds
    viewer.link.impairment = wide(1_500_000)
    stage.run(4)
    assert viewer.layers() == {"a": "h", "b": "q"}
    stage.run(6)
    assert viewer.layers() == {"a": "h", "b": "q"}
    up_s = stage.seconds
    viewer.link.impairment = wide(8 * M)
    stage.run(5)
    assert viewer.layers() == {"a": "f", "b": "f"}
    for track_id in "ab":
        assert viewer.longest_freeze_s(track_id, down_s, down_s + 3) <= 1.5
        assert viewer.longest_freeze_s(track_id, down_s + 3, up_s) <= 0.5
        assert viewer.longest_freeze_s(track_id, up_s, stage.seconds) <= 0.5
    assert [why for _, _, why in viewer.told("a")][-1] is None


def test_a_viewer_at_500_kbit_beside_one_at_20_mbit_costs_the_other_nothing() -> None:
    alone_stage, alone = staged(wide(20 * M), "a", "b")
    alone_stage.run(15)
    stage, rich = staged(wide(20 * M), "a", "b")
    poor = joined(stage, "poor", wide(500_000), "a", "b")
    stage.run(15)
    assert rich.layers() == {"a": "f", "b": "f"}
    assert rich.lost == alone.lost == 0
    assert abs(rich.received_bytes - alone.received_bytes) < 0.05 * alone.received_bytes
    assert (
        rich.longest_freeze_s("a", 4, stage.seconds) <= alone.longest_freeze_s("a", 4, stage.seconds) + 0.05
    )
    assert poor.layers()["a"] == "q"
    assert poor.longest_freeze_s("a", 8, stage.seconds) < 1.0, "and the poor one sees a moving picture"
    keyframes = sum(encoder.keyframes for encoder in stage.cameras[0].encoders.values())
    assert keyframes < 20, "its troubles do not make the camera pulse"


@pytest.mark.parametrize("settled_s", [1.0, 8.0, 8.37])
def test_a_way_that_suddenly_carries_little_more_than_the_smallest_layers_loses_no_sound_after_a_second(
    settled_s: float,
) -> None:
    stage, viewer = staged(wide(20 * M), "a", "b")
    stage.run(settled_s)
    viewer.link.impairment = wide(600_000)
    down_s, lost = stage.seconds, 0
    while stage.seconds < down_s + 10:
        stage.run(VOICE_S)
        heard = viewer.link.arrival_ns(
            VOICE_BYTES, stage.clock.now_ns
        )  # of somebody who speaks, on the same way
        lost += heard is None and stage.seconds > down_s + 1
    assert lost == 0, "the queue is emptied, not kept full"
    assert viewer.layers()["a"] == "q"
    assert viewer.longest_freeze_s("a", down_s, down_s + 3) <= 1.5
    assert viewer.longest_freeze_s("a", down_s + 3, stage.seconds) <= 0.3
    assert max(viewer.pictures["a"].ages(down_s + 3)) < 0.6, "what is shown is not old"


def test_a_single_large_layer_that_does_not_fit_is_let_go_and_named_and_the_small_one_beside_it_lives() -> (
    None
):
    stage = Stage()
    stage.camera("large", ("f",))
    stage.camera("small")
    stage.run(3)
    viewer = stage.viewer("viewer", wide(1_500_000))
    viewer.join("large", "small")
    viewer.show(("large", *LARGE, False), ("small", *LARGE, True))
    stage.run(10)
    assert viewer.told("large")[-1][1:] == (None, "network")
    assert viewer.layers()["small"] == "h"
    assert viewer.longest_freeze_s("small", 8, stage.seconds) < 0.5


def test_five_percent_of_random_loss_costs_no_layer() -> None:
    stage, viewer = staged(wide(20 * M, loss=0.05), "a")
    stage.run(20)
    assert viewer.layers() == {"a": "f"}
    shown = [at for at in viewer.pictures["a"].frames if at > 6]
    assert len(shown) >= 0.97 * (stage.seconds - 6) * 25


def test_loss_is_not_ours_where_little_is_sent_and_pictures_without_layers_go_on_repaired() -> None:
    stage = Stage()
    for track_id in ("a", "b"):
        stage.camera(track_id, ("h",))
    stage.run(3)
    viewer = joined(stage, "viewer", Impairment(delay_ms=40), "a", "b")
    stage.run(5)
    viewer.link.impairment = Impairment(delay_ms=40, loss=0.05)
    since_s = stage.seconds
    stage.run(15)
    assert viewer.layers() == {"a": "h", "b": "h"}
    for track_id in ("a", "b"):
        shown = [at for at in viewer.pictures[track_id].frames if at > since_s]
        assert len(shown) >= 0.97 * 15 * 25
    assert viewer.session.stats()["refused"] == 0


def test_without_feedback_nothing_is_limited_until_reports_show_loss() -> None:
    stage, viewer = staged(wide(20 * M), "a", "b", feedback=False)
    stage.run(6)
    assert viewer.layers() == {"a": "f", "b": "f"}
    assert viewer.session.stats()["budget_bps"] is None
    viewer.link.impairment = wide(2 * M)
    stage.run(15)
    assert viewer.session.stats()["budget_bps"] < 4 * M
    assert viewer.layers()["a"] != "f"


def test_a_remb_limits_a_viewer_that_gives_no_other_feedback() -> None:
    stage, viewer = staged(wide(20 * M), "a", "b", feedback=False)
    stage.run(3)
    viewer.say(Remb(1, 1_400_000, ()))
    stage.run(2)
    assert viewer.layers() == {"a": "h", "b": "q"}


def test_a_network_that_is_gone_for_five_seconds_gives_the_picture_back_within_one() -> None:
    stage, viewer = staged(wide(20 * M), "a")
    stage.run(5)
    viewer.cut(True)
    stage.run(5)
    viewer.cut(False)
    back_s = stage.seconds
    stage.run(5)
    assert viewer.longest_freeze_s("a", back_s, stage.seconds) <= 1.0
    assert viewer.layers() == {"a": "f"}


def test_probes_travel_on_the_repair_stream_and_cost_no_number_a_viewer_misses() -> None:
    stage, viewer = staged(wide(8 * M), "a", "b")
    stage.run(2)
    viewer.link.impairment = wide(1_500_000)
    stage.run(6)
    viewer.link.impairment = wide(8 * M)
    stage.run(6)
    assert viewer.session.stats()["padding"] > 0
    nacked = viewer.nacked
    stage.run(6)
    assert viewer.nacked == nacked, "nothing is missed"


def test_a_subscriber_that_is_not_adaptive_always_gets_the_best() -> None:
    """So recorders: a bad network never lowers the archive."""
    stage = Stage()
    stage.camera("a")
    stage.run(3)
    recorder = stage.viewer("recorder", wide(500_000), adaptive=False)
    recorder.join("a")
    stage.run(10)
    (consumer,) = stage.cameras[0].rig.producer.consumers
    assert consumer.active is not None
    assert consumer.active.rid == "f"
    assert not [event for _, event in stage.events if isinstance(event, LayerChanged)]
    assert "f" in stage.cameras[0].rig.producer.encodings.wanted


def test_a_pause_of_the_site_leaves_nothing_waiting() -> None:
    """What waits for its turn when picture and sound are paused is never sent."""
    stage, viewer = staged(wide(2 * M), "a")
    stage.run(4)
    camera = stage.cameras[0]
    camera.encoders["f"].keyframe_factor = camera.encoders["h"].keyframe_factor = 40
    for encoder in camera.encoders.values():
        encoder.keyframe_wanted = True
    waiting = viewer.session.stats
    while not waiting()["waiting_bytes"]:
        stage.run(0.005)
    camera.rig.producer.set_paused(True, stage.clock.now_ns)
    stage.run(0.1)
    received = viewer.received_media
    stage.run(2)
    assert viewer.received_media == received


def test_where_viewers_are_not_limited_the_shown_size_alone_decides() -> None:
    stage = Stage()
    stage.limit_viewers = False
    for track_id in ("a", "b"):
        stage.camera(track_id)
    stage.run(3)
    viewer = stage.viewer("viewer", wide(500_000))
    viewer.join("a", "b")
    viewer.show(("a", *LARGE, True), ("b", 320, 180, False))
    stage.run(10)
    assert viewer.layers() == {"a": "f", "b": "q"}
