"""Verifies a whole archive against its log and what witnesses kept. Offline, with public keys only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from archive.checkpoint import ED25519, Checkpoint, Note, VerifierKey
from archive.faults import Verdict, worst
from archive.log_audit import LogAuditor
from archive.log_consultations import Comparison
from archive.log_findings import LogProblem, LogReport
from archive.log_kept import Kept, KeptReader
from archive.log_keyring import Keyring, find_rotations
from archive.log_keys import TrustedLog, parse_key_lines, parse_keys, parse_witnesses
from archive.log_records import (
    CHECKPOINTS,
    ENTRIES,
    FOLDER,
    TRUSTED_LOGS,
    CheckpointRecord,
    parse_record,
)
from archive.log_source import LocalLog, LogSource, StoreLog
from archive.results import VerifyResult
from archive.store_base import BLOCK_BYTES, LocalArchive, split_lines
from archive.store_open import S3_SCHEME, Found, LayeredArchive, StoreSettings, UsageError, open_store
from archive.store_s3 import S3Archive
from archive.timestamp import OTHER_TEXT, StampVerifier, read_certificates
from archive.verify import overall
from core.errors import ConfigError, ProtocolError

MAX_WITNESS_BYTES: Final = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class LogOptions:
    """What was given on the command line, or configured."""

    place: str | None = None
    """A folder or an `s3://` URL; None: the log beside the archive."""
    keys: Sequence[str] = ()
    configured_keys: Sequence[str] = ()
    witness_files: Sequence[Path] = ()
    witness_keys: Sequence[str] = ()
    tsa: Sequence[Path] = ()
    """Certificates of time stamp authorities."""


@dataclass(frozen=True, slots=True)
class LoggedResult(VerifyResult):
    """Consultations' reports, and the log's."""

    log: LogReport

    @property
    def verdict(self) -> Verdict:
        return worst([overall(self.reports), self.log.verdict])

    def fields(self) -> dict[str, Any]:
        return {**VerifyResult.fields(self), "log": self.log.fields()}


def check_log_options(options: LogOptions, *, log: bool) -> None:
    """Raises `UsageError` for options that need --log."""
    if not log and (options.place is not None or options.keys):
        raise UsageError("a log's folder and key are for --log")
    in_store = options.place is not None and options.place.startswith(S3_SCHEME)
    if options.place is not None and not in_store and not Path(options.place).is_dir():
        raise UsageError(f"{options.place} is not a directory: give the log's folder after --log")


def with_log(
    result: VerifyResult, found: Found, options: LogOptions, settings: StoreSettings
) -> LoggedResult:
    """Add the comparison with the log to a verification. Raises `ConfigError`, `OSError`."""
    source = _beside(found) if options.place is None else _named(options.place, settings)
    report = verify_log(source, found, options, [item.public for item in result.trust])
    return LoggedResult(result.path, result.trust, result.reports, result.seconds, report)


def verify_log(source: LogSource, found: Found, options: LogOptions, signers: Sequence[str]) -> LogReport:
    """`signers`: trusted signers of archives, for heads that witnesses kept. Raises `ConfigError`,
    `OSError`.
    """
    trust = _trusted_logs(source, found, options)
    logs = [item.key for item in trust]
    keys = Keyring(logs, find_rotations(source.lines(ENTRIES)) if source.exists else ())
    kept = [_read_kept(path, KeptReader(keys, signers)) for path in options.witness_files]
    report = LogReport(source.place)
    if not source.exists:
        report.problems.append(LogProblem(Verdict.MISSING, "there is no log", source.place))
        return report
    report.origin = _origin(source, logs)
    report.trust = next((item.source for item in trust if item.key.name == report.origin), None)
    auditor = LogAuditor(report, keys, parse_witnesses(list(options.witness_keys), "--witness-key"), kept)
    auditor.prepare(source.lines(CHECKPOINTS))
    auditor.run(source.lines(ENTRIES), source.lines(CHECKPOINTS))
    _check_timestamps(report, auditor, options)
    _tell_kept(report, kept)
    folders = {item.name: item for item in found.folders}
    report.findings = Comparison(auditor.book, kept, folders).findings(whole=not found.one)
    report.notes += [f"leaf {index}: {reason}" for index, reason in auditor.book.problems]
    return report


def _check_timestamps(report: LogReport, auditor: LogAuditor, options: LogOptions) -> None:
    if not options.tsa:
        if auditor.timestamps:
            count = len(auditor.timestamps)
            report.notes.append(f"{count} time stamps were not checked: give the authority's --tsa")
        return
    verifier = StampVerifier(read_certificates(options.tsa))
    for record in auditor.timestamps:
        if record.size not in auditor.texts:
            continue  # the log does not reach so far: that was said
        try:
            at_s = verifier.check(record.der, auditor.texts[record.size])
        except ProtocolError as error:
            verdict = Verdict.ALTERED if error.code == OTHER_TEXT else Verdict.UNVERIFIABLE
            reason = f"the time stamp at {record.size} leaves: {error}"
            report.problems.append(LogProblem(verdict, reason, CHECKPOINTS))
        else:
            report.timestamps.append({"size": record.size, "at_s": at_s})


def _tell_kept(report: LogReport, kept: Sequence[Kept]) -> None:
    for file in kept:
        fields = {
            "file": file.source,
            "checkpoints": sum(map(len, file.checkpoints.values())),
            "heads": len(file.heads),
            "newest_size": file.newest_size,
        }
        report.witnesses.append(fields)
        if file.unusable:
            number, reason = file.unusable[0]
            more = f", and {len(file.unusable) - 1} more" if len(file.unusable) > 1 else ""
            problem = LogProblem(
                Verdict.UNVERIFIABLE, f"line {number} proves nothing: {reason}{more}", file.source
            )
            report.problems.append(problem)


def _trusted_logs(source: LogSource, found: Found, options: LogOptions) -> list[TrustedLog]:
    """Those given; else those configured; else `trusted-logs.txt` beside the log or in the archive's root."""
    if options.keys:
        return [item for value in options.keys for item in parse_keys(value, "--log-key", ED25519)]
    if options.configured_keys:
        where = "setting trusted_logs"
        return [item for value in options.configured_keys for item in parse_keys(value, where, ED25519)]
    data = source.trusted()
    if data is None:
        data = found.archive.read_root(TRUSTED_LOGS)
    where = f"{source.place.rpartition('/')[0]}/{TRUSTED_LOGS}"
    return [] if data is None else parse_key_lines(data, where, ED25519)


def _origin(source: LogSource, logs: Sequence[VerifierKey]) -> str:
    """The name its first checkpoint bears, if a trusted log bears it; else a trusted one's, if there is
    any.
    """
    first, names = _first_origin(source), [key.name for key in logs]
    return first if first in names or not names else names[0]


def _first_origin(source: LogSource) -> str:
    for line in source.lines(CHECKPOINTS):
        try:
            record = parse_record(line[:-1])
            if isinstance(record, CheckpointRecord):
                return Checkpoint.parse(Note.parse(record.note).text).origin
        except ProtocolError:
            continue
    return ""


def _read_kept(path: Path, reader: KeptReader) -> Kept:
    """Raises `ConfigError`."""
    try:
        if path.stat().st_size > MAX_WITNESS_BYTES:
            raise ConfigError(f"{path} is larger than {MAX_WITNESS_BYTES >> 20} MiB")
        return reader.read(str(path), _lines(path))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from split_lines(iter(lambda: file.read(BLOCK_BYTES), b""))


def _beside(found: Found) -> LogSource:
    """The log in the archive's root, here or in the store."""
    archive = found.archive
    if isinstance(archive, LayeredArchive):
        archive = archive.near
    if isinstance(archive, LocalArchive):
        return LocalLog(archive.root / FOLDER)
    if isinstance(archive, S3Archive):
        return StoreLog(archive)
    raise UsageError("this archive has no log beside it: give the log's folder")


def _named(place: str, settings: StoreSettings) -> LogSource:
    """Raises `ConfigError`."""
    if not place.startswith(S3_SCHEME):
        return LocalLog(Path(place).absolute())
    return StoreLog(open_store(place.rstrip("/").removesuffix(f"/{FOLDER}"), settings))
