"""systemd's notification protocol, sd_notify(3): a datagram of `KEY=value` lines to the socket it named.

Everything here does nothing when systemd did not start us.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator
from typing import Final

SOCKET_VARIABLE: Final = "NOTIFY_SOCKET"
WATCHDOG_VARIABLE: Final = "WATCHDOG_USEC"
WATCHDOG_PID_VARIABLE: Final = "WATCHDOG_PID"
VARIABLES: Final = (SOCKET_VARIABLE, WATCHDOG_VARIABLE, WATCHDOG_PID_VARIABLE)
"""Not for our children: systemd listens to the main process."""


def notify(**fields: str) -> bool:
    """Send e.g. `READY="1"`; False when nobody listens. Never raises and never waits."""
    address = os.environ.get(SOCKET_VARIABLE, "")
    if not address.startswith(("/", "@")):
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    text = "\n".join(f"{key}={' '.join(value.split())}" for key, value in fields.items())
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.setblocking(False)
            sender.sendto(text.encode(), address)
    except OSError:
        return False
    return True


def watchdog_interval_s() -> float | None:
    """How often systemd wants to hear that we live; None: it does not watch this process."""
    if os.environ.get(WATCHDOG_PID_VARIABLE, str(os.getpid())) != str(os.getpid()):
        return None
    try:
        microseconds = int(os.environ.get(WATCHDOG_VARIABLE, ""))
    except ValueError:
        return None
    return microseconds / 1e6 if microseconds > 0 else None


async def feed_watchdog() -> None:
    """Until cancelled: say `WATCHDOG=1` twice per interval. A loop that hangs stops saying it."""
    interval_s = watchdog_interval_s()
    if interval_s is None:
        return
    while True:
        notify(WATCHDOG="1")
        await asyncio.sleep(interval_s / 2)


@contextlib.asynccontextmanager
async def ready(status: str) -> AsyncIterator[None]:
    """Tell systemd that this process serves, keep its watchdog fed, and tell it when the context ends."""
    feeding = asyncio.create_task(feed_watchdog())
    notify(READY="1", STATUS=status)
    try:
        yield
    finally:
        notify(STOPPING="1")
        feeding.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await feeding
