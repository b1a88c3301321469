"""`teleconsult archive`: keys, verification and export, on the machine that holds the archive or on any
other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from archive import commands, results
from archive.cli_output import (
    errors,
    output,
    print_export,
    print_json,
    print_list,
    print_summary,
    print_verification,
)
from archive.commands import EXIT_USAGE
from archive.faults import ArchiveFault
from core.config import load_settings
from core.errors import ConfigError

EXIT_FAILED: Final = 1

app = typer.Typer(no_args_is_help=True, help="Keys, verification and export of archived consultations.")

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Signers = Annotated[
    list[str] | None,
    typer.Option("--signer", help="Signer to trust: ed25519:… or a file that lists them. Repeatable."),
]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="The service's TOML file.")]


@app.command()
def keygen(
    path: Annotated[Path, typer.Argument(help="The file to write; an existing one is never replaced.")],
    signer: Annotated[bool, typer.Option("--signer", help="Make the archive's signing key instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a custodian's key: print its public half, keep the secret half in PATH (mode 0600)."""
    with _one_line_errors():
        made = commands.keygen(path, signer=signer)
    if as_json:
        print_json(made.fields())
        return
    output.print(Text(made.public))
    advice = (
        f"Public half also in {made.path}.pub; give it to everyone who verifies."
        if signer
        else "Put this line into `recipients`; keep the file where no server can read it."
    )
    errors.print(Text(f"Secret half in {made.path}. {advice}"))


@app.command()
def verify(
    path: Annotated[Path, typer.Argument(help="One consultation's folder, or the whole archive.")],
    signer: Signers = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Check that nothing was changed. No key is needed.

    Exit codes: 0 intact, 10 altered, 11 truncated, 12 object missing, 13 no trusted signer key, 2 usage.
    """
    with _one_line_errors():
        configured = [] if signer else load_settings(config).trusted_signers
        total = commands.size_of(commands.folders_at(path))
        with _progress("Verifying", total, quiet=as_json) as advance:
            result = commands.verify(path, signers=signer or [], configured=configured, progress=advance)
    if as_json:
        print_json(result.fields())
    else:
        print_verification(result)
    raise typer.Exit(result.exit_code)


@app.command()
def export(
    path: Annotated[Path, typer.Argument(help="One consultation's folder.")],
    identity: Annotated[Path, typer.Option("--identity", "-i", help="Your age identity file.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="A new or empty directory.")] = None,
    signer: Signers = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Decrypt one consultation to MP4 files. What was damaged is left out and makes the exit code."""
    with _one_line_errors():
        configured = [] if signer else load_settings(config).trusted_signers
        total = commands.export_size(path)
        with _progress("Exporting", total, quiet=as_json) as advance:
            result = commands.export(
                path, identity, out, signers=signer or [], configured=configured, progress=advance
            )
    if as_json:
        print_json(result.fields())
    else:
        print_export(result)
    raise typer.Exit(result.exit_code)


@app.command()
def show(
    path: Annotated[Path, typer.Argument(help="One consultation's folder.")],
    as_json: AsJson = False,
) -> None:
    """Show what one manifest says (without verifying it)."""
    with _one_line_errors():
        folders = commands.folders_at(path)
        if folders != [path.absolute()]:
            raise commands.UsageError(
                f"{path} is a whole archive: give one consultation's folder, or use `list`"
            )
        summary = commands.summarise(folders[0])
    if as_json:
        print_json(results.show_fields(summary))
    else:
        print_summary(summary)


@app.command("list")
def list_(
    path: Annotated[Path | None, typer.Argument(help="The archive; the configured one if left out.")] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """List the consultations in an archive (without verifying them)."""
    with _one_line_errors():
        summaries = commands.list_archive(path or load_settings(config).archive_dir)
    if as_json:
        print_json([summary.fields() for summary in summaries])
        return
    print_list(summaries)


@contextmanager
def _one_line_errors() -> Iterator[None]:
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
def _progress(what: str, total: int, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    if quiet or not errors.is_terminal:
        yield lambda count: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors, transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda count: bar.advance(task, count)


if __name__ == "__main__":
    app()
