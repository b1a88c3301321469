"""A Janus of our own beside whatever else runs: its own configuration, sockets and ports, no admin API."""

from __future__ import annotations

import re
import shutil
import subprocess
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from bench.janus_api import JANUS_ROOM
from bench.processes import serving
from core.errors import ConfigError

PROGRAM: Final = "janus"
PLUGIN_LIBRARY: Final = "libjanus_videoroom.so"
TRANSPORT_LIBRARY: Final = "libjanus_websockets.so"
LIBRARY_PLACES: Final = ("/usr/lib/*/janus", "/usr/lib/janus", "/usr/local/lib/janus", "/opt/janus/lib/janus")
RTP_PORTS: Final = "20000-29999"
"""Below the range Linux gives to other sockets."""
LOG_TAIL_CHARS: Final = 2_000


def program() -> str:
    """Where Janus is. Raises `ConfigError` when it is not installed."""
    found = shutil.which(PROGRAM)
    if found is None:
        raise ConfigError("Janus is not installed; run: scripts/install-janus (or apt-get install janus)")
    return found


def version() -> str:
    """Janus' version as it tells it."""
    # No option prints the version alone; every start prints it first, and --help ends after that.
    text = subprocess.run([program(), "--help"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"\(([0-9.]+)\)", text)
    return found[1] if found else "unknown"


def find_libraries() -> Path:
    """The directory with Janus' `plugins` and `transports`. Raises `ConfigError`."""
    for pattern in LIBRARY_PLACES:
        for place in Path("/").glob(pattern.removeprefix("/")):
            if (place / "plugins" / PLUGIN_LIBRARY).exists():
                return place
    raise ConfigError(f"{PLUGIN_LIBRARY} is in none of {', '.join(LIBRARY_PLACES)}")


def write_configuration(directory: Path, host: str, libraries: Path) -> Path:
    """Lay out everything Janus needs in `directory`; where its API will be.

    Only what is needed to be alone on the machine differs from Janus' defaults: one plugin, one transport on
    a Unix socket, one address, a range of ports; the room takes H.264. Media settings (NACK, transport-wide
    feedback, event loops, queues) are left as they are.
    """
    api = directory / "api.sock"
    for name in ("plugins", "transports", "nothing"):
        (directory / name).mkdir()
    for kind, library in (("plugins", PLUGIN_LIBRARY), ("transports", TRANSPORT_LIBRARY)):
        (directory / kind / library).symlink_to(libraries / kind / library)
    files = {
        "janus.jcfg": (
            "general: {\n"
            f'  configs_folder = "{directory}"\n'
            f'  plugins_folder = "{directory}/plugins"\n'
            f'  transports_folder = "{directory}/transports"\n'
            f'  events_folder = "{directory}/nothing"\n'
            f'  loggers_folder = "{directory}/nothing"\n'
            "}\n"
            f'media: {{\n  rtp_port_range = "{RTP_PORTS}"\n}}\n'
            f'nat: {{\n  ice_enforce_list = "{host}"\n}}\n'
        ),
        "janus.transport.websockets.jcfg": (
            f'general: {{\n  ws = true\n  ws_unix = "{api}"\n}}\nadmin: {{\n  admin_ws = false\n}}\n'
        ),
        "janus.plugin.videoroom.jcfg": (
            f'room-{JANUS_ROOM}: {{\n  publishers = 100\n  videocodec = "h264"\n}}\n'
        ),
    }
    for name, text in files.items():
        (directory / name).write_text(text)
    return api


@asynccontextmanager
async def janus(directory: str, host: str, prefix: Sequence[str] = ()) -> AsyncIterator[tuple[Process, str]]:
    """Janus with media on `host`, an address of this machine other than loopback; and where its API is.
    `prefix`: of the command.
    """
    place = Path(directory)
    api = write_configuration(place, host, find_libraries())
    command = (*prefix, program(), "-F", directory, "-C", str(place / "janus.jcfg"), "-o")
    with (place / "log").open("wb") as log:
        async with serving(
            command, str(api), died=lambda: _last_words(place), output=log.fileno()
        ) as process:
            yield process, str(api)


def _last_words(place: Path) -> str:
    text = (place / "log").read_text(errors="replace")
    return f"Janus died; its last words: {text[-LOG_TAIL_CHARS:]}"
