"""How `teleconsult archive verify --log` shows what it found."""

from __future__ import annotations

from datetime import UTC, datetime

from rich.table import Table
from rich.text import Text

from archive.cli_output import errors, output
from archive.log_findings import Finding, LogReport


def print_log(report: LogReport) -> None:
    """The log, then every consultation of which something is to be said."""
    output.print(
        Text(f"Log {report.origin or '?'} in {report.place}: {report.size} leaves, root {report.root}")
    )
    if report.trust is not None:
        output.print(Text(f"Trusting its key from {report.trust}"))
    if report.unsigned:
        output.print(Text(f"{report.unsigned} leaves after the newest checkpoint are not signed yet"))
    for item in report.rotations:
        output.print(Text(f"Its key was replaced by {item['key']} (leaf {item['leaf']})"))
    for item in report.cosigned[-5:]:
        output.print(Text(f"{item['witness']} saw {item['size']} leaves on {_moment(item['at_s'])}"))
    for item in report.timestamps[-5:]:
        output.print(Text(f"stamped: {item['size']} leaves on {_moment(item['at_s'])}"))
    for item in report.witnesses:
        output.print(
            Text(f"Compared with {item['file']}: {item['checkpoints']} checkpoints, {item['heads']} heads")
        )
    for problem in report.problems:
        text = f"{problem.verdict.name.lower()}: {problem.source}: {problem.reason}"
        errors.print(Text(text), style="bold red")
    _print_findings(report)
    for note in report.notes:
        errors.print(Text(note), style="yellow")


def _print_findings(report: LogReport) -> None:
    table = Table("Consultation", "In the log", "Lines vouched for", "Against the log")
    for item in report.findings:
        verdict = item.verdict.name.lower() + (f": {item.reason}" if item.reason else "")
        style = "green" if item.verdict == 0 else "bold red"
        table.add_row(item.consultation, item.state, str(item.vouched), Text(verdict, style=style))
    output.print(table)
    for item in report.findings:
        _print_stops(item)


def _print_stops(item: Finding) -> None:
    for stop in item.stops:
        until = "on, to its end" if stop.end_us is None else f"to {_moment(stop.end_us // 1_000_000)}"
        output.print(
            Text(f"{item.consultation} was not recorded from {_moment(stop.begin_us // 1_000_000)} {until}")
        )
    for begin_us, end_us in item.unconfirmed:
        span = f"from {_moment(begin_us // 1_000_000)} to {_moment(end_us // 1_000_000)}"
        text = f"{item.consultation} says that it was stopped {span}; the log does not"
        errors.print(Text(text), style="yellow")


def _moment(at_s: int) -> str:
    try:
        return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return str(at_s)
