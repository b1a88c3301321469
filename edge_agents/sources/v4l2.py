"""Asks a V4L2 device, beside whoever captures from it, what it can do and what it receives."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from edge_agents.sources import v4l2_abi as abi
from edge_agents.sources.facts import Facts, Mode
from edge_agents.sources.v4l2_abi import InputStatus, Request, Timings

Ioctl = Callable[[Request, bytearray], None]
"""Fills the buffer, or raises OSError as the kernel does."""
NOT_SUPPORTED: Final = frozenset({errno.ENOTTY, errno.EINVAL, errno.ENODATA, errno.EOPNOTSUPP})


@contextlib.contextmanager
def opened(device: Path) -> Iterator[Ioctl]:
    """The device, without taking it from whoever uses it. Raises `OSError`."""
    handle = os.open(device, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def call(request: Request, data: bytearray) -> None:
        fcntl.ioctl(handle, request, data)

    try:
        yield call
    finally:
        os.close(handle)


def ask(device: Path) -> Facts:
    """Everything. Raises `OSError` when the device cannot be opened or is none."""
    with opened(device) as ioctl:
        return facts_of(ioctl)


def facts_of(ioctl: Ioctl) -> Facts:
    """As `ask`."""
    buffer = abi.capability_request()
    ioctl(Request.QUERYCAP, buffer)
    capability = abi.capability(bytes(buffer))
    if not capability.captures:
        return Facts(capability.card, capability.driver, capability.bus, captures=False)
    measured, error = measure(ioctl)
    return Facts(
        capability.card,
        capability.driver,
        capability.bus,
        modes=tuple(_modes(ioctl)),
        status=status_of(ioctl),
        timings=measured,
        timings_error=error,
        edid_blocks=_edid_blocks(ioctl),
    )


def status_of(ioctl: Ioctl) -> InputStatus:
    """What the input in use says; nothing for a device that knows nothing."""
    index = bytearray(4)
    try:
        ioctl(Request.G_INPUT, index)
        buffer = abi.input_request(int.from_bytes(index, "little"))
        ioctl(Request.ENUMINPUT, buffer)
    except OSError as error:
        if error.errno in NOT_SUPPORTED:
            return InputStatus(0)
        raise
    return abi.input_of(bytes(buffer)).status


def measure(ioctl: Ioctl) -> tuple[Timings | None, int]:
    """The signal's timings, or the errno that says why there are none; (None, 0): it cannot be asked."""
    buffer = bytearray(abi.TIMINGS_BYTES)
    try:
        ioctl(Request.QUERY_DV_TIMINGS, buffer)
    except OSError as error:
        return None, 0 if error.errno in NOT_SUPPORTED else error.errno or errno.EIO
    return abi.timings(bytes(buffer)), 0


def follow(ioctl: Ioctl) -> Timings | None:
    """Set the device to the signal that it receives, as receivers of HDMI and SDI want to be told.

    None when it does that by itself, as USB converters do. Raises `OSError`.
    """
    buffer = bytearray(abi.TIMINGS_BYTES)
    try:
        ioctl(Request.QUERY_DV_TIMINGS, buffer)
    except OSError as error:
        if error.errno in NOT_SUPPORTED:
            return None
        raise
    ioctl(Request.S_DV_TIMINGS, buffer)
    return abi.timings(bytes(buffer))


def _modes(ioctl: Ioctl) -> Iterator[Mode]:
    for pixels in _formats(ioctl):
        for width, height in _sizes(ioctl, pixels.fourcc):
            for rate_hz in _rates(ioctl, pixels.fourcc, width, height) or [0.0]:
                yield Mode(pixels.fourcc, width, height, rate_hz)


def _formats(ioctl: Ioctl) -> list[abi.PixelFormat]:
    return [abi.pixel_format(data) for data in _listed(ioctl, Request.ENUM_FMT, abi.format_request)]


def _sizes(ioctl: Ioctl, pixels: str) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for data in _listed(ioctl, Request.ENUM_FRAMESIZES, lambda index: abi.size_request(index, pixels)):
        sizes, more = abi.frame_sizes(data)
        found += sizes
        if not more:
            break
    return found


def _rates(ioctl: Ioctl, pixels: str, width: int, height: int) -> list[float]:
    found: list[float] = []

    def request(index: int) -> bytearray:
        return abi.interval_request(index, pixels, width, height)

    for data in _listed(ioctl, Request.ENUM_FRAMEINTERVALS, request):
        rates, more = abi.frame_rates(data)
        found += rates
        if not more:
            break
    return found


def _listed(ioctl: Ioctl, request: Request, make: Callable[[int], bytearray]) -> Iterator[bytes]:
    """The entries of a list, until the driver says that there are no more."""
    for index in range(abi.MAX_ENTRIES):
        buffer = make(index)
        try:
            ioctl(request, buffer)
        except OSError as error:
            if error.errno in NOT_SUPPORTED:
                return
            raise
        yield bytes(buffer)


def _edid_blocks(ioctl: Ioctl) -> int | None:
    memory = ctypes.create_string_buffer(4 * abi.EDID_BLOCK_BYTES)
    buffer = abi.edid_request(ctypes.addressof(memory), 4)
    try:
        ioctl(Request.G_EDID, buffer)
    except OSError as error:
        return 0 if error.errno == errno.ENODATA else None
    return abi.edid_blocks(bytes(buffer))
