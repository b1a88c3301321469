"""Values of the header extensions we read or write. Decoders raise `ProtocolError` for a value of the wrong
form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from core.clock import NS_PER_S, ntp_to_unix_ns, unix_ns_to_ntp
from core.errors import ProtocolError

_PLAYOUT_DELAY_STEP_MS: Final = 10
_PLAYOUT_DELAY_MAX_STEPS: Final = 0xFFF


@dataclass(slots=True, init=False)
class AbsoluteCaptureTime:
    """When the frame was captured, in Unix ns of the capturing machine's clock.

    `clock_offset_ns` is the last hop's estimate of (capturer's clock − its own); None when not sent.
    """

    capture_ns: int
    clock_offset_ns: int | None

    def __init__(self, capture_ns: int, clock_offset_ns: int | None = None) -> None:
        # A generated one stays interpreted where this is compiled, and this runs for every frame.
        self.capture_ns = capture_ns
        self.clock_offset_ns = clock_offset_ns


@dataclass(frozen=True, slots=True)
class AudioLevel:
    """RFC 6464: `level_dbov` is 0 (loudest) … 127 (silence), counted in −dBov."""

    level_dbov: int
    voice: bool


def encode_token(value: str) -> bytes:
    """mid, rid or rrid → bytes. Raises `ValueError` for non-ASCII or an impossible length."""
    if not 1 <= len(value) <= 255 or not value.isascii():
        raise ValueError("a mid or rid is 1…255 ASCII characters")
    return value.encode("ascii")


def decode_token(value: bytes) -> str:
    """mid, rid or rrid (RFC 9143, RFC 8852). Some senders pad with zeros; they are cut."""
    text = value.rstrip(b"\0")
    if not text or not text.isascii() or not all(0x20 < byte < 0x7F for byte in text):
        raise ProtocolError("mid or rid is not printable ASCII")
    return text.decode("ascii")


def encode_transport_number(number: int) -> bytes:
    """Transport-wide sequence number → 2 bytes."""
    return (number & 0xFFFF).to_bytes(2, "big")


def decode_transport_number(value: bytes) -> int:
    """Transport-wide sequence number; version 2 of the extension appends 2 bytes that we do not use."""
    if len(value) not in (2, 4):
        raise ProtocolError("transport-wide sequence number is not 2 bytes")
    return value[0] << 8 | value[1]


def encode_abs_send_time(unix_ns: int) -> bytes:
    """Unix ns → 6.18 fixed-point seconds, which wraps every 64 s."""
    return (((unix_ns << 18) // NS_PER_S) & 0xFFFFFF).to_bytes(3, "big")


def decode_abs_send_time(value: bytes) -> int:
    """→ nanoseconds within the 64 s cycle."""
    if len(value) != 3:
        raise ProtocolError("abs-send-time is not 3 bytes")
    return (int.from_bytes(value, "big") * NS_PER_S) >> 18


def encode_abs_capture_time(value: AbsoluteCaptureTime) -> bytes:
    """8 bytes, or 16 with the clock offset (both 32.32 fixed-point seconds)."""
    encoded = unix_ns_to_ntp(value.capture_ns).to_bytes(8, "big")
    if value.clock_offset_ns is None:
        return encoded
    return encoded + ((value.clock_offset_ns << 32) // NS_PER_S).to_bytes(8, "big", signed=True)


def decode_abs_capture_time(value: bytes) -> AbsoluteCaptureTime:
    """Inverse of `encode_abs_capture_time`, to the nanosecond."""
    if len(value) not in (8, 16):
        raise ProtocolError("abs-capture-time is not 8 or 16 bytes")
    capture_ns = ntp_to_unix_ns(int.from_bytes(value[:8], "big"))
    if len(value) == 8:
        return AbsoluteCaptureTime(capture_ns)
    offset = int.from_bytes(value[8:], "big", signed=True)
    return AbsoluteCaptureTime(capture_ns, (offset * NS_PER_S) >> 32)


def encode_playout_delay(min_ms: int, max_ms: int) -> bytes:
    """Bounds of the receiver's delay → 2 × 12 bits in steps of 10 ms. `ValueError` outside 0…40950 ms."""
    low, high = min_ms // _PLAYOUT_DELAY_STEP_MS, max_ms // _PLAYOUT_DELAY_STEP_MS
    if not 0 <= low <= high <= _PLAYOUT_DELAY_MAX_STEPS:
        raise ValueError("playout delay is 0 ≤ min ≤ max ≤ 40950 ms")
    return (low << 12 | high).to_bytes(3, "big")


def decode_playout_delay(value: bytes) -> tuple[int, int]:
    """→ (min_ms, max_ms)."""
    if len(value) != 3:
        raise ProtocolError("playout-delay is not 3 bytes")
    low, high = divmod(int.from_bytes(value, "big"), _PLAYOUT_DELAY_MAX_STEPS + 1)
    if low > high:
        raise ProtocolError("playout-delay has its bounds the wrong way round")
    return low * _PLAYOUT_DELAY_STEP_MS, high * _PLAYOUT_DELAY_STEP_MS


def encode_audio_level(value: AudioLevel) -> bytes:
    """One byte. Raises `ValueError` outside 0…127."""
    if not 0 <= value.level_dbov <= 127:
        raise ValueError("an audio level is 0…127 −dBov")
    return bytes((value.level_dbov | (0x80 if value.voice else 0),))


def decode_audio_level(value: bytes) -> AudioLevel:
    """The two-byte form may append one byte of padding (RFC 6464 §3)."""
    if len(value) not in (1, 2):
        raise ProtocolError("audio level is not one byte")
    return AudioLevel(value[0] & 0x7F, value[0] > 127)
