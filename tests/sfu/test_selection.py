"""An adaptive viewer: what it shows and what its network carries decide; it is told, and sees no seam."""

from __future__ import annotations

from itertools import pairwise

from core.worker_api import TrackView
from sfu.allocation import UNLIMITED_BPS
from sfu.selection import Selection, Sent
from tests.sfu.rig import MS, Rig, View, follow_each_other, frames
from tests.sfu.simulcast import RIDS, Camera, simulcast

K, M = 1_000, 1_000_000


class Watcher:
    """One viewer of one camera, looked after every 200 ms."""

    def __init__(self, rig: Rig, camera: Camera, budget_bps: int = UNLIMITED_BPS) -> None:
        self.rig = rig
        self.camera = camera
        self.budget_bps = budget_bps
        self.selection = Selection()
        self.view: View = rig.view(adaptive=True, track_id=rig.producer.identity.track_id)
        self.told: list[Sent] = []
        self.shown_rids: set[str | None] = set()

    def show(self, width: int, height: int, *, focus: bool = False) -> None:
        self.selection.show([TrackView(track_id="track", width=width, height=height, focus=focus)])
        self.look()

    def look(self) -> None:
        news = self.selection.update([self.view.consumer], self.budget_bps, self.rig.now_ns)
        self.told += [sent for _, sent in news]

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds * 5)):
            self.camera.run(0.2)
            self.look()

    @property
    def rid(self) -> str | None:
        active = self.view.consumer.active
        return None if active is None else active.rid

    def longest_wait_ns(self, since: int = 0) -> int:
        """Between two packets, as their timestamps tell."""
        stamps = [packet.timestamp for packet in self.view.media()[since:]]
        return max(b - a for a, b in pairwise(stamps)) * 1_000 * MS // 90_000


def watched(track_id: str = "track", rids: tuple[str, ...] = RIDS) -> Watcher:
    rig, camera = simulcast(rids, track_id=track_id)
    camera.run(2)
    return Watcher(rig, camera)


def test_before_the_viewer_says_anything_every_picture_counts_as_shown_small() -> None:
    watcher = watched()
    watcher.run(1)
    assert watcher.rid == "h", "640 × 360 wants more than 480 × 270"
    assert watcher.told == [Sent("h", None)]


def test_the_layer_follows_the_size_shown() -> None:
    watcher = watched()
    watcher.show(1920, 1080, focus=True)
    watcher.run(1)
    assert watcher.rid == "f"
    watcher.show(400, 225)
    watcher.run(1)
    assert watcher.rid == "q"
    watcher.selection.show([])
    watcher.run(1)
    assert watcher.rid == "q", "what is not shown gets the smallest"
    assert watcher.told == [Sent("f", None), Sent("q", None)]
    assert follow_each_other(watcher.view.numbers)


def test_while_a_new_layers_keyframe_is_awaited_the_old_one_goes_on() -> None:
    watcher = watched()
    watcher.show(400, 225)
    watcher.run(1)
    watcher.camera.encoders["f"].keyframe_wanted = False
    before = len(watcher.view.packets)
    watcher.show(1920, 1080)
    assert watcher.camera.layer("f").keyframes.wanted
    watcher.run(3)
    assert watcher.rid == "f"
    assert watcher.longest_wait_ns(before) <= 60 * MS
    assert follow_each_other(watcher.view.numbers)
    assert watcher.view.errors == []


def test_a_tight_network_lowers_the_layer_and_says_so_and_a_wide_one_raises_it_again() -> None:
    watcher = watched()
    watcher.show(1920, 1080, focus=True)
    watcher.run(2)
    watcher.budget_bps = 1_500 * K
    watcher.run(2)
    assert watcher.rid == "h"
    assert watcher.told[-1] == Sent("h", "network")
    watcher.budget_bps = 8 * M
    watcher.run(3)
    assert watcher.rid == "f"
    assert watcher.told[-1] == Sent("f", None)
    assert follow_each_other(watcher.view.numbers)


def test_what_does_not_fit_at_all_is_paused_and_named_and_comes_back_without_a_gap() -> None:
    watcher = watched(rids=("f",))
    watcher.run(1)
    watcher.budget_bps = 1_500 * K
    watcher.run(0.4)
    assert watcher.told[-1] == Sent(None, "network")
    before = len(watcher.view.packets)
    watcher.run(2)
    assert len(watcher.view.packets) == before
    watcher.budget_bps = 8 * M
    watcher.run(3)
    assert watcher.told[-1] == Sent("f", None)
    assert follow_each_other(watcher.view.numbers)


def test_an_estimate_that_is_a_little_low_for_a_moment_darkens_nothing() -> None:
    watcher = watched(rids=("f",))
    watcher.show(400, 225)
    watcher.run(1)
    watcher.budget_bps = 2_400 * K
    watcher.run(2.2)
    assert watcher.told[-1] == Sent("f", None)
    watcher.budget_bps = 4_800 * K
    watcher.run(1)
    watcher.budget_bps = 2_400 * K
    watcher.run(2.2)
    assert watcher.told[-1] == Sent("f", None)
    watcher.run(1)
    assert watcher.told[-1] == Sent(None, "network")


def test_the_smallest_layer_of_the_only_picture_goes_on_whatever_an_estimate_says() -> None:
    watcher = watched()
    watcher.show(1920, 1080, focus=True)
    watcher.run(1)
    watcher.budget_bps = 50 * K
    watcher.run(5)
    assert watcher.rid == "q"
    assert watcher.told[-1] == Sent("q", "network")
    assert watcher.longest_wait_ns() < 300 * MS


def test_what_the_publisher_dropped_is_named_as_the_sources_doing() -> None:
    watcher = watched()
    watcher.show(1920, 1080)
    watcher.run(1)
    watcher.camera.encoders["f"].on = False
    watcher.run(3)
    assert watcher.told[-1] == Sent("h", "source")
    watcher.camera.encoders["f"].on = True
    watcher.run(3)
    assert watcher.told[-1] == Sent("f", None)


def test_layers_only_this_viewer_wanted_rest_when_the_network_lowers_it() -> None:
    watcher = watched()
    watcher.show(1920, 1080)
    watcher.run(8)
    assert watcher.camera.wanted[-1] == ["f", "q"]
    watcher.budget_bps = 400 * K
    watcher.run(8)
    assert watcher.camera.wanted[-1] == ["q"]
    watcher.budget_bps = 8 * M
    watcher.run(3)
    assert watcher.camera.wanted[-1] == ["f", "q"]
    assert watcher.rid == "f"


def test_a_picture_without_simulcast_is_named_by_the_empty_rid() -> None:
    rig = Rig()
    view = rig.view(adaptive=True)
    rig.receive(*frames(1, 2))
    rig.producer.choose(rig.now_ns)
    selection = Selection()
    selection.update([view.consumer], UNLIMITED_BPS, rig.now_ns)
    view.consumer.catch_up(rig.now_ns)
    assert selection.update([view.consumer], UNLIMITED_BPS, rig.now_ns + 200 * MS) == []
    assert selection.sent == {"track": Sent("", None)}


def test_a_viewer_who_comes_before_the_first_packet_gets_what_comes_first() -> None:
    rig, camera = simulcast()
    watcher = Watcher(rig, camera)
    watcher.look()
    for rid in "fh":
        camera.encoders[rid].on = False
    watcher.run(1)
    assert watcher.rid == "q"
    assert watcher.told[-1].layer == "q"


def test_sound_is_left_alone() -> None:
    rig = Rig(kind="audio", codec="opus", clock_rate=48_000)
    view = rig.view(kind="audio", codec="opus", clock_rate=48_000)
    selection = Selection()
    assert selection.update([view.consumer], 0, rig.now_ns) == []
    assert view.consumer.target is rig.layer


def test_two_cameras_under_a_squeeze_get_the_best_set_that_fits() -> None:
    one, two = watched(), watched("other")
    selection = Selection()
    views = [
        TrackView(track_id="track", width=1920, height=1080, focus=True),
        TrackView(track_id="other", width=1920, height=1080),
    ]
    selection.show(views)
    for budget_bps, expected in [(8 * M, "ff"), (1_500 * K, "hq"), (600 * K, "qq"), (8 * M, "ff")]:
        for _ in range(25):
            one.camera.run(0.2)
            two.camera.run(0.2)
            selection.update([one.view.consumer, two.view.consumer], budget_bps, one.rig.now_ns)
        assert [one.rid, two.rid] == list(expected)
    assert follow_each_other(one.view.numbers)
    assert follow_each_other(two.view.numbers)
