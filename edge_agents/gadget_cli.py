"""`teleconsult edge gadget`: make this box a keyboard and a pointer of the device its USB cable leads to."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer


def gadget(
    remove: Annotated[bool, typer.Option("--remove", help="Unplug it for the device.")] = False,
    root: Annotated[Path, typer.Option(help="Where /sys is, for tests.")] = Path("/"),
    udc: Annotated[
        str, typer.Option(metavar="NAME", help="Of /sys/class/udc; without it, the first one.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
) -> None:
    """Set up the USB gadget that remote control needs (as root); doing it again changes nothing."""
    from edge_agents.gadget_setup import GadgetTree

    tree = GadgetTree(root)
    if remove:
        removed = tree.remove()
        _say({"removed": removed}, "Removed." if removed else "There was none.", as_json=as_json)
        return
    made = tree.set_up(udc)
    what = "Set up" if made.changed else "Already set up"
    text = (
        f"{what} on {made.udc} ({made.state}). In edge.toml, at the feed of that device:\n"
        f'[feeds.control]\nbackend = "usb_gadget"\nkeyboard = "{made.keyboard}"\npointer = "{made.pointer}"'
    )
    _say(asdict(made), text, as_json=as_json)


def _say(fields: dict[str, object], text: str, *, as_json: bool) -> None:
    sys.stdout.write((json.dumps(fields, indent=2) if as_json else text) + "\n")
