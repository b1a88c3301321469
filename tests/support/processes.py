"""Processes that this one started, directly or not."""

from __future__ import annotations

import contextlib
import os
import signal
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path


def descendants(ancestor: int | None = None) -> set[int]:
    """Ids of everything below `ancestor` (this process)."""
    children: dict[int, list[int]] = defaultdict(list)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                parent = (entry / "stat").read_text().rsplit(") ", 1)[1].split()[1]
                children[int(parent)].append(int(entry.name))
    found: set[int] = set()
    waiting = [os.getpid() if ancestor is None else ancestor]
    while waiting:
        for child in children[waiting.pop()]:
            found.add(child)
            waiting.append(child)
    return found


@contextlib.contextmanager
def stopped(pids: Iterable[int]) -> Iterator[None]:
    """They neither run nor end meanwhile, as in a sleeping machine."""
    held = list(pids)
    for pid in held:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in held:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def command_lines(parent: int) -> dict[int, str]:
    """Of its children, by id."""
    found: dict[int, str] = {}
    for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            found[int(pid)] = b" ".join(words).decode().strip()
    return found
