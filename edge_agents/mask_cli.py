"""`teleconsult edge mask`: find burned-in text, write a profile, check one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from core.errors import ConfigError
from edge_agents.config import load_config
from edge_agents.masks import load_profile, write_profile

if TYPE_CHECKING:
    from edge_agents import mask_samples

NOT_FITTING: Final = 1


def mask(
    profile: Annotated[Path, typer.Option(help="The mask profile, a TOML file.")] = Path("masks.toml"),
    suggest: Annotated[
        bool, typer.Option("--suggest", help="Find text in the sample and write the profile.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Read the profile; with a sample, see whether it covers all text.")
    ] = False,
    sample: Annotated[Path | None, typer.Option(help="A picture, video or DICOM file of the device.")] = None,
    feed: Annotated[str, typer.Option(help="Instead of a file: this feed of --config, as it is now.")] = "",
    config: Annotated[Path, typer.Option(help="The box's TOML file, for --feed.")] = Path("edge.toml"),
    picture: Annotated[
        Path | None, typer.Option(help="Where to write the picture before and after, a PNG file.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing profile.")] = False,
) -> None:
    """Privacy masks: black out what a device's picture says about the patient.

    Look at the picture before using a suggestion: it finds text, not meaning, and may miss some.
    """
    if suggest == check:
        raise typer.BadParameter("give either --suggest or --check")
    if suggest:
        _suggest(profile, sample, feed, config, picture or profile.with_suffix(".png"), force=force)
    else:
        _check(profile, sample, feed, config, picture)


def _suggest(
    profile: Path, sample: Path | None, feed: str, config: Path, picture: Path, *, force: bool
) -> None:
    from edge_agents import mask_samples, mask_suggest

    if profile.exists() and not force:
        raise ConfigError(f"{profile}: exists already; give another name or --force")
    taken = _sample(sample, feed, config)
    if taken is None:
        raise typer.BadParameter("--suggest needs --sample FILE or --feed NAME")
    found = mask_suggest.suggest(taken.images)
    if found is None:
        typer.echo(
            "no text found; nothing written. Look at the picture yourself before you go without masks."
        )
        raise typer.Exit(NOT_FITTING)
    profile.write_text(write_profile(found), encoding="utf-8")
    _write_picture(picture, mask_samples.before_and_after(taken, found))
    width, height = taken.size
    typer.echo(
        f"{profile}: {len(found.masks)} masks on {width} × {height}, from {len(taken.images)} pictures"
    )
    typer.echo(f"{picture}: above as the device shows it, below as it would be sent. Look at it, then edit.")
    if len(taken.images) < mask_suggest.ENOUGH_PICTURES:
        typer.echo("few pictures: with a moving picture, text is told from anatomy much better")


def _check(profile: Path, sample: Path | None, feed: str, config: Path, picture: Path | None) -> None:
    from edge_agents import mask_samples, mask_suggest

    read = load_profile(profile)
    size = read.reference
    typer.echo(f"{profile}: {len(read.masks)} masks on {size.width} × {size.height}, readable")
    taken = _sample(sample, feed, config)
    if taken is None:
        return
    width, height = taken.size
    if not read.fits(width, height):
        typer.echo(f"does not fit: the device sends {width} × {height}. Such a feed shows nothing.")
        raise typer.Exit(NOT_FITTING)
    if picture is not None:
        _write_picture(picture, mask_samples.before_and_after(taken, read))
    bare = mask_suggest.uncovered(mask_suggest.text_boxes(taken.images), read, taken.size)
    for box in bare:
        typer.echo(f"may be text, not covered: x {box.left}-{box.right}, y {box.top}-{box.bottom}")
    if bare:
        raise typer.Exit(NOT_FITTING)
    typer.echo(f"fits {width} × {height}; no text seen outside the masks")


def _sample(sample: Path | None, feed: str, config: Path) -> mask_samples.Sample | None:
    from edge_agents import mask_samples

    if sample is not None:
        return mask_samples.sample_file(sample)
    return sample_of_feed(feed, config) if feed else None


def sample_of_feed(feed: str, config: Path) -> mask_samples.Sample:
    """What that feed of the file delivers now. Raises `ConfigError` when there is none of that name."""
    from edge_agents import mask_samples

    feeds = {one.name: one for one in load_config(config).feeds}
    if feed not in feeds:
        raise ConfigError(f"{config}: no feed is called {feed!r}; there are: {', '.join(feeds)}")
    return mask_samples.sample_feed(feeds[feed])


def _write_picture(path: Path, image: mask_samples.Image) -> None:
    import cv2

    done, data = cv2.imencode(".png", image)
    if not done:
        raise ConfigError(f"{path}: the picture cannot be written as PNG")
    path.touch(0o600)  # its upper half shows what the masks hide
    path.write_bytes(data.tobytes())
