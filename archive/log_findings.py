"""Pure: what verification against the log found, and its JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from archive.faults import Verdict, worst
from archive.log_book import Stop


@dataclass(frozen=True, slots=True)
class Finding:
    """One consultation against the log and what witnesses kept.

    `state`: open, final, provisional, unrecorded, not_opened (as in the log), unknown (not in it). `vouched`:
    how many lines of its manifest the log, or a witness, has seen. `stops`: when it was not recorded, by
    decision, as the log says; `unconfirmed`: what its gaps say was stopped beyond that, µs since 1970 UTC.
    """

    consultation: str
    verdict: Verdict
    state: str
    vouched: int = 0
    leaf: int | None = None
    reason: str = ""
    stops: tuple[Stop, ...] = ()
    unconfirmed: tuple[tuple[int, int], ...] = ()

    def fields(self) -> dict[str, Any]:
        return {
            "consultation": self.consultation,
            "verdict": self.verdict.name.lower(),
            "exit_code": int(self.verdict),
            "state": self.state,
            "vouched_entries": self.vouched,
            "leaf": self.leaf,
            "reason": self.reason,
            "stops": [asdict(stop) for stop in self.stops],
            "unconfirmed_stops": [{"begin_us": begin, "end_us": end} for begin, end in self.unconfirmed],
        }


@dataclass(frozen=True, slots=True)
class LogProblem:
    """Something wrong with the log itself. `source`: the file that shows it."""

    verdict: Verdict
    reason: str
    source: str

    def fields(self) -> dict[str, Any]:
        return {"verdict": self.verdict.name.lower(), "reason": self.reason, "source": self.source}


@dataclass(slots=True)
class LogReport:
    """All of it. `unsigned`: leaves after the newest checkpoint, which nobody has vouched for yet."""

    place: str
    origin: str = ""
    trust: str | None = None
    """Where the trust in its key came from."""
    size: int = 0
    root: str = ""
    checkpoints: int = 0
    unsigned: int = 0
    cosigned: list[dict[str, Any]] = field(default_factory=list)
    """`{witness, size, at_s}` of every good cosignature by a known witness."""
    rotations: list[dict[str, Any]] = field(default_factory=list)
    """`{leaf, key, at_us}` of every key that replaced another."""
    timestamps: list[dict[str, Any]] = field(default_factory=list)
    """`{size, at_s}` of every good time stamp."""
    witnesses: list[dict[str, Any]] = field(default_factory=list)
    """`{file, checkpoints, heads, newest_size}`: what was compared."""
    problems: list[LogProblem] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> Verdict:
        """The gravest."""
        return worst([item.verdict for item in self.problems] + [item.verdict for item in self.findings])

    def fields(self) -> dict[str, Any]:
        return {
            "place": self.place,
            "origin": self.origin,
            "trust": self.trust,
            "verdict": self.verdict.name.lower(),
            "exit_code": int(self.verdict),
            "size": self.size,
            "root": self.root,
            "checkpoints": self.checkpoints,
            "unsigned_leaves": self.unsigned,
            "cosigned": self.cosigned,
            "rotations": self.rotations,
            "timestamps": self.timestamps,
            "witnesses": self.witnesses,
            "problems": [item.fields() for item in self.problems],
            "consultations": [item.fields() for item in self.findings],
            "notes": self.notes,
        }
