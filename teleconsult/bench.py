"""`teleconsult bench`: the project's measurements, as tables and JSON."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from rich.console import Console

from bench import sfu
from core.errors import ConfigError

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Measurements, as tables and JSON."""


@app.command("sfu")
def sfu_command(
    subscribers: Annotated[str, typer.Option(help="How many, one measurement each.")] = "1,10,30,60",
    seconds: Annotated[float, typer.Option(help="Length of each measurement.", min=1)] = 10.0,
    feeds: Annotated[int, typer.Option(help="How many feeds each subscriber watches.", min=1)] = 1,
    bitrate_bps: Annotated[int, typer.Option(help="Bit rate of each feed.", min=100_000)] = 4_000_000,
    profile: Annotated[str | None, typer.Option(help="Only this SRTP profile, by OpenSSL's name.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """The media server's CPU per forwarded packet, loss, time inside, memory per subscriber."""
    counts = parse_counts(subscribers)
    with Console(stderr=True).status(f"Measuring {counts[0]} subscribers …") as status:
        left = iter([*counts[1:], None])

        def next_one(row: sfu.Row) -> None:
            if (count := next(left)) is not None:
                status.update(f"{row.cpu_us_per_packet:.1f} µs per packet; now {count} subscribers …")

        rows = asyncio.run(
            sfu.run(counts, seconds, feeds=feeds, bitrate_bps=bitrate_bps, profile=profile, on_row=next_one)
        )
    sfu.show(rows, as_json=json)


def parse_counts(text: str) -> list[int]:
    """`1,10,60` → [1, 10, 60]. Raises `ConfigError`."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and 0 < int(part) <= 500 for part in parts):
        raise ConfigError(f"--subscribers {text}: allowed: numbers from 1 to 500, as in 1,10,60")
    return [int(part) for part in parts]
