"""What `teleconsult archive …` does, without the terminal: typed functions that return results and exit
codes.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from archive import layout
from archive.export import export_consultation, sealed_bytes
from archive.faults import ArchiveFault
from archive.keys import TrustedSigner, create_identity, create_signer, parse_trust, read_trust_file
from archive.opening import read_contents
from archive.results import ExportResult, MadeKey, Summary, VerifyResult
from archive.verify import Progress, consultations_in, is_consultation, verify_consultation
from core.errors import ConfigError

EXIT_USAGE: Final = 2
US_PER_S: Final = 1_000_000


class UsageError(ConfigError):
    """The command was given something it cannot work with (exit code 2)."""

    code = "usage"


def keygen(path: Path, *, signer: bool = False) -> MadeKey:
    """Make an auditor's age identity, or an archive signing key. Raises `ConfigError`; never overwrites."""
    if signer:
        return MadeKey(path, create_signer(path).public, "signer")
    return MadeKey(path, create_identity(path), "identity")


def collect_trust(path: Path, signers: Sequence[str], configured: Sequence[str] = ()) -> list[TrustedSigner]:
    """Signers to trust: those given; else those configured; else `trusted-signers.txt` in the archive's root.

    Raises `ConfigError` when something given is not a signer.
    """
    if signers:
        return [item for value in signers for item in parse_trust(value, "--signer")]
    if configured:
        return [item for value in configured for item in parse_trust(value, "setting trusted_signers")]
    root = path.parent if is_consultation(path) else path
    beside = root / layout.TRUSTED_SIGNERS
    return read_trust_file(beside) if beside.is_file() else []


def folders_at(path: Path) -> list[Path]:
    """The consultation folders `path` means: itself, or all in it. Raises `UsageError`."""
    path = path.absolute()
    if not path.is_dir():
        raise UsageError(f"{path} is not a directory: give a consultation's folder or the archive's root")
    if is_consultation(path):
        return [path]
    folders = consultations_in(path)
    if not folders and not (path / layout.TRUSTED_SIGNERS).exists():
        raise UsageError(f"{path} holds no consultation: give a consultation's folder or the archive's root")
    return folders


def size_of(folders: Sequence[Path]) -> int:
    """Bytes of all files: the total for a progress bar."""
    return sum(item.stat().st_size for folder in folders for item in folder.rglob("*.age"))


def verify(
    path: Path,
    *,
    signers: Sequence[str] = (),
    configured: Sequence[str] = (),
    progress: Progress = lambda count: None,
) -> VerifyResult:
    """Verify one consultation or a whole archive. Raises `UsageError`, `ConfigError`."""
    path = path.absolute()
    folders = folders_at(path)
    trust = collect_trust(path, signers, configured)
    bound = folders != [path]
    started = time.perf_counter()
    reports = [
        verify_consultation(folder, trust, progress=progress, bound_to_name=bound) for folder in folders
    ]
    return VerifyResult(path, tuple(trust), tuple(reports), time.perf_counter() - started)


def export(
    path: Path,
    identity: Path,
    out: Path | None = None,
    *,
    signers: Sequence[str] = (),
    configured: Sequence[str] = (),
    progress: Progress = lambda count: None,
) -> ExportResult:
    """Verify, decrypt and remux one consultation. Raises `UsageError`, `ConfigError`, `ArchiveFault`."""
    path = path.absolute()
    if folders_at(path) != [path]:
        raise UsageError(f"{path} is a whole archive: give one consultation's folder")
    report = verify_consultation(path, collect_trust(path, signers, configured))
    target = out or Path.cwd() / f"{path.name}-export"
    return ExportResult(report, export_consultation(path, identity, target, progress=progress))


def export_size(path: Path) -> int:
    """Sealed bytes an export reads: the total for a progress bar; 0 when the manifest cannot be read."""
    try:
        return sealed_bytes(read_contents(path))
    except ArchiveFault:
        return 0


def summarise(folder: Path) -> Summary:
    """Read one manifest without verifying it."""
    try:
        contents = read_contents(folder)
    except ArchiveFault as fault:
        return Summary(folder, folder.name, 0, "unreadable", 0, 0, None, str(fault))
    state = "closed" if contents.closed else "open"
    pieces = [piece for row in contents.pieces.values() for piece in row]
    return Summary(
        path=folder,
        consultation=contents.opened.consultation,
        opened_at_us=contents.opened.epoch_us,
        state="unreadable" if contents.fault else state,
        duration_us=max((piece.end_us for piece in pieces), default=0),
        size_bytes=sealed_bytes(contents),
        contents=contents,
        fault=str(contents.fault) if contents.fault else None,
    )


def list_archive(root: Path) -> list[Summary]:
    """Every consultation in an archive. Raises `UsageError`."""
    return [summarise(folder) for folder in folders_at(root)]
