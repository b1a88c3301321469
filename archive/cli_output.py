"""How `teleconsult archive` shows results: tables on standard output, everything else on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from archive import results
from archive.commands import US_PER_S
from archive.verify import Report

PIPED_COLUMNS: Final = 200
"""Nothing is cut off in a file or a pipe."""

errors = Console(stderr=True, soft_wrap=True)
output = Console(soft_wrap=True, width=None if sys.stdout.isatty() else PIPED_COLUMNS)


def print_verification(result: results.VerifyResult) -> None:
    """One row per consultation, and where the trust came from."""
    table = Table("Consultation", "Verdict", "Entries", "Objects", "Size", "First bad entry")
    for report in result.reports:
        verdict = report.verdict.name.lower() + (" (open)" if report.open else "")
        table.add_row(
            report.consultation,
            Text(verdict, style="green" if report.verdict == 0 else "bold red"),
            str(report.entries),
            str(report.objects),
            _size(report.bytes),
            _first_bad(report),
        )
    output.print(table)
    if not result.trust:
        errors.print(Text("No signer is trusted: give the archive's public key with --signer"))
    for item in result.trust:
        output.print(Text(f"Trusting {item.public} from {item.source}"))
    speed = result.bytes / max(result.seconds, 1e-6)
    output.print(Text(f"{_size(result.bytes)} in {result.seconds:.2f} s ({_size(int(speed))}/s)"))


def _first_bad(report: Report) -> str:
    bad = report.first_bad
    if bad is None and report.notes:
        return "; ".join(report.notes)
    if bad is None and report.holds:
        return f"on hold: {', '.join(report.holds)}"
    if bad is None and report.holes:
        hole = report.holes[0]
        where = f"{hole.track} {_duration(hole.begin_us)}–{_duration(hole.end_us)}"
        return f"{len(report.holes)} holes not declared yet, first {where}"
    if bad is None:
        return f"{report.torn_bytes} bytes of a torn line" if report.torn_bytes else ""
    where = f" ({bad.object})" if bad.object else ""
    return f"{bad.entry}{where}: {bad.reason}"


def print_export(result: results.ExportResult) -> None:
    """The files written and what was left out."""
    table = Table("File", "Codec", "Begins", "Length", "Pieces")
    for track in result.export.tracks:
        length = _duration(track.end_us - track.begin_us)
        table.add_row(track.file.name, track.codec, _duration(track.begin_us), length, str(track.pieces))
    if result.export.tracks:
        output.print(table)
    for still in result.export.stills:
        names = ", ".join(file.name for file in still.files) or "its picture is not in the archive"
        output.print(Text(f"{still.feed}, {still.drawings} drawings: {names}"))
    output.print(Text(f"{result.export.events} events; everything in {result.export.directory}"))
    for fault in result.export.faults:
        errors.print(Text(f"left out: {fault.object_path or 'the rest'}: {fault}"), style="red")
    report = result.report
    if report.verdict:
        errors.print(Text(f"verification: {report.verdict.name.lower()}: {_first_bad(report)}"), style="red")


def print_summary(summary: results.Summary) -> None:
    """One consultation: who can open it, its tracks, its gaps."""
    output.print(
        Text(
            f"{summary.consultation} · {summary.state} · opened {_moment(summary.opened_at_us)} · "
            f"{_duration(summary.duration_us)} · {_size(summary.size_bytes)}"
        )
    )
    contents = summary.contents
    if contents is None:
        errors.print(Text(summary.fault or ""), style="red")
        return
    for item in results.custodians(summary):
        output.print(Text(f"can be opened by {item.custodian}{' (offline)' if item.offline else ''}"))
    table = Table("Track", "Gen.", "Codec", "Picture", "Begins", "Ends", "Pieces", "Size", "Because")
    for entry in contents.generations:
        table.add_row(*_generation_row(results.generation_fields(entry, contents)))
    output.print(table)
    for decision in summary.ledger.decisions if summary.ledger else []:
        people = ", ".join(item.by for item in decision.approvals)
        output.print(Text(f"{_moment(decision.at_us)} {decision.kind}: {decision.reason} ({people})"))
    for gap in contents.gaps:
        span = f"{_duration(gap.begin_us)} – {_duration(gap.end_us)}"
        output.print(Text(f"gap {span} {gap.track or 'all tracks'}: {gap.reason}"))


def _generation_row(row: dict[str, Any]) -> list[str]:
    picture = f"{row['width']}×{row['height']}" if row["width"] else "–"
    begin, end = ("–" if row[key] is None else _duration(row[key]) for key in ("begin_us", "end_us"))
    numbers = [begin, end, str(row["pieces"]), _size(row["bytes"])]
    return [row["track"], str(row["generation"]), row["codec"], picture, *numbers, row["reason"]]


def print_json(value: Any) -> None:
    """A result for scripts."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def _duration(us: int) -> str:
    minutes, rest_us = divmod(us, 60 * US_PER_S)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest_us / US_PER_S:04.1f}"


def _moment(us: int) -> str:
    return datetime.fromtimestamp(us / US_PER_S, UTC).strftime("%Y-%m-%d %H:%M:%SZ") if us else "–"


def _size(size_bytes: int) -> str:
    value = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    raise AssertionError("unreachable: GB ends the loop")


def print_list(summaries: Sequence[results.Summary]) -> None:
    """All consultations of an archive."""
    table = Table("Consultation", "Opened", "State", "Length", "Size")
    for item in summaries:
        opened = _moment(item.opened_at_us)
        length = _duration(item.duration_us)
        table.add_row(item.consultation, opened, item.state, length, _size(item.size_bytes))
    output.print(table)
