"""Sources deliver yuv420p in the feed's size, on time, and say when they cannot."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from core.clock import NS_PER_S, SystemClock
from edge_agents import timecode
from edge_agents.config import FeedConfig
from edge_agents.encoder import VideoEncoder
from edge_agents.layers import Encoding
from edge_agents.sources import CapturedFrame, Instant, SourceError, open_source
from edge_agents.sources import clip as clip_module
from edge_agents.sources.base import ticks
from edge_agents.sources.builtin import builtin_clip_path
from edge_agents.sources.clip import ClipSource, read_clip
from edge_agents.sources.container import RateGate, describe_input
from edge_agents.sources.devices import list_sources
from edge_agents.sources.facts import Facts
from edge_agents.sources.picture import from_bgr, planes_of
from edge_agents.sources.testcard import TestcardSource
from tests.edge.rtsp_server import camera
from tests.edge.support import StepClock


class StepEvent(threading.Event):
    """`wait` lets the clock run instead of waiting."""

    def __init__(self, clock: StepClock) -> None:
        super().__init__()
        self._clock = clock

    def wait(self, timeout: float | None = None) -> bool:
        self._clock.advance(round((timeout or 0) * NS_PER_S))
        return self.is_set()


def feed(source: dict[str, object], width: int = 320, height: int = 180, fps: int = 30) -> FeedConfig:
    return FeedConfig.model_validate(
        {"name": "test", "source": source, "width": width, "height": height, "fps": fps}
    )


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Ten frames at 25 frames/s, 4:3, each brighter than the one before."""
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "10"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for number in range(10):
            grey = np.full((120, 160, 3), 20 + 20 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="bgr24")))
        container.mux(stream.encode(None))
    return path


def captured(config: FeedConfig, count: int) -> list[CapturedFrame]:
    clock = StepClock()
    stop = StepEvent(clock)
    return list(islice(open_source(config, clock).frames(stop), count))


def test_the_clip_is_real_and_needs_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_: object, **__: object) -> None:
        raise AssertionError("the clip must be local")

    monkeypatch.setattr(socket, "socket", no_network)
    clip = read_clip(None)
    assert len(clip.images) == 30
    assert clip.images[0].shape == (240, 320, 3)
    assert clip.frame_time_ns == 33_333_000
    assert any((a != b).any() for a, b in zip(clip.images, clip.images[1:], strict=False))


def test_the_clip_is_played_at_its_own_speed_whatever_the_feeds_rate() -> None:
    source = ClipSource(None, 320, 180, 10, StepClock())
    box = source._screen.picture

    def shown(ms: int) -> np.ndarray:
        picture = source.draw(Instant(0, 1_000_000_000 + ms * 1_000_000)).picture
        return planes_of(picture).y[box.y : box.y + box.height, box.x : box.x + box.width].copy()

    assert (shown(0) == shown(33)).all()
    assert (shown(0) != shown(34)).any()
    assert (shown(40) == shown(40 + 1000)).all(), "30 frames of 33.333 ms are a loop of a second"


def test_the_clips_picture_is_the_scaled_original() -> None:
    source = ClipSource(None, 1920, 1080, 30, StepClock())
    box = source._screen.picture
    assert (box.width / box.height) == pytest.approx(4 / 3, rel=0.01)
    assert box.height >= 900
    luma = planes_of(source.draw(Instant(0, 1_000_000_000)).picture).y
    inside = cv2.resize(luma[box.y : box.y + box.height, box.x : box.x + box.width], (320, 240))
    original = from_bgr(read_clip(None).images[0]).y
    assert np.abs(inside.astype(int) - original).mean() < 3


def test_the_scanners_clock_moves() -> None:
    source = ClipSource(None, 1920, 1080, 30, StepClock())
    one, two = (planes_of(source.draw(Instant(us, 1_000_000_000)).picture).y for us in (0, 1_000_000))
    changed = np.argwhere(one != two)
    assert len(changed)
    assert changed[:, 0].max() < source._screen.picture.y, "only the clock in the head line"


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
def test_a_file_that_is_no_clip_is_a_source_error(tmp_path: Path) -> None:
    path = tmp_path / "not.dcm"
    path.write_bytes(bytes(200))
    with pytest.raises(SourceError, match="not a clip"):
        read_clip(path)
    path.write_bytes(builtin_clip_path().read_bytes()[:50_000])
    with pytest.raises(SourceError, match="not a clip"):
        read_clip(path)


def test_a_late_tick_is_skipped_and_not_made_up_for() -> None:
    clock = StepClock()
    start = clock.monotonic_ns()
    moments = ticks(10, clock, StepEvent(clock))
    assert next(moments).monotonic_ns == start
    clock.advance(250_000_000)
    assert [next(moments).monotonic_ns - start for _ in range(3)] == [300_000_000, 400_000_000, 500_000_000]


@pytest.mark.parametrize("source", [{"kind": "clip"}, {"kind": "testcard"}])
def test_built_in_sources_keep_the_frame_rate(source: dict[str, object]) -> None:
    frames = captured(feed(source, fps=25), 26)
    assert frames[25].captured.monotonic_ns - frames[0].captured.monotonic_ns == NS_PER_S
    assert {(f.picture.width, f.picture.height, f.picture.format.name) for f in frames} == {
        (320, 180, "yuv420p")
    }


def test_the_card_moves_and_no_motion_search_finds_the_grain() -> None:
    card = TestcardSource(1920, 1080, 30, StepClock())
    one, two = (planes_of(card.draw(Instant(us, 0)).picture).y for us in (0, 33_333))
    changed = (one != two).mean(axis=1)
    assert (changed[780:] > 0.5).all()
    assert changed[:80].any()


def test_a_file_plays_in_real_time_in_the_feeds_shape_and_again(film: Path) -> None:
    frames = captured(feed({"kind": "file", "path": str(film)}), 20)
    gaps = [b.captured.monotonic_ns - a.captured.monotonic_ns for a, b in pairwise(frames)]
    assert all(abs(gap - 40_000_000) < 1_000_000 for gap in gaps[:8])
    assert {(f.picture.width, f.picture.height, f.picture.format.name) for f in frames} == {
        (320, 180, "yuv420p")
    }
    luma = planes_of(frames[9].picture).y
    assert luma[:, :36].max() <= 20, "4:3 in 16:9 has black bars"
    assert luma[90, 160] > 150
    assert planes_of(frames[10].picture).y[90, 160] < 60, "it began again"


def test_a_file_that_is_played_once_ends_as_a_source_error(film: Path) -> None:
    config = feed({"kind": "file", "path": str(film), "loop": False})
    frames: list[CapturedFrame] = []
    clock = StepClock()
    with pytest.raises(SourceError, match=r"film\.mp4: ended"):
        frames.extend(open_source(config, clock).frames(StepEvent(clock)))


def test_a_faster_source_is_thinned_to_the_feeds_rate(film: Path) -> None:
    frames = captured(feed({"kind": "file", "path": str(film)}, fps=5), 6)
    gaps = [b.captured.monotonic_ns - a.captured.monotonic_ns for a, b in pairwise(frames)]
    assert all(150_000_000 <= gap <= 250_000_000 for gap in gaps[1:])


def test_the_rate_gate_lets_a_slower_source_pass_whole_and_forgives_jitter() -> None:
    gate = RateGate(30)
    assert all(gate.passes(number * 40_000_000) for number in range(50))
    gate = RateGate(30)
    jitter = (0, 9_000_000, -9_000_000)
    assert all(gate.passes(number * 33_333_333 + jitter[number % 3]) for number in range(90))
    gate = RateGate(30)
    assert sum(gate.passes(number * 16_666_666) for number in range(120)) in range(59, 62)


@pytest.mark.parametrize(
    "source",
    [
        {"kind": "v4l2", "device": "/dev/video-that-is-not-there"},
        {"kind": "screen", "display": ":97"},
        {"kind": "file", "path": "/nowhere/film.mp4"},
    ],
)
def test_what_cannot_be_opened_is_a_source_error(source: dict[str, object]) -> None:
    with pytest.raises(SourceError):
        captured(feed(source), 1)


def test_a_camera_that_cannot_be_reached_does_not_tell_its_password() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(SourceError) as caught:
        captured(feed({"kind": "rtsp", "url": f"rtsp://me:hunter2@127.0.0.1:{port}/"}), 1)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_capture_devices_are_asked_for_size_rate_and_kernel_time_stamps() -> None:
    config = feed({"kind": "v4l2", "device": "/dev/v4l/by-id/usb-x", "input_format": "mjpeg"}, 1920, 1080)
    spec = describe_input(config.source, 1920, 1080, 30)  # type: ignore[arg-type]  # a union member by test
    assert spec.format == "v4l2"
    assert spec.options == {
        "video_size": "1920x1080",
        "framerate": "30",
        "timestamps": "abs",
        "input_format": "mjpeg",
    }
    assert spec.stamped


def test_devices_are_listed_by_their_stable_names(tmp_path: Path) -> None:
    by_id = tmp_path / "by-id"
    by_id.mkdir()
    for name in ("video0", "video1"):
        (tmp_path / name).touch()
    (by_id / "usb-Grabber_123-video-index0").symlink_to(tmp_path / "video1")

    def ask(path: Path) -> Facts:
        return Facts("Grabber")

    found = {item.source: item.note for item in list_sources(by_id, tmp_path, ask=ask) if item.kind == "v4l2"}
    assert found == {
        f'{{kind = "v4l2", device = "{by_id}/usb-Grabber_123-video-index0"}}': "now video1",
        f'{{kind = "v4l2", device = "{tmp_path}/video0"}}': "no stable name: may change when replugged",
    }


def test_what_is_listed_can_be_opened() -> None:
    import tomllib

    for item in list_sources():
        if item.kind in ("clip", "testcard"):
            source = tomllib.loads("source = " + item.source)["source"]
            assert len(captured(feed(source), 1)) == 1


def test_the_system_clock_gives_instants_of_now() -> None:
    clock = SystemClock()
    stop = threading.Event()
    moments: Iterator[Instant] = ticks(100, clock, stop)
    one, two = next(moments), next(moments)
    assert two.monotonic_ns - one.monotonic_ns >= 5_000_000
    stop.set()
    assert list(moments) == []


def test_a_long_clip_is_cut_to_what_may_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clip_module, "MAX_PRERENDERED_BYTES", 250_000)
    source = ClipSource(None, 320, 180, 30, StepClock())
    tile = source._screen.picture.width * source._screen.picture.height * 3 // 2
    for second in range(2):
        for number in range(30):
            source.draw(Instant(0, 1_000_000_000 + second * NS_PER_S + number * 33_333_333))
    kept = sum(planes.nbytes for planes in source._tiles.values())
    assert len(source._tiles) == 250_000 // tile < 30
    assert kept <= 250_000


def h264_units() -> list[bytes]:
    """Sixty access units of the test card."""
    encoder = VideoEncoder("libx264", Encoding(640, 360, 30, 1_000_000, 1_000_000))
    card = TestcardSource(640, 360, 30, StepClock())
    moments = [Instant(1_000_000 + number * 33_333, number * 33_333_333) for number in range(60)]
    return [unit.data for moment in moments for unit in encoder.encode(card.draw(moment), keyframe=False)]


def test_a_network_camera_is_shown_in_the_feeds_size() -> None:
    units = h264_units()
    stop = threading.Event()
    with camera(units) as url:
        source = open_source(feed({"kind": "rtsp", "url": url}, 320, 180, fps=60), SystemClock())
        frames = source.frames(stop)
        frame = next(frames)
        stop.set()
        assert list(frames) == []
    assert (frame.picture.width, frame.picture.height, frame.picture.format.name) == (320, 180, "yuv420p")
    assert timecode.decode(planes_of(frame.picture).y) in {
        1_000_000 + number * 33_333 for number in range(60)
    }


def test_of_an_interlaced_picture_one_field_is_shown_and_nothing_is_combed(tmp_path: Path) -> None:
    """A bar jumps between the two fields of each picture, as something that moves does."""
    path = tmp_path / "interlaced.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"x264-params": "tff=1", "crf": "8"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        stream.codec_context.flags |= 0x40000 | 0x20000000  # interlaced coding and motion estimation
        for number in range(10):
            picture = np.full((240, 320, 3), 40, np.uint8)
            picture[0::2, 40 + number : 80 + number] = 220
            picture[1::2, 100 + number : 140 + number] = 220
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode(None))
    frames = captured(feed({"kind": "file", "path": str(path)}, 320, 240), 5)
    for frame in frames:
        luma = planes_of(frame.picture).y[10:-10].astype(int)
        assert np.abs(np.diff(luma, axis=0)).max() < 40, "neighbouring lines are of one moment"
        assert (luma[:, 60] > 150).all()
        assert (luma[:, 130] < 80).all()
