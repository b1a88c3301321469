"""A disk that is really full: a small file system of its own, filled and emptied while others write on it.

It is a tmpfs in a mount namespace that a waiting process holds; everybody else reaches it through that
process's `/proc/<pid>/root`. Where the system gives nobody a namespace, `LimitedFiles` stands in: the kernel
then refuses the one process every byte, by its limit of file sizes.
"""

from __future__ import annotations

import contextlib
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from core.messages import RecordingProblem

DISK_BYTES = 4 << 20
BLOCK_BYTES = 4096


class Disk(Protocol):
    """`problem`: what the room is told while it is full."""

    path: Path
    problem: RecordingProblem

    def fill(self, pid: int) -> None:
        """For the process `pid`."""

    def fill_ahead(self) -> list[str]:
        """For a process whose command begins with what this returns."""

    def free(self, pid: int) -> None: ...


class SmallFileSystem:
    """Holds 4 MiB."""

    problem: RecordingProblem = "disk_full"

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ballast = path / "ballast"

    def fill(self, pid: int = 0) -> None:
        """To the last block."""
        with self._ballast.open("ab", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(BLOCK_BYTES))

    def fill_ahead(self) -> list[str]:
        self.fill()
        return []

    def free(self, pid: int = 0) -> None:
        self._ballast.unlink(missing_ok=True)


class LimitedFiles:
    """Refuses the process `pid` whatever it writes into a file."""

    problem: RecordingProblem = "disk_fails"

    def __init__(self, path: Path) -> None:
        self.path = path

    def fill(self, pid: int) -> None:
        hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))

    def fill_ahead(self) -> list[str]:
        return ["prlimit", "--fsize=0:"]

    def free(self, pid: int) -> None:
        hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))


@contextlib.contextmanager
def small_disk(place: Path) -> Iterator[Disk]:
    """`place`: an empty folder to mount it on."""
    place.mkdir()
    mount = f'mount -t tmpfs -o size={DISK_BYTES} none "$1" && echo mounted && exec cat'
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, "sh", str(place)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        try:
            if holder.stdout.readline() == b"mounted\n":
                yield SmallFileSystem(Path(f"/proc/{holder.pid}/root", *place.absolute().parts[1:]))
            else:
                yield LimitedFiles(place)
        finally:
            holder.stdin.close()
