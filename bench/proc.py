"""What the kernel says of processes and of the machine (proc(5)), and how fast the machine is just now."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

REFERENCE_BYTES: Final = 1_150
REFERENCE_RUNS: Final = 300
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
_IDLE_COLUMNS: Final = slice(3, 5)
"""idle and iowait."""


def rss_bytes(pid: int) -> int:
    """Memory a process holds; 0 when the kernel does not say."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


def open_files(pid: int) -> int:
    """Descriptors a process holds."""
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def cpu_seconds(pid: int) -> tuple[float, float]:
    """(user, system) time of a process with all its threads, ended ones too. In steps of 10 ms."""
    text = Path(f"/proc/{pid}/stat").read_text()
    fields = text[text.rindex(")") + 2 :].split()  # the command's name may hold anything
    return int(fields[11]) / _TICKS_PER_S, int(fields[12]) / _TICKS_PER_S


@dataclass(frozen=True)
class MachineTime:
    """Of all cores together, in ticks. `steal`: the hypervisor gave it to another machine."""

    total: int
    idle: int
    steal: int

    @classmethod
    def now(cls) -> MachineTime:
        """Read /proc/stat."""
        first = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
        columns = [int(column) for column in first[:8]]  # guest time is in user time already
        return cls(sum(columns), sum(columns[_IDLE_COLUMNS]), columns[7])

    def percent_since(self, before: MachineTime) -> tuple[float, float]:
        """(idle, stolen) in percent."""
        total = max(1, self.total - before.total)
        return 100 * (self.idle - before.idle) / total, 100 * (self.steal - before.steal) / total


def cpu_model() -> str:
    """The processor's name, or nothing where the kernel does not tell it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return ""


async def wait_measuring(seconds: float) -> float:
    """Wait, now and then timing an encryption; the median in µs."""
    encrypt, payload = AESGCM(bytes(32)).encrypt, bytes(REFERENCE_BYTES)
    loop = asyncio.get_running_loop()
    end, samples = loop.time() + seconds, []
    while (left := end - loop.time()) > 0:
        start = time.process_time()
        for _ in range(REFERENCE_RUNS):
            encrypt(bytes(12), payload, None)
        samples.append((time.process_time() - start) / REFERENCE_RUNS * 1e6)
        await asyncio.sleep(min(0.5, left))
    return statistics.median(samples)
