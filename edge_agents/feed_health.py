"""What a feed has counted, and how it is, in the words that travel."""

from __future__ import annotations

from core.device_health import FeedHealth
from edge_agents.feed import Feed
from edge_agents.layers import FULL
from edge_agents.vitals import Counts, Flow


def counts_of(feed: Feed) -> Counts:
    """Now."""
    stats, publication = feed.pipeline.stats, feed.publisher.publication
    sender = None if publication is None else publication.sender
    return Counts(
        captured=stats.captured,
        taken=stats.taken,
        encoded=stats.encoded + stats.held_back,
        failures=stats.failures,
        sent=0 if sender is None else sender.stats.frames,
        resting=not feed.pipeline.plan,
        connected=publication is not None and publication.state == "connected",
        signal=feed.pipeline.signal.state,
    )


def health_of(name: str, feed: Feed, flow: Flow) -> FeedHealth:
    """`flow`: from looking at its counts."""
    publication, full = feed.publisher.publication, feed.pipeline.plan.get(FULL)
    return FeedHealth(
        feed=name,
        signal=flow.signal,
        flowing=flow.flowing,
        sent=flow.sent,
        frames_per_s=flow.frames_per_s,
        encoder=feed.encoders.name,
        width=0 if full is None else full.width,
        height=0 if full is None else full.height,
        uplink_bps=None if publication is None else publication.estimate_bps,
    )
