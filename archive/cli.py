"""`teleconsult archive`: keys, verification and export, on the machine that holds the archive or on any
other.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from archive import cli_replay_page, cli_witness, commands, results
from archive.cli_common import (
    ApproveFile,
    AsJson,
    ConfigFile,
    OneConsultation,
    People,
    PersonKey,
    Reason,
    RequestFile,
    Signers,
    one_line_errors,
    progress,
)
from archive.cli_decisions import register, show_decision, who_acts
from archive.cli_output import (
    errors,
    output,
    print_export,
    print_json,
    print_list,
    print_summary,
    print_verification,
)
from archive.commands_decisions import check_export_allowed, people_for
from archive.keys import read_identities
from archive.log_output import print_log
from archive.log_verify import LoggedResult, LogOptions, check_log_options, with_log
from archive.store_open import UsageError, find
from core.clock import SystemClock
from core.config import load_settings

app = typer.Typer(no_args_is_help=True, help="Keys, verification and export of archived consultations.")

_ADVICE = {
    "identity": "Put this line into `recipients`; keep the file where no server can read it.",
    "signer": "Public half also in {path}.pub; give it to everyone who verifies.",
    "person": "Public half also in {path}.pub; whoever runs the archive adds it to `archive_people`.",
}


@app.command()
def keygen(
    path: Annotated[Path, typer.Argument(help="The file to write; an existing one is never replaced.")],
    signer: Annotated[bool, typer.Option("--signer", help="Make the archive's signing key instead.")] = False,
    person: Annotated[
        bool, typer.Option("--person", help="Make a person's key instead: for holds, exports, shredding.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a custodian's key: print its public half, keep the secret half in PATH (mode 0600)."""
    with one_line_errors():
        made = commands.keygen(path, signer=signer, person=person)
    if as_json:
        print_json(made.fields())
        return
    output.print(Text(made.public))
    errors.print(Text(f"Secret half in {made.path}. {_ADVICE[made.kind].format(path=made.path)}"))


@app.command()
def verify(
    path: Annotated[str, typer.Argument(help="One consultation, or the whole archive: a folder or s3://…")],
    log_dir: Annotated[
        str | None, typer.Argument(metavar="[LOGDIR]", help="With --log: its folder, or s3://…")
    ] = None,
    signer: Signers = None,
    person: People = None,
    log: Annotated[bool, typer.Option("--log", help="Compare with the service's log.")] = False,
    witness: Annotated[
        list[Path] | None,
        typer.Option("--witness", help="Checkpoints or heads that somebody kept. Repeatable."),
    ] = None,
    log_key: Annotated[
        list[str] | None,
        typer.Option("--log-key", help="The log's public key: NAME+ID+KEY or a file. Repeatable."),
    ] = None,
    witness_key: Annotated[
        list[str] | None,
        typer.Option("--witness-key", help="A witness's public key: NAME+ID+KEY or a file. Repeatable."),
    ] = None,
    tsa: Annotated[
        list[Path] | None,
        typer.Option("--tsa", help="A time stamp authority's certificate (PEM). Repeatable."),
    ] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Check that nothing was changed, and, with --log, that nothing is missing. No secret key is needed.

    Exit codes: 0 intact, 10 altered, 11 truncated, 12 object missing, 13 no trusted signer key, 14 shredded
    by a recorded decision, 2 usage.
    """
    with one_line_errors():
        settings = load_settings(config)
        options = LogOptions(
            log_dir,
            log_key or (),
            settings.trusted_logs,
            witness or (),
            witness_key or settings.witnesses,
            tsa or (),
        )
        check_log_options(options, log=log)
        found = find(path, settings)
        with progress("Verifying", commands.size_of(found.folders), quiet=as_json) as advance:
            result = commands.verify(
                found,
                signers=signer or [],
                configured=settings.trusted_signers,
                progress=advance,
                people=people_for(found, person or [], settings.archive_people),
            )
        if log or witness:
            result = with_log(result, found, options, settings)
    if as_json:
        print_json(result.fields())
    else:
        print_verification(result)
        if isinstance(result, LoggedResult):
            print_log(result.log)
    raise typer.Exit(result.exit_code)


@app.command()
def export(
    path: OneConsultation,
    identity: Annotated[
        Path | None, typer.Option("--identity", "-i", help="Your age identity file, as a custodian.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="A new or empty directory.")] = None,
    wall: Annotated[
        bool, typer.Option("--wall", help="One MP4 of all pictures side by side, with the sound mixed.")
    ] = False,
    burn_in: Annotated[
        bool, typer.Option("--burn-in", help="As --wall, with the drawings painted into the pictures.")
    ] = False,
    stills: Annotated[
        bool,
        typer.Option(
            "--stills", help="Only the frozen frames: with their drawings as PNG, and beside them as DICOM."
        ),
    ] = False,
    reason: Reason = None,
    key: PersonKey = None,
    request: RequestFile = None,
    approve: ApproveFile = None,
    signer: Signers = None,
    person: People = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Decrypt one consultation to MP4 files. What was damaged is left out and makes the exit code.

    Takes two people and is on record: one asks (--request FILE), another does it (--approve FILE); or two
    have allowed it through the service within the last day.
    """
    with one_line_errors():
        settings = load_settings(config)
        found = find(path, settings)
        if stills and (wall or burn_in):
            raise UsageError("--stills and --wall are two exports: make one at a time")
        folder, form = found.only(), "stills" if stills else "wall" if wall or burn_in else "tracks"
        people = people_for(found, person or [], settings.archive_people)
        if request is not None:
            who = who_acts(found, settings, key, person)
            show_decision(commands.ask_to_export(folder, form, reason, who, request), as_json)
            return
        if identity is None:
            raise UsageError("--identity is missing: a custodian's age identity file")
        read_identities(identity)  # before anything is decided
        if approve is not None:
            commands.approve_export(folder, form, approve, who_acts(found, settings, key, person))
        trusted = commands.collect_trust(
            lambda: commands.trust_beside(found), signer or [], settings.trusted_signers
        )
        check_export_allowed(folder, form, trusted, people, SystemClock())
        with progress("Exporting", commands.object_bytes(folder), quiet=as_json) as advance:
            result = commands.export(
                folder,
                identity,
                out,
                trusted,
                people,
                wall=wall,
                burn_in=burn_in,
                stills=stills,
                progress=advance,
            )
    if as_json:
        print_json(result.fields())
    else:
        print_export(result)
    raise typer.Exit(result.exit_code)


@app.command()
def show(
    path: OneConsultation,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Show what one manifest says (without verifying it)."""
    with one_line_errors():
        summary = commands.summarise(find(path, load_settings(config)).only())
    if as_json:
        print_json(results.show_fields(summary))
    else:
        print_summary(summary)


@app.command("list")
def list_(
    path: Annotated[
        str | None, typer.Argument(help="A folder or s3://…; the configured archive if left out.")
    ] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """List the consultations in an archive (without verifying them)."""
    with one_line_errors():
        settings = load_settings(config)
        summaries = commands.list_archive(find(path or settings.archive_dir, settings))
    if as_json:
        print_json([summary.fields() for summary in summaries])
        return
    print_list(summaries)


register(app)
cli_witness.register(app)
cli_replay_page.register(app)


if __name__ == "__main__":
    app()
