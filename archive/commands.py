"""What `teleconsult archive …` does, without the terminal: typed functions that return results and exit
codes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from archive import layout
from archive.commands_decisions import DecisionResult, Person, approve, ask
from archive.decisions import Ledger
from archive.export import export_consultation, sealed_bytes
from archive.export_stills import export_stills, writer
from archive.export_wall import export_wall
from archive.faults import ArchiveFault
from archive.keys import TrustedSigner, create_identity, create_signer, parse_trust, read_trust
from archive.opening import current_ledger, read_contents
from archive.overlay import maker
from archive.results import ExportResult, MadeKey, Summary, VerifyResult
from archive.shred_request import read_request
from archive.store_base import Folder
from archive.store_open import Found, UsageError
from archive.verify import Progress, verify_consultation

EXIT_USAGE: Final = 2
US_PER_S: Final = 1_000_000


def keygen(path: Path, *, signer: bool = False, person: bool = False) -> MadeKey:
    """Make an auditor's age identity, an archive signing key, or a person's key for decisions.

    Raises `ConfigError`; never overwrites.
    """
    if signer and person:
        raise UsageError("--signer and --person are two different keys: make one at a time")
    if person:
        return MadeKey(path, create_signer(path).public, "person")
    if signer:
        return MadeKey(path, create_signer(path).public, "signer")
    return MadeKey(path, create_identity(path), "identity")


def collect_trust(
    beside: Callable[[], list[TrustedSigner]], signers: Sequence[str], configured: Sequence[str] = ()
) -> list[TrustedSigner]:
    """Signers to trust: those given; else those configured; else `beside`, in the archive's root.

    Raises `ConfigError` when something given is not a signer.
    """
    if signers:
        return [item for value in signers for item in parse_trust(value, "--signer")]
    if configured:
        return [item for value in configured for item in parse_trust(value, "setting trusted_signers")]
    return beside()


def trust_beside(found: Found) -> list[TrustedSigner]:
    """What `trusted-signers.txt` in the archive's root says. Raises `ConfigError`."""
    data = found.archive.read_root(layout.TRUSTED_SIGNERS)
    return [] if data is None else read_trust(data, f"{found.archive.place}/{layout.TRUSTED_SIGNERS}")


def size_of(folders: Sequence[Folder]) -> int:
    """Bytes of all objects: the total for a progress bar."""
    return sum(object_bytes(folder) for folder in folders)


def object_bytes(folder: Folder) -> int:
    """As the manifest says; 0 when it cannot be read."""
    try:
        return sealed_bytes(read_contents(folder))
    except ArchiveFault:
        return 0


def verify(
    found: Found,
    *,
    signers: Sequence[str] = (),
    configured: Sequence[str] = (),
    progress: Progress = lambda count: None,
    people: Sequence[TrustedSigner] = (),
) -> VerifyResult:
    """Verify one consultation or a whole archive. Raises `ConfigError`, `OSError`."""
    trust = collect_trust(lambda: trust_beside(found), signers, configured)
    started = time.perf_counter()
    reports = [
        verify_consultation(
            folder, trust, progress=progress, bound_to_name=not found.one, people=keys_of(people)
        )
        for folder in found.folders
    ]
    return VerifyResult(found.place, tuple(trust), tuple(reports), time.perf_counter() - started)


def keys_of(people: Sequence[TrustedSigner]) -> set[str]:
    """Public keys alone."""
    return {item.public for item in people}


def ask_to_export(folder: Folder, form: str, reason: str | None, who: Person, file: Path) -> DecisionResult:
    """Write one person's request for an export. Raises `ConfigError`, `OSError`."""
    if not reason:
        raise UsageError("--reason is missing")
    return ask(folder, "export", reason, who, file, form=form)


def approve_export(folder: Folder, form: str, file: Path, who: Person) -> DecisionResult:
    """Approve another's request. Raises `ConfigError`, `OSError`."""
    if read_request(file).terms.get("form") != form:
        raise UsageError(f"{file} asks for another form: look at --wall and --stills")
    return approve(folder, "export", file, who)


def export(
    folder: Folder,
    identity: Path,
    out: Path | None,
    trusted: Sequence[TrustedSigner],
    people: Sequence[TrustedSigner] = (),
    *,
    wall: bool = False,
    burn_in: bool = False,
    stills: bool = False,
    progress: Progress = lambda count: None,
) -> ExportResult:
    """Verify, decrypt and write one consultation. Raises `ConfigError`, `ArchiveFault`, `OSError`."""
    report = verify_consultation(folder, trusted, people=keys_of(people))
    target = out or Path.cwd() / f"{folder.name}-export"
    if stills:
        return ExportResult(report, export_stills(folder, identity, target, writer(), progress=progress))
    if wall or burn_in:
        overlay = maker() if burn_in else None
        return ExportResult(report, export_wall(folder, identity, target, progress=progress, overlay=overlay))
    return ExportResult(report, export_consultation(folder, identity, target, progress=progress))


def summarise(folder: Folder) -> Summary:
    """Read one manifest without verifying it."""
    try:
        contents = read_contents(folder)
    except ArchiveFault as fault:
        return Summary(folder.place, folder.name, 0, "unreadable", 0, 0, None, str(fault))
    state = "closed" if contents.closed else "open"
    ledger = _ledger(folder)
    if ledger is not None and ledger.shredded is not None:
        state = "shredded"
    pieces = [piece for row in contents.pieces.values() for piece in row]
    return Summary(
        path=folder.place,
        consultation=contents.opened.consultation,
        opened_at_us=contents.opened.epoch_us,
        state="unreadable" if contents.fault else state,
        duration_us=max((piece.end_us for piece in pieces), default=0),
        size_bytes=sealed_bytes(contents),
        contents=contents,
        fault=str(contents.fault) if contents.fault else None,
        ledger=ledger,
    )


def _ledger(folder: Folder) -> Ledger | None:
    """What was decided about it; None when that cannot be read."""
    try:
        return current_ledger(folder)
    except ArchiveFault:
        return None


def list_archive(found: Found) -> list[Summary]:
    """Every consultation in an archive."""
    return [summarise(folder) for folder in found.folders]
