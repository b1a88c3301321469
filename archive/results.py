"""Results of `teleconsult archive …` and their JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archive.decisions import Ledger
from archive.entries import Custodian, GenerationEntry
from archive.export import Export, gap_fields, track_fields
from archive.export_stills import WrittenStill
from archive.faults import Verdict
from archive.keys import TrustedSigner
from archive.opening import Contents
from archive.verify import Report, overall


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A key file and its public half: a recipient (`age1…`) or a signer (`ed25519:…`)."""

    path: Path
    public: str
    kind: str

    def fields(self) -> dict[str, Any]:
        return {"kind": self.kind, "path": str(self.path), "public": self.public}


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """One or many consultations' reports; the exit code is the gravest verdict."""

    path: str
    trust: tuple[TrustedSigner, ...]
    reports: tuple[Report, ...]
    seconds: float

    @property
    def verdict(self) -> Verdict:
        return overall(self.reports)

    @property
    def exit_code(self) -> int:
        return int(self.verdict)

    @property
    def bytes(self) -> int:
        return sum(report.bytes for report in self.reports)

    def fields(self) -> dict[str, Any]:
        return {
            "path": self.path,
            "verdict": self.verdict.name.lower(),
            "exit_code": self.exit_code,
            "open": any(report.open for report in self.reports),
            "bytes": self.bytes,
            "seconds": round(self.seconds, 3),
            "trust": [{"signer": item.public, "source": item.source} for item in self.trust],
            "consultations": [report_fields(report) for report in self.reports],
        }


def still_fields(still: WrittenStill) -> dict[str, Any]:
    """JSON of one exported still."""
    return {
        "still_id": still.still_id,
        "feed": still.feed,
        "captured_us": still.captured_us,
        "drawings": still.drawings,
        "files": [file.name for file in still.files],
    }


@dataclass(frozen=True, slots=True)
class ExportResult:
    """What was exported, after what verification."""

    report: Report
    export: Export

    @property
    def exit_code(self) -> int:
        """Damage is reported; a missing signer's key is only said: the holder of the identity may look."""
        faults = [fault.verdict for fault in self.export.faults]
        return int(min(faults, default=0)) or int(
            self.report.verdict if self.report.verdict is not Verdict.UNVERIFIABLE else 0
        )

    def fields(self) -> dict[str, Any]:
        return {
            "consultation": self.export.consultation,
            "directory": str(self.export.directory),
            "exit_code": self.exit_code,
            "verification": report_fields(self.report),
            "epoch_us": self.export.epoch_us,
            "events": self.export.events,
            "tracks": [track_fields(track) for track in self.export.tracks],
            "stills": [still_fields(still) for still in self.export.stills],
            "left_out": [
                {"entry": fault.entry, "object": fault.object_path, "reason": fault.reason}
                for fault in self.export.faults
            ],
        }


@dataclass(frozen=True, slots=True)
class Summary:
    """What a manifest says about one consultation, unverified. `fault`: why it could not be read to its
    end.
    """

    path: str
    consultation: str
    opened_at_us: int
    state: str
    duration_us: int
    size_bytes: int
    contents: Contents | None
    fault: str | None
    ledger: Ledger | None = None

    def fields(self) -> dict[str, Any]:
        return {
            "consultation": self.consultation,
            "path": self.path,
            "state": self.state,
            "opened_at_us": self.opened_at_us,
            "duration_us": self.duration_us,
            "bytes": self.size_bytes,
            "fault": self.fault,
            "holds": sorted(self.ledger.holds) if self.ledger else [],
        }


def generation_fields(entry: GenerationEntry, contents: Contents) -> dict[str, Any]:
    """One row of `archive show`."""
    pieces = contents.pieces[entry.track, entry.generation]
    return {
        "track": entry.track,
        "generation": entry.generation,
        "codec": entry.codec,
        "width": entry.width,
        "height": entry.height,
        "feed": entry.feed,
        "pieces": len(pieces),
        "begin_us": pieces[0].begin_us if pieces else None,
        "end_us": pieces[-1].end_us if pieces else None,
        "bytes": entry.size + sum(piece.size for piece in pieces),
        "reason": entry.reason,
    }


def custodians(summary: Summary) -> Sequence[Custodian]:
    """Who can open it now: those of entry 0, or of the last re-wrapping."""
    if summary.ledger is not None:
        return summary.ledger.recipients
    return summary.contents.opened.recipients if summary.contents else []


def show_fields(summary: Summary) -> dict[str, Any]:
    """Everything `archive show --json` says."""
    contents = summary.contents
    if contents is None:
        return summary.fields()
    return {
        **summary.fields(),
        "custodians": [item.model_dump() for item in custodians(summary)],
        "decisions": [item.model_dump() for item in summary.ledger.decisions] if summary.ledger else [],
        "public_key": contents.opened.public_key,
        "signer": contents.opened.signer,
        "generations": [generation_fields(entry, contents) for entry in contents.generations],
        "events": sum(entry.count for entry in contents.events),
        "files": len(contents.files),
        "gaps": [gap_fields(gap) for gap in contents.gaps],
    }


def report_fields(report: Report) -> dict[str, Any]:
    """JSON of one consultation's report."""
    bad = report.first_bad
    return {
        "consultation": report.consultation,
        "path": str(report.path),
        "verdict": report.verdict.name.lower(),
        "exit_code": int(report.verdict),
        "open": report.open,
        "entries": report.entries,
        "objects": report.objects,
        "bytes": report.bytes,
        "end_us": report.end_us,
        "torn_bytes": report.torn_bytes,
        "unentered": list(report.unentered),
        "undeclared_holes": [
            {"track": hole.track, "begin_us": hole.begin_us, "end_us": hole.end_us, "entry": hole.entry}
            for hole in report.holes
        ],
        "signer": report.signer,
        "trust": report.trust,
        "holds": list(report.holds),
        "decisions": report.decisions,
        "notes": list(report.notes),
        "first_bad": {"entry": bad.entry, "object": bad.object, "reason": bad.reason} if bad else None,
    }
