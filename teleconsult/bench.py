"""`teleconsult bench`: the project's measurements, as tables and JSON."""

from __future__ import annotations

import asyncio
import json as jsonlib
import sys
from typing import Annotated, Final

import typer
from rich.console import Console

from bench import archive, janus, janus_server, janus_table, latency, latency_figures, sfu, soak
from core.errors import ConfigError

app = typer.Typer(no_args_is_help=True)

EXIT_MISSING: Final = 2
"""Something that a measurement needs is not on this machine."""


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
    in_step: Annotated[
        bool, typer.Option("--in-step", help="All feeds' frames and keyframes come at the same instants.")
    ] = False,
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
            sfu.run(
                counts,
                seconds,
                feeds=feeds,
                bitrate_bps=bitrate_bps,
                profile=profile,
                in_step=in_step,
                on_row=next_one,
            )
        )
    sfu.show(rows, as_json=json)


@app.command("janus")
def janus_command(
    subscribers: Annotated[str, typer.Option(help="How many, one comparison each.")] = "1,10,30,60",
    rounds: Annotated[int, typer.Option(help="How often each server is measured.", min=1)] = 3,
    seconds: Annotated[float, typer.Option(help="Length of each measurement.", min=1)] = 10.0,
    bitrate_bps: Annotated[int, typer.Option(help="Bit rate of the feed.", min=100_000)] = 4_000_000,
    coalesce: Annotated[
        bool, typer.Option("--coalesce", help="Subscribers take several datagrams per call (UDP_GRO).")
    ] = False,
    apart: Annotated[
        bool, typer.Option("--apart", help="The load has a core of its own, the server all others.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """The media server's CPU per delivered packet beside Janus', by turns, with the same load."""
    counts = parse_counts(subscribers)
    version = janus_server.version()
    load = janus.Load(seconds=seconds, bitrate_bps=bitrate_bps, coalesce=coalesce, apart=apart)
    progress = Console(stderr=True, highlight=False)
    total, done = len(counts) * rounds * 2, 0

    def tell(run: janus_table.Run) -> None:
        nonlocal done
        done += 1
        progress.print(
            f"{done}/{total}: {run.subscribers} subscribers, {run.server}, round {run.round}: "
            f"{run.cpu_us_per_packet:.2f} µs per packet, {run.loss_percent:.3f} % lost"
        )

    with progress.status(f"Janus {version} and this server by turns, {total} runs …"):
        runs = asyncio.run(janus.run(counts, rounds, load, on_run=tell))
    if json:
        print(jsonlib.dumps(janus_table.as_json(runs, version), indent=2))
        return
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(janus_table.table(runs))
    console.print(janus_table.LEGEND, highlight=False)
    for line in (janus_table.headroom(runs), *janus_table.doubts(runs)):
        console.print(line, highlight=False)


@app.command("archive")
def archive_command(
    feeds: Annotated[str, typer.Option(help="How many 1080p feeds at once, one measurement each.")] = "1,4",
    seconds: Annotated[float, typer.Option(help="Length of each measurement.", min=1)] = 20.0,
    kills: Annotated[int, typer.Option(help="How often the recorder is killed.", min=0)] = 5,
    megabytes: Annotated[int, typer.Option(help="How much is sealed and verified.", min=1)] = 500,
    bitrate_bps: Annotated[int, typer.Option(help="Bit rate of each feed.", min=100_000)] = 4_000_000,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """What the recorder costs, how fast archives are sealed and verified, what kill -9 loses."""
    counts = parse_counts(feeds, "--feeds")
    with Console(stderr=True).status("starting a service …") as status:
        work = archive.run(counts, seconds, kills, megabytes, bitrate_bps=bitrate_bps, tell=status.update)
        result = asyncio.run(work)
    archive.show(result, as_json=json)


@app.command("soak")
def soak_command(
    hours: Annotated[float, typer.Option(help="How long.", min=0.005)] = 2.0,
    sample_s: Annotated[float, typer.Option(help="Seconds between samples.", min=1)] = 60.0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """A room for hours, with people, feeds and networks that come and go: does anything grow?"""
    progress = Console(stderr=True, highlight=False)

    def tell(sample: dict[str, float | None]) -> None:
        told = (f"{name} {value:.1f}" for name, value in sample.items() if value is not None)
        progress.print(", ".join(told), soft_wrap=True)

    report = asyncio.run(soak.run(hours, sample_s=sample_s, on_sample=tell))
    soak.show(report, as_json=json)
    if report.verdict != "flat":
        raise typer.Exit(1)


@app.command("latency")
def latency_command(
    seconds: Annotated[float, typer.Option(help="How long the picture is read.", min=2)] = 20.0,
    feeds: Annotated[int, typer.Option(help="How many test cards are shown.", min=1, max=6)] = 1,
    joins: Annotated[int, typer.Option(help="How often somebody joins; 0: not measured.", min=0)] = 20,
    small: Annotated[bool, typer.Option("--small", help="Pictures of 640 × 360, not 1920 × 1080.")] = False,
    browser: Annotated[str | None, typer.Option(help="The Chromium to use; else the one installed.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """From capture to screen through a real browser, and from joining to the first picture."""
    wanted = latency.Wanted(seconds=seconds, feeds=feeds, joins=joins, small=small)
    try:
        with Console(stderr=True).status("") as status:
            report = asyncio.run(latency.run(wanted, browser=browser, tell=status.update))
    except ConfigError as error:
        sys.stderr.write(f"teleconsult: {error}\n")
        raise typer.Exit(EXIT_MISSING) from None
    if json:
        print(jsonlib.dumps(report.as_json(), indent=2))
        return
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(latency_figures.table(report))
    for line in latency_figures.notes(report):
        console.print(line, highlight=False)


@app.command("tissue")
def tissue_command(
    seconds: Annotated[float, typer.Option(help="Length of each scene.", min=3)] = 10.0,
    lines: Annotated[int, typer.Option(help="Height of the pictures.", min=270, max=2160)] = 1080,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """How well drawings stay on moving tissue, whether it is noticed when they cannot, and their CPU."""
    from bench import tissue  # with it comes pydicom, which takes a second

    with Console(stderr=True).status("drawing …") as status:
        report = tissue.run(seconds, lines=lines, tell=status.update)
    if json:
        print(jsonlib.dumps(report.as_json(), indent=2))
    else:
        console = Console(width=None if sys.stdout.isatty() else 120)
        for table in tissue.tables(report):
            console.print(table)
    if not report.fits:
        raise typer.Exit(1)


@app.command("edge")
def edge_command(
    feeds: Annotated[int, typer.Option(help="How many feeds the box has.", min=1, max=8)] = 2,
    seconds: Annotated[float, typer.Option(help="How long.", min=1)] = 20.0,
    lines: Annotated[int, typer.Option(help="Height of the pictures.", min=180, max=2160)] = 1080,
    encoder: Annotated[str, typer.Option(help="As in edge.toml.")] = "auto",
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """The capture box: how old pictures are when they are encoded, and CPU per feed."""
    from bench import edge  # with it comes OpenCV

    wanted = edge.Wanted(feeds=feeds, seconds=seconds, lines=lines, encoder=encoder)
    with Console(stderr=True).status("") as status:
        report = edge.run(wanted, tell=status.update)
    if json:
        print(jsonlib.dumps(report.as_json(), indent=2))
    else:
        console = Console(width=None if sys.stdout.isatty() else 140)
        console.print(edge.table(report))
        for line in edge.notes(report):
            console.print(line, highlight=False)
    if not report.fits:
        raise typer.Exit(1)


@app.command("drawing")
def drawing_command(
    seconds: Annotated[float, typer.Option(help="How long five people draw.", min=2)] = 20.0,
    marks: Annotated[int, typer.Option(help="How many marks there are already.", min=0, max=480)] = 200,
    browser: Annotated[str | None, typer.Option(help="The Chromium to use; else the one installed.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Five people drawing at once: the canvas' frames a second, and the server's loop."""
    from bench import drawing

    try:
        with Console(stderr=True).status("") as status:
            report = asyncio.run(drawing.run(seconds, marks, browser=browser, tell=status.update))
    except ConfigError as error:
        sys.stderr.write(f"teleconsult: {error}\n")
        raise typer.Exit(EXIT_MISSING) from None
    if json:
        print(jsonlib.dumps(report.as_json(), indent=2))
    else:
        Console(width=None if sys.stdout.isatty() else 120).print(drawing.table(report))
    if not report.fits:
        raise typer.Exit(1)


def parse_counts(text: str, option: str = "--subscribers") -> list[int]:
    """`1,10,60` → [1, 10, 60]. Raises `ConfigError`."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and 0 < int(part) <= 500 for part in parts):
        raise ConfigError(f"{option} {text}: allowed: numbers from 1 to 500, as in 1,10,60")
    return [int(part) for part in parts]
