"""A V4L2 capture device as a source: set to the signal it receives, left as soon as nothing comes any more.

FFmpeg waits for a picture inside the kernel, for ever if there is none: it is asked only when one is there.
"""

from __future__ import annotations

import errno
import os
import select
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from core.clock import Clock
from core.messages import SignalTrouble
from edge_agents.config import V4l2Source
from edge_agents.sources import v4l2
from edge_agents.sources.base import RawFrame, SourceError
from edge_agents.sources.container import ContainerSource, Input, describe_input
from edge_agents.sources.diagnosis import Finding, findings
from edge_agents.sources.facts import Facts, Mode
from edge_agents.sources.modes import FFMPEG_PIXELS, choose
from edge_agents.sources.v4l2_abi import Timings

GONE: Final = frozenset({errno.ENOENT, errno.ENODEV, errno.ENXIO})
SILENT_S: Final = 0.8
"""A capture device that works delivers a picture every 40 ms, or says that it has none."""
POLL_MS: Final = 100


class CaptureDevice:
    """Each time it is opened, the signal decides: a changed resolution is a device opened anew."""

    def __init__(self, config: V4l2Source, width: int, height: int, fps: int, clock: Clock) -> None:
        self._config, self._clock = config, clock
        self._wanted = (width, height, fps)

    def frames(self, stop: threading.Event) -> Iterator[RawFrame]:
        """As `RawSource.frames`; the error's words say what is wrong, and what to do."""
        spec = self.prepare()
        wait = FrameWait(lambda: handle_of(self._config.device), lambda: explain(self._config.device))
        yield from ContainerSource(spec, self._wanted[2], self._clock, wait).frames(stop)

    def prepare(self) -> Input:
        """Look at the signal, choose a mode. Raises `SourceError`."""
        device = self._config.device
        try:
            with v4l2.opened(device) as ioctl:
                facts = v4l2.facts_of(ioctl)
                _refuse(device, facts)
                signal = v4l2.follow(ioctl)
        except OSError as error:
            raise unusable(device, error) from None
        return self._describe(facts, signal)

    def _describe(self, facts: Facts, signal: Timings | None) -> Input:
        """What FFmpeg is asked for."""
        mode = self._mode(facts, signal)
        spec = describe_input(self._config, mode.width, mode.height, round(mode.rate_hz) or self._wanted[2])
        options = dict(spec.options)
        if mode.rate_hz:
            options["framerate"] = f"{mode.rate_hz:g}"
        if signal is not None:
            del options["framerate"]  # the signal's, which cannot be set
        options.setdefault("input_format", FFMPEG_PIXELS[mode.pixels])
        return replace(spec, options=options)

    def _mode(self, facts: Facts, signal: Timings | None) -> Mode:
        width, height, fps = self._config.wanted or self._wanted
        if signal is not None:
            width, height = signal.width, signal.height
        found = choose(facts.modes, width, height, fps)
        if found is None:
            raise SourceError(
                f"{self._config.device}: names no format that can be used", trouble="unsupported"
            )
        return replace(found, width=width, height=height) if signal is not None else found


def _refuse(device: Path, facts: Facts) -> None:
    reason = next((finding for finding in findings(facts) if finding.trouble), None)
    if reason is not None:
        raise _error(device, reason)


def _error(device: Path, reason: Finding) -> SourceError:
    return SourceError(f"{device}: {reason.code}: {reason.says}; {reason.do}", trouble=reason.trouble)


def unusable(device: Path, error: OSError) -> SourceError:
    """Why a device cannot be asked or opened."""
    trouble: SignalTrouble = "unplugged" if error.errno in GONE else "failed"
    words = {
        errno.EBUSY: "another program uses it",
        errno.EACCES: "this user may not open it (group 'video')",
        errno.EPERM: "this user may not open it (group 'video')",
    }
    gone = "not there: unplugged?" if trouble == "unplugged" else None
    number = error.errno or errno.EIO
    return SourceError(f"{device}: {gone or words.get(number) or os.strerror(number)}", trouble=trouble)


def explain(device: Path) -> SourceError:
    """Why nothing comes, as the driver sees it just now."""
    try:
        with v4l2.opened(device) as ioctl:
            facts = v4l2.facts_of(ioctl)
    except OSError as error:
        return unusable(device, error)
    reason = next((finding for finding in findings(facts) if finding.trouble), None)
    if reason is not None:
        return _error(device, reason)
    return SourceError(f"{device}: delivers no pictures, and does not say why", trouble="no_signal")


def handle_of(device: Path) -> int | None:
    """This process's own file descriptor for the device: FFmpeg does not tell it."""
    wanted = os.path.realpath(device)
    for entry in os.scandir("/proc/self/fd"):
        try:
            if os.readlink(entry.path) == wanted:
                return int(entry.name)
        except OSError:  # closed meanwhile
            continue
    return None


class FrameWait:
    """Returns when a picture can be fetched without waiting. Raises what `explain` says after `SILENT_S`."""

    def __init__(
        self, find: Callable[[], int | None], explain: Callable[[], SourceError], silent_s: float = SILENT_S
    ) -> None:
        self._find, self._explain, self._silent_s = find, explain, silent_s
        self._handle: int | None = None

    def __call__(self, stop: threading.Event) -> None:
        if self._handle is None:
            self._handle = self._find()
        if self._handle is None:
            return
        poll = select.poll()
        poll.register(self._handle, select.POLLIN | select.POLLERR)
        until = time.monotonic() + self._silent_s
        while not poll.poll(POLL_MS):
            if stop.is_set():
                return
            if time.monotonic() > until:
                raise self._explain()
