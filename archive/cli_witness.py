"""`teleconsult archive witness`: what a partner runs, so that the log cannot tell two stories."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from archive.cli_common import EXIT_FAILED, AsJson, one_line_errors
from archive.cli_output import errors, output, print_json
from archive.faults import Verdict
from archive.log_witness import LogClient, load_witness_key, observe
from core.errors import Conflict, ProtocolError, Unavailable


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(witness)


def witness(
    url: Annotated[str, typer.Argument(help="The service: https://NAME")],
    name: Annotated[str, typer.Option("--name", help="The witness's name, such as witness.example.org/w1.")],
    key: Annotated[Path, typer.Option("--key", help="Its key; made at the first run.")],
    state: Annotated[Path, typer.Option("--state", help="What it saw last; a file for --witness, too.")],
    log_key: Annotated[list[str], typer.Option("--log-key", help="The log's key: NAME+ID+KEY or a file.")],
    ca: Annotated[Path | None, typer.Option("--ca", help="The service's own authority (PEM).")] = None,
    as_json: AsJson = False,
) -> None:
    """Look at a service's log once, check that it only grew, and cosign it. Run it every few minutes.

    Exit codes: 0 cosigned, 1 the service does not answer or does not take it (is the key registered there?),
    10 the log does not continue what was seen before, 2 usage.
    """
    with one_line_errors():
        client = LogClient(url, ca)
        signer, verifier = load_witness_key(key, name)
        try:
            seen = observe(client, log_key, name, signer, state)
        except (Conflict, ProtocolError) as error:
            errors.print(Text(f"teleconsult archive: {error}; tell the auditors"), style="bold red")
            raise typer.Exit(int(Verdict.ALTERED)) from None
        except Unavailable as error:
            errors.print(Text(f"teleconsult archive: {error}"), style="red")
            errors.print(Text(f"The service needs this line in its setting `witnesses`: {verifier.text}"))
            raise typer.Exit(EXIT_FAILED) from None
    if as_json:
        print_json(seen.fields())
    else:
        output.print(Text(f"{seen.size} leaves cosigned as {name} ({seen.before} the last time)"))
