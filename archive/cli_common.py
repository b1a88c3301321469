"""What the archive's commands share: errors of one line, progress bars, common options."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from archive.cli_output import errors
from archive.commands import EXIT_USAGE
from archive.faults import ArchiveFault
from core.errors import ConfigError

EXIT_FAILED: Final = 1

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Signers = Annotated[
    list[str] | None,
    typer.Option("--signer", help="Signer to trust: ed25519:… or a file that lists them. Repeatable."),
]
People = Annotated[
    list[str] | None,
    typer.Option("--person", help="Registered person: ed25519:… or a file that lists them. Repeatable."),
]
OneConsultation = Annotated[str, typer.Argument(help="One consultation: its folder or s3://BUCKET/….")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="The service's TOML file.")]
PersonKey = Annotated[
    Path | None, typer.Option("--key", help="Your own key (`archive keygen --person`), not a custodian's.")
]
Reason = Annotated[
    str | None, typer.Option("--reason", help="Why, for everybody to read: no patient's name.")
]
RequestFile = Annotated[
    Path | None, typer.Option("--request", help="Write your request to this file, for another to approve.")
]
ApproveFile = Annotated[Path | None, typer.Option("--approve", help="Another person's request: do it.")]


@contextmanager
def one_line_errors() -> Iterator[None]:
    """An error is one line with its fix; a damaged archive has its own exit code."""
    try:
        yield
    except ArchiveFault as fault:
        errors.print(Text(f"teleconsult archive: {fault}"), style="red")
        raise typer.Exit(int(fault.verdict)) from None
    except ConfigError as error:
        errors.print(Text(f"teleconsult archive: {error}"), style="red")
        raise typer.Exit(EXIT_USAGE) from None
    except OSError as error:
        errors.print(Text(f"teleconsult archive: {error.filename}: {error.strerror}"), style="red")
        raise typer.Exit(EXIT_FAILED) from None


@contextmanager
def progress(what: str, total: int, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal; nothing elsewhere."""
    if quiet or not errors.is_terminal:
        yield lambda count: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors, transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda count: bar.advance(task, count)
