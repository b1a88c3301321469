"""`teleconsult edge …`: run a capture box, see what it can capture."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from edge_agents.config import load_config
from edge_agents.sources.devices import list_sources

app = typer.Typer(no_args_is_help=True, pretty_exceptions_show_locals=False)


@app.callback()
def _root() -> None:
    """The capture box beside an imaging device."""


@app.command()
def run(
    config: Annotated[Path, typer.Option(help="The box's TOML file.")] = Path("edge.toml"),
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
) -> None:
    """Capture, encode and publish every feed of the file until SIGTERM or Ctrl-C."""
    from core.logging import configure_logging
    from edge_agents.agent import main

    settings = load_config(config)
    configure_logging(log_level, "edge")
    main(settings)


@app.command()
def sources(
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
) -> None:
    """List what can be captured on this machine."""
    found = list_sources()
    if as_json:
        json.dump([source.model_dump() for source in found], sys.stdout, indent=2)
        sys.stdout.write("\n")
        return
    table = Table("kind", "source (for edge.toml)", "note")
    for source in found:
        table.add_row(source.kind, source.source, source.note)
    Console().print(table)
