"""Every parser of network bytes as `target(data)`: whatever the data, it returns, and quickly.

A target lets only what the parser declares stop it (`ProtocolError`, a validation error); everything else
that escapes is a bug, a failing assertion included: those are the round trips that are promised.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tests.fuzz.targets import archives, congestion, descriptions, media, packets, room, streams

Target = Callable[[bytes], None]

TARGETS: Final[dict[str, Target]] = {
    "stun": packets.stun,
    "rtp": packets.rtp,
    "srtp": packets.srtp,
    "extensions": packets.extensions,
    "rtcp": packets.rtcp,
    "sdp": descriptions.sdp,
    "fragment": descriptions.fragment,
    "negotiation": descriptions.negotiation,
    "framing": streams.framing,
    "reception": streams.reception,
    "forwarding": streams.forwarding,
    "congestion": congestion.congestion,
    "payload_h264": media.h264,
    "payload_vp8": media.vp8,
    "payload_vp9": media.vp9,
    "payload_av1": media.av1,
    "payload_opus": media.opus,
    "messages": room.room_messages,
    "archive_manifest": archives.manifest,
    "archive_decisions": archives.decisions,
    "archive_ranges": archives.ranges,
    "log_notes": archives.notes,
    "log_lines": archives.log_lines,
    "key_files": archives.key_files,
}
