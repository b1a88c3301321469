"""`teleconsult archive replay-page · verify-page`: the page for the courtroom, which needs no service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from archive import commands
from archive.cli_common import AsJson, ConfigFile, Signers, one_line_errors
from archive.cli_output import errors, output, print_json
from archive.faults import Verdict
from archive.keys import TrustedSigner
from archive.replay_page import PageCheck, Trusted
from archive.replay_page_make import (
    NOBODY,
    MadePage,
    Marks,
    choose_signer,
    marks_of,
    others_of,
    verify_page,
    write_page,
)
from archive.store_open import Found, find
from core.config import Settings, load_settings

ArchiveOption = Annotated[
    str | None,
    typer.Option(
        "--archive", help="A consultation, or an archive: a folder or s3://…; else the configured one."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("replay-page")(replay_page)
    app.command("verify-page")(verify_page_command)


def replay_page(
    out: Annotated[Path, typer.Argument(help="The HTML file to write; an existing one is never replaced.")],
    archive: ArchiveOption = None,
    sign: Annotated[
        Path | None, typer.Option("--sign", help="The archive's signing key (PEM); else the configured one.")
    ] = None,
    signer: Signers = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Write one HTML file that replays and verifies archives without any service, and sign it.

    Open it from the disk and choose the archive's folder; custodians' keys stay in it. It vouches for where
    the archive's consultations stand now; those that do not hold are left out and make the exit code.
    """
    with one_line_errors():
        settings = load_settings(config)
        key = choose_signer(sign, settings.signing_key_file)
        found = _found(archive, settings)
        trusted = _trust(found, signer, settings)
        marks = Marks() if found is None else marks_of(found, [item.public for item in trusted])
        made = write_page(out, key, trusted, marks, _others(found, settings))
    if as_json:
        print_json(made.fields())
    else:
        _print_made(made)
    raise typer.Exit(made.exit_code)


def verify_page_command(
    page: Annotated[Path, typer.Argument(help="The page.")],
    signature: Annotated[
        Path | None, typer.Option("--signature", help="Its signature; PAGE.sig if left out.")
    ] = None,
    archive: ArchiveOption = None,
    signer: Signers = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Check that a replay page is the one that a trusted key signed.

    Exit codes: 0 it is, 10 altered, 12 its signature is missing, 13 its signer is not trusted, 2 usage.
    """
    with one_line_errors():
        settings = load_settings(config)
        check = verify_page(page, signature, lambda: _trust(_found(archive, settings), signer, settings))
    if as_json:
        print_json(check.fields())
    else:
        _print_check(page, check)
    raise typer.Exit(int(check.verdict))


def _found(archive: str | None, settings: Settings) -> Found | None:
    """What was named; else the configured archive, if there is one here."""
    if archive is None and not settings.archive_dir.is_dir():
        return None
    return find(archive or settings.archive_dir, settings)


def _trust(found: Found | None, signers: list[str] | None, settings: Settings) -> list[TrustedSigner]:
    return commands.collect_trust(
        lambda: [] if found is None else commands.trust_beside(found), signers or [], settings.trusted_signers
    )


def _others(found: Found | None, settings: Settings) -> Trusted:
    if found is None:
        return NOBODY
    return others_of(found, settings.archive_people, settings.trusted_logs, settings.witnesses)


def _print_made(made: MadePage) -> None:
    output.print(Text(f"{made.sha256}  {made.path}"))
    for item in made.trusted:
        errors.print(Text(f"The page trusts {item.public} from {item.source}"))
    for left in made.left_out:
        errors.print(Text(f"left out: {left.consultation}: {left.fault}"), style="red")
    count = len(made.marks)
    errors.print(Text(f"It vouches for {count} consultation{'' if count == 1 else 's'}."))
    errors.print(Text(f"Signed by {made.signer} in {made.signature}: hand that key over by another way."))


def _print_check(page: Path, check: PageCheck) -> None:
    good = check.verdict is Verdict.INTACT
    output.print(Text(f"{check.verdict.name.lower()}: {check.reason}", style="green" if good else "bold red"))
    output.print(Text(f"{check.sha256}  {page}"))
