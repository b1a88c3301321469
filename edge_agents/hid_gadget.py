"""Reports to a device: through the kernel's USB HID gadget (/dev/hidgN), or into a file for tests.

Writing never waits. What a keyboard is told is neither lost nor put in another order: it waits, within
bounds, until the device's host fetches it. Of a pointer's motions that wait the latest wins; where a button
went down or up stays. That everything is up stays owed until the gadget has taken it, whatever happens
meanwhile.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import select
from collections import deque
from pathlib import Path
from typing import Final, Protocol

from core.clock import NS_PER_S, NS_PER_US, Clock
from core.errors import Unavailable
from edge_agents.control_config import ControlConfig
from edge_agents.hid_reports import HidDevice, HidReport
from edge_agents.pointer_mark import PointerMark

MAX_WAITING: Final = 32
"""Reports; a host that polls fetches one every few milliseconds."""
STUCK_S: Final = 2.0
"""A report that waits for longer is for a host that does not listen."""
RETRY_S: Final = 0.5
LAST_WORD_MS: Final = 200
"""What the end of the process waits for the gadget to take the last report."""
_FILE_MODE: Final = 0o600
_NOTHING_DOWN: Final = b"\0"


class DeviceFailed(Unavailable):
    """The gadget does not take what is pressed: its cable is out, it is not set up, or its host sleeps."""

    code = "device_failed"


class Console(Protocol):
    """Where reports of one feed's device go."""

    def write(self, report: HidReport) -> None:
        """Soon, after what waits already. Raises `DeviceFailed`."""

    def let_go(self, reports: tuple[HidReport, ...]) -> None:
        """Instead of what waits. Raises `DeviceFailed`; the reports stay owed even then."""

    def pump(self) -> None:
        """Write what waits, as far as it can be. Raises `DeviceFailed` once, until it works again."""

    @property
    def waits(self) -> bool:
        """Something is to be written."""

    def close(self) -> None:
        """The last words are out, or cannot be. Never raises."""


def open_console(config: ControlConfig, clock: Clock, mark: PointerMark) -> Console:
    """Opens nothing yet."""
    if config.backend == "recording":
        assert config.file is not None
        return RecordingConsole(config.file, clock)
    return GadgetConsole(config.gadget_paths, clock, mark)


class GadgetConsole:
    """One or two gadget functions of one device."""

    def __init__(self, paths: dict[HidDevice, Path], clock: Clock, mark: PointerMark) -> None:
        self._files = {
            device: GadgetFile(path, device, clock, mark if device == "pointer" else None)
            for device, path in paths.items()
        }

    def write(self, report: HidReport) -> None:
        self._files[report.device].put(report.data)

    def let_go(self, reports: tuple[HidReport, ...]) -> None:
        for report in reports:
            self._files[report.device].owe(report.data)
        self._pump(again=True)

    def pump(self) -> None:
        self._pump(again=False)

    def _pump(self, *, again: bool) -> None:
        """Each, though another fails."""
        failed: DeviceFailed | None = None
        for file in self._files.values():
            try:
                file.pump(again=again)
            except DeviceFailed as error:
                failed = error
        if failed is not None:
            raise failed

    @property
    def waits(self) -> bool:
        return any(file.waits for file in self._files.values())

    def close(self) -> None:
        for file in self._files.values():
            file.close()


class GadgetFile:
    """One /dev/hidgN. The kernel takes one report at a time, and the next when the host has fetched that."""

    def __init__(self, path: Path, device: HidDevice, clock: Clock, mark: PointerMark | None = None) -> None:
        self._path, self._device, self._clock, self._mark = path, device, clock, mark
        self._waiting: deque[bytes] = deque()
        self._written = _NOTHING_DOWN
        """The last report that the kernel took."""
        self._owed: bytes | None = None
        """Everything up: what is written first, once it can be."""
        self._since_ns = 0
        """When what waits first began to."""
        self._failed = False
        self._retry_ns = 0
        self._fd: int | None = None

    @property
    def waits(self) -> bool:
        """Something is to be written at the next opportunity; what failed is tried again at leisure."""
        return self._has_some and not self._failed

    @property
    def _has_some(self) -> bool:
        return bool(self._waiting) or self._owed is not None

    def put(self, report: bytes) -> None:
        """Raises `DeviceFailed`."""
        if self._failed:
            raise self._fail("it does not take reports")
        if self._device == "pointer" and self._is_passed_over(report):
            self._waiting[-1] = report
        elif len(self._waiting) < MAX_WAITING:
            self._begin_waiting()
            self._waiting.append(report)
        else:
            raise self._fail("its host does not fetch reports")
        self.pump()

    def owe(self, report: bytes) -> None:
        """Instead of all that waits."""
        self._waiting.clear()
        self._owed = None
        self._begin_waiting()
        self._owed = report

    def pump(self, *, again: bool = False) -> None:
        """Write what can be. Raises `DeviceFailed`: once, or `again` for each try."""
        now_ns = self._clock.monotonic_ns()
        if not self._has_some or (self._failed and now_ns < self._retry_ns and not again):
            return
        known = self._failed and not again
        try:
            self._write_all()
        except BlockingIOError:
            if now_ns - self._since_ns >= STUCK_S * NS_PER_S or self._failed:
                self._give_up("its host does not fetch reports", known=known)
        except OSError as error:
            self._shut()
            self._give_up(errno.errorcode.get(error.errno or 0, "unknown error"), known=known)
        else:
            self._failed = False

    def close(self) -> None:
        """Waits at most `LAST_WORD_MS` for what is owed."""
        with contextlib.suppress(DeviceFailed):
            self.pump(again=True)
        if self.waits and self._fd is not None:
            poll = select.poll()
            poll.register(self._fd, select.POLLOUT)
            poll.poll(LAST_WORD_MS)
            with contextlib.suppress(DeviceFailed):
                self.pump(again=True)
        self._shut()

    def _is_passed_over(self, report: bytes) -> bool:
        """The motion that waits last, for this one. Where a button goes down or up its place stays."""
        if not self._waiting or not _same_but_place(self._waiting[-1], report):
            return False
        before = [self._owed or self._written, *self._waiting][-2]
        return before[0] == report[0]

    def _begin_waiting(self) -> None:
        if not self._has_some:
            self._since_ns = self._clock.monotonic_ns()

    def _write_all(self) -> None:
        """Raises `OSError`."""
        if self._fd is None:
            self._fd = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        if self._owed is not None:
            self._write(self._fd, self._owed)
            self._owed = None
        while self._waiting:
            self._write(self._fd, self._waiting[0])
            self._waiting.popleft()

    def _write(self, fd: int, report: bytes) -> None:
        if self._mark is not None:
            self._mark.before(report)
        if os.write(fd, report) != len(report):
            raise OSError(errno.EIO, "a report was taken in part")
        if self._mark is not None:
            self._mark.after(report)
        self._written = report
        self._since_ns = self._clock.monotonic_ns()

    def _give_up(self, reason: str, *, known: bool) -> None:
        """What was pressed is stale when it works again; that everything is up is not."""
        failed = self._fail(reason)
        if not known:
            raise failed

    def _fail(self, reason: str) -> DeviceFailed:
        self._waiting.clear()
        self._failed = True
        self._retry_ns = self._clock.monotonic_ns() + int(RETRY_S * NS_PER_S)
        return DeviceFailed(f"{self._path}: {reason}; is the cable to the device plugged in?")

    def _shut(self) -> None:
        if self._fd is not None:
            with contextlib.suppress(OSError):
                os.close(self._fd)
        self._fd = None


def _same_but_place(before: bytes, after: bytes) -> bool:
    """Of two pointer reports: same buttons, neither turns the wheel."""
    return before[0] == after[0] and before[-1] == 0 == after[-1]


class RecordingConsole:
    """For tests: a line of JSON for each report. The file holds what was typed: mode 0600."""

    def __init__(self, file: Path, clock: Clock) -> None:
        self._file, self._clock = file, clock

    def write(self, report: HidReport) -> None:
        line = {
            "at_us": self._clock.unix_ns() // NS_PER_US,
            "device": report.device,
            "report": report.data.hex(),
        }
        try:
            fd = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _FILE_MODE)
            with open(fd, "w", encoding="ascii") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            raise DeviceFailed(f"{self._file}: cannot be written: {error.strerror}") from None

    def let_go(self, reports: tuple[HidReport, ...]) -> None:
        for report in reports:
            self.write(report)

    def pump(self) -> None:
        """Nothing waits."""

    @property
    def waits(self) -> bool:
        return False

    def close(self) -> None:
        """Nothing is open."""
