"""Where pictures come from. `open_source` turns a feed's configuration into a running source."""

from __future__ import annotations

from core.clock import Clock
from edge_agents.config import ClipSource, FeedConfig, TestcardSource
from edge_agents.sources import testcard
from edge_agents.sources.base import CapturedFrame, Instant, Source, SourceError
from edge_agents.sources.container import ContainerSource, describe_input

__all__ = ["CapturedFrame", "Instant", "Source", "SourceError", "open_source"]


def open_source(feed: FeedConfig, clock: Clock) -> Source:
    """Open the feed's source. Raises `SourceError` when it cannot be opened now."""
    size = (feed.width, feed.height, feed.fps)
    match feed.source:
        case TestcardSource():
            return testcard.TestcardSource(*size, clock, label=feed.name.upper())
        case ClipSource(path=path):
            from edge_agents.sources import clip  # pydicom takes a second to import

            return clip.ClipSource(path, *size, clock)
        case other:
            return ContainerSource(describe_input(other, *size), *size, clock)
