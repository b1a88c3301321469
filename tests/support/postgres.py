"""A private PostgreSQL on a Unix socket, for the length of a test session."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final

import asyncpg

UNPRIVILEGED: Final = "postgres"
"""The Debian package's system user: the server refuses to run as root."""
STARTED_WITHIN_S: Final = 60.0
_CLUSTER: Final = ("-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8")
_SETTINGS: Final = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "16MB",
}
"""Nothing here outlives the tests, so nothing has to survive a power failure."""


@dataclass
class PostgreSQL:
    """A running server. Each test gets a database of its own."""

    sockets: Path
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def new_database(self, like: str = "template1") -> str:
        """The URL of a new one: empty, or a copy of the one called `like`, which nobody may be using."""
        name = f"test_{next(self._numbers)}"
        asyncio.run(self._execute(f"CREATE DATABASE {name} TEMPLATE {like}"))
        return f"postgresql+asyncpg://{UNPRIVILEGED}@/{name}?host={self.sockets}"

    def drop_database(self, url: str) -> None:
        """With whatever is still connected to it."""
        asyncio.run(self._execute(f"DROP DATABASE {name_of(url)} WITH (FORCE)"))

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(host=str(self.sockets), user=UNPRIVILEGED, database="postgres")
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    def answers(self) -> bool:
        """True when it takes connections."""
        try:
            asyncio.run(self._execute("SELECT 1"))
        except (OSError, asyncpg.PostgresError):
            return False
        return True


def name_of(url: str) -> str:
    """The database's name."""
    return url.partition("@/")[2].partition("?")[0]


@contextmanager
def running_postgresql() -> Iterator[PostgreSQL]:
    """Make a cluster, run it, leave nothing behind. Raises `FileNotFoundError` where it is not installed."""
    binaries = find_binaries()
    directory = Path(tempfile.mkdtemp(prefix="teleconsult-pg-", dir="/tmp"))
    identity = _identity()
    if identity:
        os.chown(directory, identity["user"], identity["group"])
    try:
        data = directory / "data"
        subprocess.run(
            [binaries / "initdb", "-D", data, "-U", UNPRIVILEGED, *_CLUSTER],
            check=True,
            capture_output=True,
            cwd=directory,
            **identity,
        )
        with _server(binaries, data, directory, identity) as server:
            yield server
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def find_binaries() -> Path:
    """The newest version's. Raises `FileNotFoundError` saying what to do."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    if not found:
        raise FileNotFoundError("PostgreSQL is not installed; run scripts/install-test-tools")
    return found[-1].parent


@contextmanager
def _server(binaries: Path, data: Path, sockets: Path, identity: dict[str, Any]) -> Iterator[PostgreSQL]:
    options = [option for name, value in _SETTINGS.items() for option in ("-c", f"{name}={value}")]
    command = [binaries / "postgres", "-D", data, "-k", sockets, *options]
    with (sockets / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=sockets, **identity)
    server = PostgreSQL(sockets)
    try:
        deadline_s = time.monotonic() + STARTED_WITHIN_S
        while not server.answers():
            if process.poll() is not None or time.monotonic() > deadline_s:
                raise RuntimeError(f"PostgreSQL did not start: {(sockets / 'log').read_text()}")
            time.sleep(0.05)
        yield server
    finally:
        process.send_signal(2)  # SIGINT: a fast shutdown
        process.wait(STARTED_WITHIN_S)


def _identity() -> dict[str, Any]:
    """Whom to run it as."""
    if os.getuid() != 0:
        return {}
    entry = pwd.getpwnam(UNPRIVILEGED)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
