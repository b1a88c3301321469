"""Load for the benchmarks: a process that publishes, or one that receives. Real ICE, DTLS, SRTP, RTCP.

Talks to its parent in lines: JSON on stdout, `mark` (or end of file) on stdin.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from collections.abc import Sequence
from typing import Any, Final

from bench.pictures import SizedPictures
from bench.publisher import Publisher
from bench.receiver import Receiver
from bench.signalling import ServerKind, open_signalling
from core.clock import NS_PER_MS, NS_PER_S
from core.logging import configure_logging
from rtp.srtp import SrtpProfile
from transport.dtls import ALL_PROFILES

FEEDBACK_S: Final = 0.1


def _say(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)


async def _marks() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    return reader


async def publish(
    server: ServerKind, api_path: str, feeds: int, bitrate_bps: int, *, in_step: bool = False
) -> None:
    """Publish `feeds` tracks until standard input ends. `in_step`: all frames and keyframes at the same
    instants; else each begins at a (seeded) time of its own, as devices do that know nothing of each other.
    """
    api, marks = await open_signalling(server, api_path), await _marks()
    publishers = [Publisher(SizedPictures(bitrate_bps, seed)) for seed in range(feeds)]
    tracks = [await publisher.start(api, f"pub-{n}") for n, publisher in enumerate(publishers)]
    chance = random.Random(feeds)
    apart_s = 0.0 if in_step else SizedPictures.KEYFRAME_EVERY / SizedPictures.FPS
    running = [asyncio.create_task(publisher.run(chance.uniform(0, apart_s))) for publisher in publishers]
    _say({"track_ids": [track_id for ids in tracks for track_id in ids]})
    while await marks.readline():
        numbers = [publisher.mark() for publisher in publishers]
        _say(
            {
                "sent": sum(each["sent"] for each in numbers),
                "late_ms": max(each["late_ms"] for each in numbers),
                "feedback": sum(each["feedback"] for each in numbers),
                "cpu_s": time.process_time(),
            }
        )
    for task in running:
        task.cancel()
    for publisher in publishers:
        await publisher.transport.close()
    await api.close()


async def receive(
    server: ServerKind,
    api_path: str,
    count: int,
    first: int,
    track_ids: Sequence[str],
    profile: str | None,
    *,
    plain: bool,
) -> None:
    """`count` subscribers until standard input ends; each `mark` is answered with what came since."""
    api, marks = await open_signalling(server, api_path), await _marks()
    profiles = [SrtpProfile(profile)] if profile else ALL_PROFILES
    receivers = [Receiver(profiles, plain=plain) for _ in range(count)]
    for number, receiver in enumerate(receivers, first):
        await receiver.start(api, f"sub-{number}", track_ids)
    feedback = asyncio.create_task(_give_feedback(receivers))
    _say({"ready": count, "profile": receivers[0].transport.srtp_profile})
    while await marks.readline():
        _say(_received(receivers))
    feedback.cancel()
    await asyncio.gather(*(receiver.transport.close() for receiver in receivers))
    await api.close()


def _received(receivers: Sequence[Receiver]) -> dict[str, Any]:
    """Expected, received and worst: since the last mark. The rest: since the start."""
    pairs = [receiver.mark() for receiver in receivers]
    columns = zip(*(receiver.transit.counts for receiver in receivers), strict=True)
    return {
        "expected": sum(expected for expected, _ in pairs),
        "received": sum(received for _, received in pairs),
        "worst": min((received for _, received in pairs), default=0),
        "verified": sum(receiver.verified for receiver in receivers),
        "rejected": sum(receiver.transport.media.counters.rejected for receiver in receivers),
        "feedback_sent": sum(receiver.feedback_sent for receiver in receivers),
        "overflowed": sum(receiver.overflowed() for receiver in receivers),
        "transit": [sum(column) for column in columns],
        "cpu_s": time.process_time(),
    }


async def _give_feedback(receivers: Sequence[Receiver]) -> None:
    """Spread over the interval, as independent browsers would be."""
    while True:
        begin = time.monotonic_ns()
        for index, receiver in enumerate(receivers):
            receiver.give_feedback()
            due_ns = begin + int((index + 1) / len(receivers) * FEEDBACK_S * NS_PER_S)
            wait_ns = due_ns - time.monotonic_ns()
            if wait_ns > NS_PER_MS:
                await asyncio.sleep(wait_ns / NS_PER_S)
        await asyncio.sleep(0)


def main() -> None:
    """`python -m bench.sfu_load publish|receive …`; started by the benchmarks."""
    import uvloop

    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=("publish", "receive"))
    parser.add_argument("--server", choices=("teleconsult", "janus"), default="teleconsult")
    parser.add_argument("--api", required=True)
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--bitrate-bps", type=int, default=4_000_000)
    parser.add_argument("--track", action="append", default=[])
    parser.add_argument("--profile")
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--in-step", action="store_true")
    given = parser.parse_args()
    configure_logging("warning", "load")
    if given.role == "publish":
        uvloop.run(publish(given.server, given.api, given.count, given.bitrate_bps, in_step=given.in_step))
    else:
        work = receive(
            given.server,
            given.api,
            given.count,
            given.first,
            given.track,
            given.profile,
            plain=given.plain,
        )
        uvloop.run(work)


if __name__ == "__main__":
    main()
