"""`edge run --with-spare`: a box that dies is back before a nurse has seen that it was gone.

Importing takes a box's process seconds. So a spare one waits with everything imported, and becomes the box
when the first one ends, for whatever reason. systemd hears of the box from the process that captures; if that
hangs, systemd ends all of them. That the box stops is said by the guard alone: systemd would end its
successor, too.
"""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Final

from core import systemd
from core.local_service import private_authority
from core.supervisor import Role, Supervisor, own_command
from edge_agents.config import EdgeConfig
from edge_agents.identity import own_identity

SPARE_AFTER_S: Final = 1.0
GUARDED_VARIABLE: Final = "EDGE_GUARDED"


def guard(config: EdgeConfig, file: Path, log_level: str) -> None:
    """Run until SIGTERM or SIGINT. Raises `ConfigError` for a box that has no way in."""
    own_identity(config)
    if config.tls_ca is not None:
        private_authority(config.tls_ca)
    asyncio.run(_guard(file, log_level))


async def _guard(file: Path, log_level: str) -> None:
    heard = (systemd.SOCKET_VARIABLE, systemd.WATCHDOG_VARIABLE)
    environment = {name: os.environ[name] for name in heard if name in os.environ} | {GUARDED_VARIABLE: "1"}
    command = own_command("edge", "run", "--config", str(file), "--log-level", log_level)
    supervisor = Supervisor(
        [Role("edge", command, environment, spare=True)],
        own_command("spare", "--edge"),
        spare_after_s=SPARE_AFTER_S,
    )

    def stop() -> None:
        systemd.notify(STOPPING="1")
        supervisor.stop()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    await supervisor.run()
