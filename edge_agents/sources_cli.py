"""`teleconsult edge sources` and `edge encoders`: what this machine can capture with and encode with."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:  # what these bring with them is not for every command
    from edge_agents.sources.devices import Capturable, Diagnosis

SHOWN_MODES: Final = 6


def sources(
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
    look: Annotated[
        str, typer.Option(help="Look at what this feed of --config delivers, and say what seems wrong.")
    ] = "",
    config: Annotated[Path, typer.Option(help="The box's TOML file, for --look.")] = Path("edge.toml"),
) -> None:
    """List what can be captured on this machine, with modes and what is wrong with the signal."""
    from edge_agents.sources.devices import list_sources

    if look:
        _say_findings(_looked_at(look, config), as_json=as_json)
        return
    found = list_sources()
    if as_json:
        _print_json([source.model_dump() for source in found])
        return
    console = Console()
    table = Table("kind", "source (for edge.toml)", "receives", "modes", "note")
    for source in found:
        table.add_row(source.kind, source.source, source.signal, _modes(source), _note(source))
    console.print(table)
    for source in found:
        for one in source.diagnoses:
            console.print(f"{source.source}\n  {one.code}: {one.says}\n  → {one.do}", style="yellow")


def _modes(source: Capturable) -> str:
    shown = [f"{mode.mode} {'/'.join(mode.pixels)}" for mode in source.modes[:SHOWN_MODES]]
    more = len(source.modes) - SHOWN_MODES
    return "\n".join(shown + ([f"and {more} more (--json)"] if more > 0 else []))


def _note(source: Capturable) -> str:
    return ", ".join(part for part in (source.name, source.note) if part)


def _looked_at(feed: str, config: Path) -> list[Diagnosis]:
    import cv2

    from edge_agents.mask_cli import sample_of_feed
    from edge_agents.sources.devices import Diagnosis
    from edge_agents.sources.diagnosis import picture_findings

    sample = sample_of_feed(feed, config)
    lumas = [cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype("uint8") for image in sample.images]
    return [Diagnosis(code=one.code, says=one.says, do=one.do) for one in picture_findings(lumas)]


def _say_findings(found: list[Diagnosis], *, as_json: bool) -> None:
    if as_json:
        _print_json([one.model_dump() for one in found])
    for one in [] if as_json else found:
        typer.echo(f"{one.code}: {one.says}\n  → {one.do}")
    if not found and not as_json:
        typer.echo("nothing wrong to be seen")
    if found:
        raise typer.Exit(1)


def _print_json(value: object) -> None:
    json.dump(value, sys.stdout, indent=2)
    sys.stdout.write("\n")


def encoders(
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
) -> None:
    """Try every H.264 encoder on full-HD pictures; the first that works is what `encoder = "auto"` takes."""
    from edge_agents.encoder_trial import try_all

    found = try_all()
    if as_json:
        _print_json([one.model_dump() for one in found])
        return
    table = Table("encoder", "works", "ms per picture", "follows the network without a keyframe")
    for one in found:
        works = "yes" if one.works else "no" if one.built_in else "not in this FFmpeg"
        table.add_row(one.encoder, works, f"{one.ms_per_frame or ''}", "yes" if one.follows_rate else "")
    Console().print(table)
