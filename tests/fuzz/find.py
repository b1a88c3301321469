"""Searches for inputs that break a target, guided by what code they reach (atheris; Linux on x86-64).

`python -m tests.fuzz.find [--minutes 1] [--keep 40] TARGET…` (none: all of them, one after the other). What
breaks is saved as `found-…` in the corpus, and so are the smallest inputs that reached something new, up to
`--keep`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz.corpus_files import CORPUS, MAX_FILE_BYTES, save, saved

INSTRUMENTED = (
    "rtp",
    "transport.stun",
    "transport.framing",
    "sfu",
    "archive",
    "core.messages",
    "signaling.permissions",
    "aioice",
)
MAX_INPUT_BYTES = 4_096
SLOW_S = 5


def child(name: str, arguments: list[str]) -> None:
    """The search itself, which ends its process."""
    import atheris

    with atheris.instrument_imports(include=list(INSTRUMENTED)):
        from tests.fuzz.targets import TARGETS
    atheris.Setup([sys.argv[0], *arguments], TARGETS[name])
    atheris.Fuzz()


def search(name: str, minutes: float, keep: int) -> bool:
    """False when something was found."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        work, crash = Path(folder, "work"), Path(folder, "crash-")
        shutil.copytree(CORPUS / name, work)
        flags = [
            f"-max_total_time={int(minutes * 60)}",
            f"-max_len={MAX_INPUT_BYTES}",
            f"-timeout={SLOW_S}",
            f"-artifact_prefix={crash}",
            "-verbosity=0",
        ]
        command = [sys.executable, "-m", "tests.fuzz.find", "--child", name, "--", *flags, str(work)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
        for path in Path(folder).glob("crash-*"):
            print(f"{name}: {save(name, path.read_bytes(), 'found-')}")
        if done.returncode:
            print(done.stderr[-3_000:])
        kept = _keep(name, work, keep)
        print(f"{name}: {len(list(work.iterdir()))} inputs reach all that was reached; {kept} more are kept")
        return done.returncode == 0


def _keep(name: str, work: Path, keep: int) -> int:
    """Add the smallest new ones to the saved corpus."""
    known = set(saved(name).values())
    news = sorted((path.read_bytes() for path in work.iterdir()), key=len)
    chosen = [data for data in news if data not in known and len(data) <= MAX_FILE_BYTES][:keep]
    for data in chosen:
        save(name, data)
    return len(chosen)


def main() -> int:
    """Exit code 1 when anything was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*")
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--keep", type=int, default=40)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        child(given.child, given.targets)
        return 0
    names = given.targets or sorted(path.name for path in CORPUS.iterdir())
    broken = [name for name in names if not search(name, given.minutes, given.keep)]
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
