"""Sources that FFmpeg opens through PyAV: files, V4L2 capture devices, RTSP cameras, X11 screens.

V4L2 needs a capture device and the screen source an X server; where there is neither, opening them is a
`SourceError`, and so is a device that is unplugged or stops delivering.
"""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from core.clock import NS_PER_S, NS_PER_US, Clock
from core.messages import SignalTrouble
from edge_agents.config import FileSource, RtspSource, ScreenSource, SdiSource, V4l2Source
from edge_agents.sources.base import Instant, RawFrame, SourceError

OPEN_TIMEOUT_S: Final = 5.0
READ_TIMEOUT_S: Final = 3.0
"""A device or camera that is silent this long counts as gone."""
MAX_STAMP_AGE_US: Final = 2_000_000
"""A driver's capture time further away from now is not believed."""
SDI_FORMAT: Final = "decklink"
MAX_FILE_LAG_NS: Final = NS_PER_S
UNPLUGGED: Final = frozenset({errno.ENODEV, errno.ENXIO})


@dataclass(frozen=True)
class Input:
    """What `av.open` is called with. `name` is safe to log: it never holds credentials."""

    name: str
    url: str = field(repr=False)
    format: str | None = None
    options: dict[str, str] = field(default_factory=dict)
    paced: bool = False
    """True for a file: its own time stamps say when a frame is due."""
    stamped: bool = False
    """True when its time stamps are Unix microseconds of the capture."""
    loop: bool = False
    trouble: SignalTrouble = "failed"
    """What it means when it fails."""


def describe_input(
    config: FileSource | V4l2Source | RtspSource | SdiSource | ScreenSource, width: int, height: int, fps: int
) -> Input:
    """FFmpeg's names and options for a configured source."""
    wanted = {"video_size": f"{width}x{height}", "framerate": str(fps)}
    match config:
        case FileSource():
            return Input(config.path.name, str(config.path), paced=True, loop=config.loop)
        case V4l2Source():
            options = {**wanted, "timestamps": "abs"}
            if config.input_format:
                options["input_format"] = config.input_format
            return Input(
                str(config.device), str(config.device), "v4l2", options, stamped=True, trouble="no_signal"
            )
        case RtspSource():
            options = {
                "rtsp_transport": config.transport,
                "reorder_queue_size": "0",
                # FFmpeg would watch for 5 s before the first picture to guess a frame rate nobody needs here.
                # What it watched it must hand over, keyframe and all, hence no `nobuffer`: newest wins later.
                "analyzeduration": "1000000",
                "fpsprobesize": "0",
            }
            return Input("rtsp", config.url, "rtsp", options, trouble="no_signal")
        case SdiSource():
            options = {"format_code": "auto", "draw_bars": "0"}
            return Input(config.device, config.device, SDI_FORMAT, options, trouble="no_signal")
        case ScreenSource():
            url = f"{config.display}+{config.x},{config.y}"
            return Input(config.display, url, "x11grab", {**wanted, "draw_mouse": "1"})


class ContainerSource:
    """Decodes the first video stream of an input. `wait` returns when the next packet can be had at once."""

    def __init__(
        self,
        spec: Input,
        fps: int,
        clock: Clock,
        wait: Callable[[threading.Event], None] = lambda stop: None,
    ) -> None:
        self._spec, self._clock, self._wait = spec, clock, wait
        self._gate = RateGate(fps)

    def frames(self, stop: threading.Event) -> Iterator[RawFrame]:
        while not stop.is_set():
            yield from self._play(stop)
            if not self._spec.loop and not stop.is_set():
                raise SourceError(f"{self._spec.name}: ended", trouble=self._spec.trouble)

    def _play(self, stop: threading.Event) -> Iterator[RawFrame]:
        try:
            with self._open() as container:
                yield from self._decode(container, stop)
        except ValueError:  # FFmpeg was built without this kind of input
            raise SourceError(f"{self._spec.name}: FFmpeg here cannot open {self._spec.format!r}") from None
        except (av.FFmpegError, OSError) as error:
            # The message would quote the URL, and with it a camera's password.
            reason = getattr(error, "strerror", None) or type(error).__name__
            trouble = "unplugged" if error.errno in UNPLUGGED else self._spec.trouble
            raise SourceError(f"{self._spec.name}: {reason}", trouble=trouble) from None

    def _open(self) -> InputContainer:
        spec = self._spec
        arguments: dict[str, Any] = {"options": spec.options, "timeout": (OPEN_TIMEOUT_S, READ_TIMEOUT_S)}
        if spec.format:
            arguments["format"] = spec.format
        container: InputContainer = av.open(spec.url, "r", **arguments)
        return container

    def _decode(self, container: InputContainer, stop: threading.Event) -> Iterator[RawFrame]:
        if not container.streams.video:
            raise SourceError(f"{self._spec.name}: has no picture")
        stream = container.streams.video[0]
        stream.thread_type = "SLICE"  # frame threads would hold back one picture each
        pacer = _Pacer(self._clock)
        for frame in self._decoded(container, stream, stop):
            if stop.is_set():
                return
            if self._spec.paced and frame.time is not None:
                pacer.wait_until_due(frame.time, stop)
            instant = self._instant(frame)
            if self._gate.passes(instant.monotonic_ns):
                yield RawFrame(frame, instant)

    def _decoded(
        self, container: InputContainer, stream: VideoStream, stop: threading.Event
    ) -> Iterator[av.VideoFrame]:
        packets = container.demux(stream)
        while not stop.is_set():
            self._wait(stop)
            packet = next(packets, None)
            if packet is None:
                return
            yield from packet.decode()

    def _instant(self, frame: av.VideoFrame) -> Instant:
        now = Instant.now(self._clock)
        if not self._spec.stamped or frame.time is None:
            return now
        age_us = now.unix_us - int(frame.time * 1e6)
        if not 0 <= age_us <= MAX_STAMP_AGE_US:
            return now
        return Instant(now.unix_us - age_us, now.monotonic_ns - age_us * NS_PER_US)


class RateGate:
    """Lets at most `fps` pictures a second through, evenly; pure."""

    def __init__(self, fps: int) -> None:
        self._period_ns = NS_PER_S // fps
        self._due_ns: int | None = None

    def passes(self, now_ns: int) -> bool:
        """True when the picture of `now_ns` is due; half a period of jitter is allowed."""
        if self._due_ns is None:
            self._due_ns = now_ns
        if now_ns < self._due_ns - self._period_ns // 2:
            return False
        self._due_ns = max(self._due_ns, now_ns - self._period_ns // 2) + self._period_ns
        return True


class _Pacer:
    """Holds a file's pictures back until their time has come."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._start_ns: int | None = None

    def wait_until_due(self, position_s: float, stop: threading.Event) -> None:
        position_ns = int(position_s * NS_PER_S)
        now_ns = self._clock.monotonic_ns()
        if self._start_ns is None or now_ns - self._start_ns - position_ns > MAX_FILE_LAG_NS:
            self._start_ns = now_ns - position_ns
        stop.wait(max(0, self._start_ns + position_ns - now_ns) / NS_PER_S)
