"""What the archive's uploader (in the recorder's process) says about itself, for `/readyz` and `/metrics`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

STATUS: Final = Path(".upload") / "status.json"
US_PER_S: Final = 1_000_000
LATE_S: Final = 600
"""A copy that is this far behind deserves a word."""


@dataclass(frozen=True, slots=True)
class CopyStatus:
    """`failing_since_us`: None while the store works. `behind_us`: since when the oldest it lacks waits."""

    place: str
    failing_since_us: int | None
    reason: str
    waiting: int
    behind_us: int | None

    def behind_s(self, now: datetime) -> float:
        """How far the copy is behind, in seconds."""
        if self.behind_us is None:
            return 0.0
        return max(0.0, now.timestamp() - self.behind_us / US_PER_S)


def read_status(archive_dir: Path) -> CopyStatus | None:
    """None where nothing is uploaded, or the uploader is on another machine."""
    try:
        return CopyStatus(**json.loads((archive_dir / STATUS).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def note(status: CopyStatus, now: datetime) -> str | None:
    """What an operator should know, if anything."""
    if status.failing_since_us is not None:
        since = datetime.fromtimestamp(status.failing_since_us / US_PER_S, UTC)
        return (
            f"archives are not copied to {status.place} since {since:%Y-%m-%d %H:%M}Z: {status.reason}; "
            "recording goes on, on this machine"
        )
    if (behind_s := status.behind_s(now)) > LATE_S:
        return f"the copy of the archives in {status.place} is {behind_s / 60:.0f} minutes behind"
    return None
