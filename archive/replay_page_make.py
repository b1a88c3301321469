"""Makes the page that replays without a service, and checks one: files in, files out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from archive import layout
from archive.audit import ManifestAuditor
from archive.checkpoint import ED25519
from archive.commands_decisions import people_for
from archive.faults import ArchiveFault, Verdict, worst
from archive.keys import ArchiveSigner, TrustedSigner, load_signer
from archive.log_keys import parse_key_lines, parse_keys, parse_witnesses
from archive.log_records import TRUSTED_LOGS
from archive.replay_page import (
    MAX_PAGE_BYTES,
    SIGNATURE_BYTES,
    SIGNATURE_SUFFIX,
    Mark,
    PageCheck,
    Parts,
    Trusted,
    check_page,
    make_page,
    sign_page,
)
from archive.store_base import Folder
from archive.store_open import Found, UsageError
from core.errors import ConfigError, ProtocolError

_PACKAGED: Final = Path(__file__).parent / "courtroom"
_BUILT: Final = Path(__file__).parent.parent / "web_client" / "dist-courtroom"


NOBODY: Final = Trusted(())


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A consultation that the page does not vouch for, and why."""

    consultation: str
    fault: ArchiveFault


@dataclass(frozen=True, slots=True)
class MadePage:
    """A page that was written. `left_out`: consultations that it does not vouch for."""

    path: Path
    sha256: str
    signer: str
    trusted: tuple[TrustedSigner, ...]
    marks: tuple[Mark, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def signature(self) -> Path:
        return signature_of(self.path)

    @property
    def exit_code(self) -> int:
        return int(worst([item.fault.verdict for item in self.left_out]))

    def fields(self) -> dict[str, Any]:
        return {
            "path": str(self.path),
            "signature": str(self.signature),
            "sha256": self.sha256,
            "signer": self.signer,
            "trust": [{"signer": item.public, "source": item.source} for item in self.trusted],
            "consultations": [item.consultation for item in self.marks],
            "left_out": [
                {"consultation": one.consultation, "reason": str(one.fault)} for one in self.left_out
            ],
            "exit_code": self.exit_code,
        }


@dataclass
class Marks:
    """Where each consultation of an archive stands, as far as its manifest holds."""

    good: list[Mark] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)


def signature_of(page: Path) -> Path:
    """Where a page's detached signature lies: beside it."""
    return page.with_name(page.name + SIGNATURE_SUFFIX)


def read_parts(folder: Path | None = None) -> Parts:
    """What the web client's build made. Raises `ConfigError`."""
    where = folder or (_PACKAGED if _PACKAGED.is_dir() else _BUILT)
    try:
        texts = [(where / name).read_text(encoding="utf-8") for name in ("page.js", "page.css", "worker.js")]
    except OSError as error:
        raise ConfigError(
            f"{error.filename}: cannot be read: build the web client first (`make web`)"
        ) from None
    return Parts(*texts)


def choose_signer(given: Path | None, configured: Path) -> ArchiveSigner:
    """The key that signs the page. Raises `ConfigError`; none is ever made here."""
    if given is None and not configured.is_file():
        raise UsageError("a page is signed: give the archive's signing key with --sign")
    return load_signer(given or configured)


def marks_of(found: Found, trusted: Collection[str]) -> Marks:
    """Where its consultations stand. Signatures are checked; objects are not: the page compares them."""
    marks = Marks()
    for folder in found.folders:
        try:
            marks.good.append(_mark(folder, trusted))
        except ArchiveFault as fault:
            marks.left_out.append(LeftOut(folder.name, fault))
    return marks


def others_of(found: Found, people: Sequence[str], logs: Sequence[str], witnesses: Sequence[str]) -> Trusted:
    """Whom the page trusts besides the archives' signers: those configured, else what stands in the archive's
    root. Raises `ConfigError`.
    """
    listed = found.archive.read_root(TRUSTED_LOGS) if not logs else None
    known = parse_key_lines(listed or b"", TRUSTED_LOGS, ED25519)
    known += [item for value in logs for item in parse_keys(value, "setting trusted_logs", ED25519)]
    return Trusted(
        (),
        [item.public for item in people_for(found, [], people)],
        [item.key.text for item in known],
        [key.text for key in parse_witnesses(list(witnesses))],
    )


def write_page(
    out: Path,
    key: ArchiveSigner,
    signers: Sequence[TrustedSigner],
    marks: Marks,
    others: Trusted = NOBODY,
) -> MadePage:
    """Make, sign and write it; what is there is never replaced. `others`: whom else it trusts.

    Raises `ConfigError`, `OSError`.
    """
    if not signers:
        raise UsageError("the page would trust nobody: give the archive's public key with --signer")
    for path in (out, signature_of(out)):
        if path.exists():
            raise UsageError(f"{path} exists: choose another name, or remove it")
    try:
        trusted = replace(others, signers=[item.public for item in signers])
        page = make_page(read_parts(), key.public, trusted, marks.good)
    except ProtocolError as error:
        raise ConfigError(str(error)) from None
    _write_new(out, page)
    try:
        _write_new(signature_of(out), sign_page(page, key))
    except OSError:
        out.unlink()
        raise
    sha256 = hashlib.sha256(page).hexdigest()
    return MadePage(out, sha256, key.public, tuple(signers), tuple(marks.good), tuple(marks.left_out))


def verify_page(
    page: Path, signature: Path | None, trust: Callable[[], Sequence[TrustedSigner]]
) -> PageCheck:
    """Whether a trusted key signed that file. Raises `ConfigError`, `OSError`."""
    if page.stat().st_size > MAX_PAGE_BYTES:
        raise UsageError(f"{page} is too large for a replay page")
    beside = signature or signature_of(page)
    signed = beside.read_bytes()[: SIGNATURE_BYTES + 1] if beside.is_file() else None
    return check_page(page.read_bytes(), signed, [item.public for item in trust()])


def _mark(folder: Folder, trusted: Collection[str]) -> Mark:
    if not folder.has(layout.MANIFEST):
        raise ArchiveFault(Verdict.MISSING, 0, "the manifest is missing")
    audit = ManifestAuditor(frozenset(trusted))
    for line in folder.lines(layout.MANIFEST):
        if not line.endswith(b"\n"):
            break  # a recorder is at work, or a crash cut it
        audit.feed(line)
    if audit.opened is None:
        raise ArchiveFault(Verdict.TRUNCATED, 0, "the manifest does not hold a whole entry")
    if audit.untrusted_signer is not None:
        raise ArchiveFault(Verdict.UNVERIFIABLE, 0, "its signer is not trusted")
    return Mark(audit.opened.consultation, audit.head.next_entry, audit.head.previous)


def _write_new(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
