"""Pure: changed copies of known inputs. Seeded: the same `chance` gives the same ones."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

MAX_BYTES = 65_536
INTERESTING = (0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 63, 64, 127, 128, 191, 192, 254, 255)
WIDE = (0, 1, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF, 0x1000, 0xBEDE)
WORDS = (
    b"\r\n", b"\n", b" ", b":", b"=", b"/", b"*", b";", b",", b"~", b"-1", b"0", b"65535", b"65536",
    b"4294967296", b"99999999999999999999", b"1e400", b"null", b"true", b"[]", b"{}", b'"', b"\\u0000", b"\0",
    b"\xff", b"\xc3\x28", b"a=", b"m=video 9 UDP/TLS/RTP/SAVPF 96", b"m=application 9 UDP/DTLS/SCTP webrtc",
    b"a=candidate:", b"a=ssrc:", b"a=ssrc-group:FID ", b"a=rid:", b"a=simulcast:", b"a=extmap:", b"a=fmtp:",
    b"a=rtpmap:", b"a=group:BUNDLE", b"a=mid:", b"a=inactive", b"REMB", "张".encode(), "\u2028".encode(),
)  # fmt: skip
Mutator = Callable[[bytearray, random.Random, Sequence[bytes]], None]


def mutated(known: Sequence[bytes], chance: random.Random) -> bytes:
    """One of `known`, changed in one to eight places."""
    data = bytearray(chance.choice(known))
    for _ in range(1 << chance.randrange(4)):
        chance.choice(MUTATORS)(data, chance, known)
    return bytes(data[:MAX_BYTES])


def _place(data: bytearray, chance: random.Random) -> int:
    return chance.randrange(len(data) + 1)


def _flip(data: bytearray, chance: random.Random, known: Sequence[bytes]) -> None:
    if data:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _overwrite(data: bytearray, chance: random.Random, known: Sequence[bytes]) -> None:
    if data:
        data[chance.randrange(len(data))] = chance.choice(INTERESTING)


def _overwrite_wide(data: bytearray, chance: random.Random, known: Sequence[bytes]) -> None:
    """Two bytes at once: lengths, counts, sequence numbers."""
    if len(data) > 1:
        start = chance.randrange(len(data) - 1)
        data[start : start + 2] = chance.choice(WIDE).to_bytes(2, "big")


def _cut(data: bytearray, chance: random.Random, known: Sequence[bytes]) -> None:
    start = _place(data, chance)
    del data[start : start + chance.choice((1, 2, 4, 12, 100, MAX_BYTES))]


def _repeat(data: bytearray, chance: random.Random, known: Sequence[bytes]) -> None:
    start = _place(data, chance)
    piece = data[start : start + chance.choice((1, 4, 16, 200))]
    data[start:start] = piece * chance.choice((1, 2, 30))


def _noise(data: bytearray, chance: random.Random, known: Sequence[bytes]) -> None:
    start = _place(data, chance)
    data[start:start] = chance.randbytes(chance.choice((1, 2, 4, 20)))


def _word(data: bytearray, chance: random.Random, known: Sequence[bytes]) -> None:
    start = _place(data, chance)
    data[start : start + chance.choice((0, 0, 1, 4))] = chance.choice(WORDS)


def _splice(data: bytearray, chance: random.Random, known: Sequence[bytes]) -> None:
    """The beginning of this one, the end of another."""
    other = chance.choice(known)
    data[_place(data, chance) :] = other[chance.randrange(len(other) + 1) :]


def _swap_lines(data: bytearray, chance: random.Random, known: Sequence[bytes]) -> None:
    lines = bytes(data).split(b"\n")
    first, second = chance.randrange(len(lines)), chance.randrange(len(lines))
    lines[first], lines[second] = lines[second], lines[first]
    data[:] = b"\n".join(lines)


def _repeat_line(data: bytearray, chance: random.Random, known: Sequence[bytes]) -> None:
    lines = bytes(data).split(b"\n")
    at = chance.randrange(len(lines))
    lines[at:at] = [lines[at]] * chance.choice((1, 1, 40))
    data[:] = b"\n".join(lines)


MUTATORS: tuple[Mutator, ...] = (
    _flip, _flip, _overwrite, _overwrite_wide, _cut, _repeat, _noise, _word, _splice, _swap_lines,
    _repeat_line,
)  # fmt: skip
