"""Capture devices: the kernel is understood, wrongs are named, the mode and the wait fit the signal.

There is no capture device here. The structures were filled and printed by a C program, with the header
of the kernel (`tests/vectors/v4l2.c`); a kernel made of them answers the same requests.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from core.clock import SystemClock
from edge_agents.cli import app
from edge_agents.config import V4l2Source
from edge_agents.sources import SourceError, v4l2
from edge_agents.sources import v4l2_abi as abi
from edge_agents.sources.capture import CaptureDevice, FrameWait, explain, handle_of
from edge_agents.sources.devices import list_sources
from edge_agents.sources.diagnosis import findings, picture_findings
from edge_agents.sources.facts import Facts, Mode
from edge_agents.sources.modes import choose
from edge_agents.sources.v4l2_abi import InputStatus, Request, Timings

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "v4l2.json").read_text())


def vector(name: str) -> bytes:
    return bytes.fromhex(VECTORS[name])


@pytest.mark.parametrize("request_name", [request.name for request in Request])
def test_requests_have_the_numbers_of_the_kernels_header(request_name: str) -> None:
    assert Request[request_name] == VECTORS[request_name]


def test_structures_are_read_as_the_kernels_header_lays_them_out() -> None:
    assert abi.capability(vector("capability")) == ("uvcvideo", "USB Video: HDMI", "usb-0000:00:14.0-2", True)
    assert not abi.capability(vector("metadata")).captures
    assert abi.pixel_format(vector("format")) == ("MJPG", "Motion-JPEG", True)
    assert abi.frame_sizes(vector("size")) == ([(1280, 720)], True)
    sizes, more = abi.frame_sizes(vector("size_range"))
    assert (sizes[0], (640, 480) in sizes, more) == ((1920, 1080), True, False)
    assert abi.frame_rates(vector("rate")) == ([59.94], True)
    assert abi.frame_rates(vector("rate_range")) == ([60.0, 5.0], False)
    assert abi.input_of(vector("input")) == (0, "HDMI 0", InputStatus.NO_SIGNAL | InputStatus.NO_SYNC)
    assert abi.edid_blocks(vector("edid")) == 2
    assert abi.edid_request(0x1122334455667788, 2) == vector("edid")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("1080p60", Timings(1920, 1080, False, 60.0)),
        ("1080i50", Timings(1920, 1080, True, 50.0)),
        ("720p50", Timings(1280, 720, False, 50.0)),
        ("1280x1024", Timings(1280, 1024, False, 60.02)),
    ],
)
def test_a_signals_timings_are_those_of_the_standards(name: str, meant: Timings) -> None:
    assert abi.timings(vector(name)) == meant


@dataclass
class Kernel:
    """Answers as a driver does. `timings`: a vector's name, an errno, or None for a USB converter."""

    timings: str | int | None = None
    status: int = 0
    edid: int | None = None
    modes: list[tuple[str, int, int, int]] = field(default_factory=lambda: [("YUYV", 1920, 1080, 60)])
    set_to: list[bytes] = field(default_factory=list)

    def __call__(self, request: Request, data: bytearray) -> None:
        answer = getattr(self, f"_{request.name.lower()}")(data)
        if isinstance(answer, int):
            raise OSError(answer, os.strerror(answer))
        data[: len(answer)] = answer

    def _querycap(self, data: bytearray) -> bytes:
        return vector("capability")

    def _g_input(self, data: bytearray) -> bytes:
        return bytes(4)

    def _enuminput(self, data: bytearray) -> bytes:
        raw = bytearray(vector("input"))
        raw[56:60] = struct.pack("<I", self.status)
        return bytes(raw)

    def _enum_fmt(self, data: bytearray) -> bytes | int:
        index = struct.unpack_from("<I", data)[0]
        names = list(dict.fromkeys(mode[0] for mode in self.modes))
        if index >= len(names):
            return errno.EINVAL
        raw = bytearray(vector("format"))
        raw[44:48] = names[index].encode()
        return bytes(raw)

    def _enum_framesizes(self, data: bytearray) -> bytes | int:
        index, pixels = struct.unpack_from("<I4s", data)
        sizes = list(dict.fromkeys(mode[1:3] for mode in self.modes if mode[0] == pixels.decode()))
        if index >= len(sizes):
            return errno.EINVAL
        raw = bytearray(vector("size"))
        raw[12:20] = struct.pack("<II", *sizes[index])
        return bytes(raw)

    def _enum_frameintervals(self, data: bytearray) -> bytes | int:
        index, pixels, width, height = struct.unpack_from("<I4sII", data)
        rates = [mode[3] for mode in self.modes if mode[:3] == (pixels.decode(), width, height)]
        if index >= len(rates):
            return errno.EINVAL
        raw = bytearray(vector("rate"))
        raw[20:28] = struct.pack("<II", 1, rates[index])
        return bytes(raw)

    def _query_dv_timings(self, data: bytearray) -> bytes | int:
        if self.timings is None:
            return errno.ENOTTY
        return self.timings if isinstance(self.timings, int) else vector(self.timings)

    def _s_dv_timings(self, data: bytearray) -> bytes:
        self.set_to.append(bytes(data))
        return b""

    def _g_edid(self, data: bytearray) -> bytes | int:
        if self.edid is None:
            return errno.ENOTTY
        raw = bytearray(data)
        raw[8:12] = struct.pack("<I", self.edid)
        return bytes(raw)


def test_everything_a_driver_says_is_asked_for() -> None:
    kernel = Kernel(
        "1080p60", edid=2, modes=[("YUYV", 1920, 1080, 60), ("MJPG", 1280, 720, 30), ("MJPG", 1280, 720, 60)]
    )
    assert v4l2.facts_of(kernel) == Facts(
        "USB Video: HDMI",
        "uvcvideo",
        "usb-0000:00:14.0-2",
        modes=(Mode("YUYV", 1920, 1080, 60), Mode("MJPG", 1280, 720, 30), Mode("MJPG", 1280, 720, 60)),
        timings=Timings(1920, 1080, False, 60.0),
        edid_blocks=2,
    )
    plain = v4l2.facts_of(Kernel())
    assert (plain.timings, plain.timings_error, plain.edid_blocks, plain.status) == (None, 0, None, 0)


def test_a_driver_whose_lists_never_end_is_not_believed() -> None:
    class Endless(Kernel):
        def _enum_framesizes(self, data: bytearray) -> bytes:
            return vector("size")

    assert len(v4l2.facts_of(Endless()).modes) <= abi.MAX_ENTRIES * 2


GOOD = Facts("x", modes=(Mode("YUYV", 1920, 1080, 60),))
P60 = Timings(1920, 1080, False, 60.0)


@pytest.mark.parametrize(
    ("facts", "codes", "trouble"),
    [
        (GOOD, [], ""),
        (replace(GOOD, timings=P60, edid_blocks=2), [], ""),
        (replace(GOOD, status=InputStatus.NO_SIGNAL), ["no_signal"], "no_signal"),
        (replace(GOOD, timings_error=errno.ENOLINK), ["no_signal"], "no_signal"),
        (replace(GOOD, status=InputStatus.NO_POWER), ["no_power"], "no_signal"),
        (replace(GOOD, timings_error=errno.ENOLCK), ["unstable"], "unstable"),
        (replace(GOOD, status=InputStatus.NO_H_LOCK), ["unstable"], "unstable"),
        (replace(GOOD, timings_error=errno.ERANGE), ["mode_not_supported"], "unsupported"),
        (replace(GOOD, status=InputStatus.NO_ACCESS), ["hdcp"], "protected"),
        (replace(GOOD, timings=P60, edid_blocks=0), ["no_edid"], ""),
        (replace(GOOD, timings=Timings(1920, 1080, True, 50.0)), ["interlaced"], ""),
        (replace(GOOD, timings=Timings(1280, 1024, False, 60.02)), ["odd_mode"], ""),
        (replace(GOOD, timings=Timings(1920, 1080, False, 67.0)), ["odd_mode"], ""),
        (replace(GOOD, modes=()), ["no_modes"], "failed"),
        (replace(GOOD, status=InputStatus.NO_SIGNAL, edid_blocks=0), ["no_signal", "no_edid"], "no_signal"),
    ],
)
def test_what_is_wrong_with_a_signal_has_a_name(facts: Facts, codes: list[str], trouble: str) -> None:
    found = findings(facts)
    assert [one.code for one in found] == codes
    assert next((one.trouble for one in found if one.trouble), "") == trouble
    assert all(one.says and one.do for one in found)


def lumas(count: int = 6, interlaced: bool = False) -> list[np.ndarray]:
    """A bar that moves to the right over grain."""
    grain = np.random.default_rng(3).integers(90, 120, (288, 360)).astype(np.uint8)
    pictures = []
    for number in range(count):
        picture = grain.copy()
        for row in range(288):
            moment = number + (row % 2) * 0.5 * interlaced
            left = 40 + round(moment * 24)
            picture[row, left : left + 40] = 230
        pictures.append(picture)
    return pictures


def test_what_only_the_picture_tells_has_a_name_too() -> None:
    assert picture_findings(lumas()) == []
    assert [one.code for one in picture_findings(lumas(interlaced=True))] == ["interlaced_picture"]
    assert [one.code for one in picture_findings([np.full((90, 160), 16, np.uint8)] * 3)] == ["black"]
    shifted = [np.pad(picture, ((0, 0), (14, 0)), constant_values=16)[:, :360] for picture in lumas()]
    assert [one.code for one in picture_findings(shifted)] == ["shifted"]
    both = [np.pad(picture[:, 14:-14], ((0, 0), (14, 14)), constant_values=16) for picture in lumas()]
    assert picture_findings(both) == [], "4:3 in 16:9 has an edge on either side"


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        ((1920, 1080, 30), Mode("MJPG", 1920, 1080, 30)),
        ((1920, 1080, 60), Mode("MJPG", 1920, 1080, 60)),
        ((1280, 720, 30), Mode("YUYV", 1280, 720, 30)),
        ((1280, 720, 60), Mode("YUYV", 1280, 720, 59.94)),
        ((1024, 768, 30), Mode("MJPG", 1920, 1080, 30)),
        ((3840, 2160, 30), Mode("MJPG", 1920, 1080, 30)),
        ((640, 480, 15), Mode("YUYV", 640, 480, 30)),
    ],
)
def test_the_mode_nearest_to_the_feed_is_chosen_raw_before_compressed(
    wanted: tuple[int, int, int], chosen: Mode
) -> None:
    modes = [
        Mode("MJPG", 1920, 1080, 60),
        Mode("MJPG", 1920, 1080, 30),
        Mode("YUYV", 1920, 1080, 5),
        Mode("MJPG", 1280, 720, 59.94),
        Mode("YUYV", 1280, 720, 59.94),
        Mode("YUYV", 1280, 720, 30),
        Mode("YUYV", 640, 480, 30),
        Mode("XYZ9", 1280, 720, 30),
    ]
    assert choose(modes, *wanted) == chosen
    assert choose([Mode("XYZ9", 1280, 720, 30)], *wanted) is None


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    """Every device is this one."""
    made = Kernel()

    @contextlib.contextmanager
    def opened(device: Path) -> Iterator[v4l2.Ioctl]:
        yield made

    monkeypatch.setattr(v4l2, "opened", opened)
    return made


def device(**config: object) -> CaptureDevice:
    source = V4l2Source.model_validate({"kind": "v4l2", "device": "/dev/v4l/by-id/usb-x", **config})
    return CaptureDevice(source, 1920, 1080, 30, SystemClock())


def test_a_receiver_is_set_to_the_signal_and_captured_in_its_size_whatever_the_feeds(kernel: Kernel) -> None:
    kernel.timings, kernel.modes = "720p50", [("UYVY", 1280, 720, 50), ("UYVY", 1920, 1080, 60)]
    spec = device().prepare()
    assert kernel.set_to == [vector("720p50")]
    assert spec.options == {"video_size": "1280x720", "timestamps": "abs", "input_format": "uyvy422"}
    kernel.timings = "1080p60"
    assert device().prepare().options["video_size"] == "1920x1080"


def test_a_converter_is_captured_in_the_configured_mode_else_in_the_feeds(kernel: Kernel) -> None:
    kernel.modes = [("MJPG", 1920, 1080, 30), ("YUYV", 1280, 720, 60), ("MJPG", 1280, 720, 60)]
    wanted = {"video_size": "1920x1080", "framerate": "30", "timestamps": "abs", "input_format": "mjpeg"}
    assert device().prepare().options == wanted
    chosen = device(mode="1280x720@60").prepare().options
    assert (chosen["video_size"], chosen["framerate"], chosen["input_format"]) == (
        "1280x720",
        "60",
        "yuyv422",
    )
    assert device(input_format="mjpeg", mode="1280x720@60").prepare().options["input_format"] == "mjpeg"


@pytest.mark.parametrize(
    ("fault", "trouble"),
    [
        ({"timings": errno.ENOLINK}, "no_signal"),
        ({"timings": errno.ERANGE}, "unsupported"),
        ({"status": int(InputStatus.NO_ACCESS)}, "protected"),
        ({"modes": []}, "failed"),
        ({"modes": [("XYZ9", 1280, 720, 30)]}, "unsupported"),
    ],
)
def test_a_device_without_a_usable_signal_is_not_opened_and_says_why(
    kernel: Kernel, fault: dict[str, object], trouble: str
) -> None:
    for name, value in fault.items():
        setattr(kernel, name, value)
    with pytest.raises(SourceError) as caught:
        device().prepare()
    assert caught.value.trouble == trouble
    assert "usb-x" in str(caught.value)


def test_a_device_that_is_not_there_is_unplugged_and_comes_back_under_its_name(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="unplugged") as caught:
        CaptureDevice(
            V4l2Source(kind="v4l2", device=tmp_path / "usb-x"), 640, 480, 30, SystemClock()
        ).prepare()
    assert caught.value.trouble == "unplugged"
    assert explain(tmp_path / "usb-x").trouble == "unplugged"


def test_a_device_that_delivers_nothing_is_left_and_asked_why() -> None:
    one, other = socket.socketpair()
    with one, other:
        wait = FrameWait(one.fileno, lambda: SourceError("silent", trouble="unstable"), silent_s=0.2)
        other.send(b"x")
        wait(threading.Event())
        one.recv(1)
        with pytest.raises(SourceError, match="silent"):
            wait(threading.Event())
        stop = threading.Event()
        stop.set()
        wait(stop)


def test_a_device_of_which_there_is_no_handle_is_not_waited_for() -> None:
    FrameWait(lambda: None, lambda: SourceError("never"))(threading.Event())


def test_the_handle_of_a_device_is_found_by_whatever_name_it_was_opened(tmp_path: Path) -> None:
    path, link = tmp_path / "video0", tmp_path / "usb-x"
    path.touch()
    link.symlink_to(path)
    assert handle_of(link) is None
    with path.open() as file:
        assert handle_of(link) == file.fileno()


def test_devices_are_listed_with_modes_signal_and_what_is_wrong_but_not_their_metadata_nodes(
    tmp_path: Path,
) -> None:
    by_id = tmp_path / "by-id"
    by_id.mkdir()
    for number in range(3):
        (tmp_path / f"video{number}").touch()
    for number in range(2):
        (by_id / f"usb-Grabber_123-video-index{number}").symlink_to(tmp_path / f"video{number}")

    def ask(path: Path) -> Facts:
        number = path.resolve().name
        if number == "video1":
            return Facts("Grabber", captures=False)
        if number == "video2":
            raise OSError(errno.EACCES, "Permission denied")
        kernel = Kernel("1080i50", edid=0, modes=[("YUYV", 640, 480, 30), ("YUYV", 1920, 1080, 30)])
        kernel.modes.append(("MJPG", 1920, 1080, 30))
        return v4l2.facts_of(kernel)

    first, second = [one for one in list_sources(by_id, tmp_path, tmp_path, ask) if one.kind == "v4l2"]
    assert first.source.endswith('usb-Grabber_123-video-index0"}')
    assert (first.signal, first.name) == ("1920x1080@50", "USB Video: HDMI")
    assert [(mode.mode, mode.pixels) for mode in first.modes] == [
        ("1920x1080@30", ["YUYV", "MJPG"]),
        ("640x480@30", ["YUYV"]),
    ]
    assert [one.code for one in first.diagnoses] == ["no_edid", "interlaced"]
    assert "cannot be asked: Permission denied" in second.note


def test_a_technician_looks_at_a_feed_for_what_seems_wrong(tmp_path: Path) -> None:
    (tmp_path / "edge.toml").write_text(
        'server = "http://localhost"\nroom = "demo"\ntoken_file = "t"\n[[feeds]]\nname = "a"\n'
        'source = { kind = "testcard" }\nwidth = 640\nheight = 360\nfps = 60\n'
    )
    asked = ["sources", "--look", "a", "--config", str(tmp_path / "edge.toml")]
    result = CliRunner().invoke(app, asked)
    assert (result.exit_code, "nothing wrong" in result.output) == (0, True), result.output
