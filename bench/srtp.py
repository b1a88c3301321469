"""What one packet costs in the protocol core: `python -m bench.srtp [--json]`. No network, one core, best of
several runs.
"""

from __future__ import annotations

import argparse
import json
import struct
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

from rtp.packet import RtpPacket, parse_rtp
from rtp.receive_stream import ReceiveStream
from rtp.rewrite import StreamRewriter
from rtp.srtp import SrtpKeys, SrtpProfile, SrtpReceiver, SrtpSender

PACKETS: Final = 20_000
RUNS: Final = 7
PAYLOAD_BYTES: Final = 1138
PACKETS_PER_FRAME: Final = 15
PACKET_NS: Final = 2_000_000
SSRC: Final = 0x1234_5678


def best_us(prepare: Callable[[], tuple[Callable[[Any], object], Iterable[Any]]]) -> float:
    """Least time per item, in µs, over `RUNS` runs of `prepare()` → (function, items); preparing is not
    counted.
    """
    best = float("inf")
    for _ in range(RUNS):
        work, items = prepare()
        items = list(items)
        start = time.perf_counter()
        for item in items:
            work(item)
        best = min(best, (time.perf_counter() - start) / len(items))
    return best * 1e6


def _keys(profile: SrtpProfile) -> SrtpKeys:
    return SrtpKeys(profile, bytes(range(profile.key_bytes)), bytes(range(profile.salt_bytes)))


def _headers() -> list[bytes]:
    pack = struct.Struct("!BBHII").pack
    return [pack(0x80, 96, i & 0xFFFF, i // PACKETS_PER_FRAME * 3000, SSRC) for i in range(PACKETS)]


def _packets() -> list[RtpPacket]:
    payload = bytes(PAYLOAD_BYTES)
    return [parse_rtp(header + payload, i * PACKET_NS + 1) for i, header in enumerate(_headers())]


def _parse() -> tuple[Callable[[Any], object], Iterable[Any]]:
    payload = bytes(PAYLOAD_BYTES)
    return parse_rtp, [header + payload for header in _headers()]


def _parse_extended() -> tuple[Callable[[Any], object], Iterable[Any]]:
    packets = _packets()
    for packet in packets:
        packet.extension_profile, packet.extension = 0xBEDE, b"\x10\x30\x51\x00\x01\x00\x00\x00"
    return parse_rtp, [packet.serialize() for packet in packets]


def _seal(profile: SrtpProfile) -> tuple[Callable[[Any], object], Iterable[Any]]:
    payload = bytes(PAYLOAD_BYTES)
    seal = SrtpSender(_keys(profile)).seal
    return (lambda header: seal(header, payload)), _headers()


def _open(profile: SrtpProfile) -> tuple[Callable[[Any], object], Iterable[Any]]:
    payload = bytes(PAYLOAD_BYTES)
    sender, receiver = SrtpSender(_keys(profile)), SrtpReceiver(_keys(profile))
    open_packet = receiver.open_packet
    return (lambda datagram: open_packet(datagram, 1)), [sender.seal(h, payload) for h in _headers()]


def _receive() -> tuple[Callable[[Any], object], Iterable[Any]]:
    receive = ReceiveStream(SSRC, 90_000, payload_types=[96], rtx_payload_types={97: 96}).receive
    return (lambda packet: receive(packet, packet.arrival_ns)), _packets()


def _rewrite() -> tuple[Callable[[Any], object], Iterable[Any]]:
    rewriter = StreamRewriter(90_000, 1000, 5000)
    rewriter.switch(1)
    rewrite = rewriter.rewrite
    return (lambda p: rewrite(1, p.sequence_number, p.timestamp, p.arrival_ns)), _packets()


def _nothing() -> tuple[Callable[[Any], object], Iterable[Any]]:
    return (lambda packet: None), _packets()


def measure() -> dict[str, float]:
    """Step → µs per 1,150-byte packet, the measuring loop's own cost taken off."""
    loop = best_us(_nothing)
    steps: dict[str, Callable[[], tuple[Callable[[Any], object], Iterable[Any]]]] = {
        "parse": _parse,
        "parse, with extension": _parse_extended,
        "receive_stream.receive": _receive,
        "rewriter": _rewrite,
    }
    for profile in SrtpProfile:
        steps[f"open {profile.name}"] = partial(_open, profile)
        steps[f"seal {profile.name}"] = partial(_seal, profile)
    return {name: max(0.0, best_us(step) - loop) for name, step in steps.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    results = measure()
    if arguments.json:
        print(json.dumps({name: round(value, 3) for name, value in results.items()}))
        return
    for name, value in results.items():
        print(f"{name:36} {value:6.2f} µs")


if __name__ == "__main__":
    main()
