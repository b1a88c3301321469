"""`teleconsult edge …`: enrol a capture box, run it, see what it can capture and how it is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_agents.box_cli import enroll, kiosk, status
from edge_agents.config import load_config
from edge_agents.gadget_cli import gadget
from edge_agents.mask_cli import mask
from edge_agents.sources_cli import encoders, sources

app = typer.Typer(no_args_is_help=True, pretty_exceptions_show_locals=False)


app.command()(mask)
app.command()(sources)
app.command()(encoders)
for command in (enroll, status, kiosk, gadget):
    app.command()(command)


@app.callback()
def _root() -> None:
    """The capture box beside an imaging device."""


@app.command()
def run(
    config: Annotated[Path, typer.Option(help="The box's TOML file.")] = Path("edge.toml"),
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
    with_spare: Annotated[
        bool,
        typer.Option("--with-spare", help="A second process waits to take over at once if this one dies."),
    ] = False,
) -> None:
    """Capture, encode and publish every feed of the file until SIGTERM or Ctrl-C."""
    from core.logging import configure_logging

    settings = load_config(config)
    configure_logging(log_level, "edge", changeable=True)
    if with_spare:
        from edge_agents.guard import guard

        guard(settings, config, log_level)
        return
    from edge_agents.box import main

    main(settings, log_level)
