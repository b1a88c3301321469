"""Where pictures come from. `open_source` turns a feed's configuration into a running source."""

from __future__ import annotations

from core.clock import Clock
from core.errors import ConfigError
from edge_agents.config import ClipSource, FeedConfig, TestcardSource, V4l2Source
from edge_agents.masks import load_profile
from edge_agents.sources import testcard
from edge_agents.sources.base import CapturedFrame, Instant, RawSource, Source, SourceError
from edge_agents.sources.container import ContainerSource, describe_input
from edge_agents.sources.mask_painting import MaskMismatch
from edge_agents.sources.prepared import PreparedSource

__all__ = ["CapturedFrame", "Instant", "Source", "SourceError", "open_raw", "open_source"]


def open_source(feed: FeedConfig, clock: Clock) -> Source:
    """Open the feed's source, masked and in the feed's size.

    Raises `SourceError` when it cannot be opened now, and when its mask profile cannot be read any more.
    """
    try:
        masks = None if feed.masks is None else load_profile(feed.masks)
    except ConfigError as error:
        raise MaskMismatch(str(error)) from None
    return PreparedSource(open_raw(feed, clock), masks, feed.width, feed.height)


def open_raw(feed: FeedConfig, clock: Clock) -> RawSource:
    """The device itself, nothing masked. Raises `SourceError` when it cannot be opened now."""
    size = (feed.width, feed.height, feed.fps)
    match feed.source:
        case TestcardSource():
            return testcard.TestcardSource(*size, clock, label=feed.name.upper())
        case ClipSource(path=path, screen=screen):
            from edge_agents.sources import clip  # pydicom takes a second to import

            return clip.ClipSource(path, *size, clock) if screen else clip.BareClip(path, feed.fps, clock)
        case V4l2Source() as device:
            from edge_agents.sources.capture import CaptureDevice

            return CaptureDevice(device, *size, clock)
        case other:
            return ContainerSource(describe_input(other, *size), feed.fps, clock)
