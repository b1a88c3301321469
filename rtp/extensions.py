"""RTP header extensions: both forms, the ids of one m-line, cheap rewriting (RFC 8285)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from core.errors import ProtocolError
from rtp.extension_codecs import (
    AbsoluteCaptureTime,
    AudioLevel,
    decode_abs_capture_time,
    decode_abs_send_time,
    decode_audio_level,
    decode_playout_delay,
    decode_token,
    decode_transport_number,
    encode_abs_capture_time,
    encode_abs_send_time,
    encode_audio_level,
    encode_playout_delay,
    encode_token,
    encode_transport_number,
)

__all__ = [
    "ABS_CAPTURE_TIME",
    "ABS_SEND_TIME",
    "AUDIO_LEVEL",
    "DEPENDENCY_DESCRIPTOR",
    "MID",
    "PLAYOUT_DELAY",
    "REPAIRED_RID",
    "RID",
    "TRANSPORT_CC",
    "AbsoluteCaptureTime",
    "AudioLevel",
    "ExtensionMap",
    "ExtensionTemplate",
    "Item",
    "build_extensions",
    "decode_abs_capture_time",
    "decode_abs_send_time",
    "decode_audio_level",
    "decode_playout_delay",
    "decode_token",
    "decode_transport_number",
    "encode_abs_capture_time",
    "encode_abs_send_time",
    "encode_audio_level",
    "encode_playout_delay",
    "encode_token",
    "encode_transport_number",
    "iter_extensions",
    "parse_extensions",
    "remap",
]

MID: Final = "urn:ietf:params:rtp-hdrext:sdes:mid"
RID: Final = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
REPAIRED_RID: Final = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"
TRANSPORT_CC: Final = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
ABS_SEND_TIME: Final = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
ABS_CAPTURE_TIME: Final = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time"
PLAYOUT_DELAY: Final = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
AUDIO_LEVEL: Final = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
DEPENDENCY_DESCRIPTOR: Final = (
    "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
)

ONE_BYTE_PROFILE: Final = 0xBEDE
TWO_BYTE_PROFILE: Final = 0x1000
"""The upper 12 bits; the lower 4 are free for the application (RFC 8285 §4.3)."""

_ONE_BYTE_MAX_ID: Final = 14
_ONE_BYTE_MAX_LENGTH: Final = 16

Item = tuple[int, bytes]


class ExtensionMap:
    """URI ↔ id of one m-line (`a=extmap`). Immutable.

    Raises `ValueError` for an id outside 1…255 or used twice; a URI given twice keeps its first id.
    """

    __slots__ = ("_ids", "_uris")

    def __init__(self, ids: Mapping[int, str] | None = None) -> None:
        self._uris: dict[int, str] = dict(ids or {})
        self._ids: dict[str, int] = {}
        for number, uri in self._uris.items():
            if not 1 <= number <= 255:
                raise ValueError(f"extension id {number} is not between 1 and 255")
            self._ids.setdefault(uri, number)

    def id_of(self, uri: str) -> int | None:
        """The id of `uri`, or None when it was not negotiated."""
        return self._ids.get(uri)

    def uri_of(self, number: int) -> str | None:
        """The URI of id `number`, or None."""
        return self._uris.get(number)

    def items(self) -> Iterator[tuple[int, str]]:
        """(id, URI) pairs."""
        return iter(self._uris.items())

    def table_to(self, other: ExtensionMap, *, leave_out: Iterable[str] = ()) -> dict[int, int]:
        """Our ids → the ids of the same URIs in `other`, for `remap`; without those of `leave_out`."""
        left_out = set(leave_out)
        return {
            number: other._ids[uri]
            for number, uri in self._uris.items()
            if uri in other._ids and uri not in left_out
        }

    def __len__(self) -> int:
        return len(self._uris)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ExtensionMap) and self._uris == other._uris

    def __hash__(self) -> int:
        return hash(frozenset(self._uris.items()))

    def __repr__(self) -> str:
        return f"ExtensionMap({self._uris!r})"


def is_two_byte(profile: int) -> bool:
    """True for the profiles of the two-byte form (RFC 8285 §4.3)."""
    return profile & 0xFFF0 == TWO_BYTE_PROFILE


def iter_extensions(profile: int | None, block: bytes) -> Iterator[Item]:
    """The elements of a block in order. Other profiles than RFC 8285's have no elements we know: nothing.

    Raises `ProtocolError` when an element runs over the end of the block.
    """
    if profile == ONE_BYTE_PROFILE:
        return iter(_one_byte_items(block))
    if profile is not None and is_two_byte(profile):
        return _iter_two_byte(block)
    return iter(())


def _one_byte_items(block: bytes) -> list[Item]:
    found: list[Item] = []
    position, end = 0, len(block)
    while position < end:
        head = block[position]
        position += 1
        if head < 0x10:  # padding; id 0 has no length of its own to believe but is skipped with it
            position += (head & 0x0F) + 1 if head else 0
            if position > end:
                raise ProtocolError("RTP header extension runs over its block")
            continue
        if head >= 0xF0:  # reserved: stop, keep what came before (RFC 8285 §4.2)
            break
        stop = position + (head & 0x0F) + 1
        if stop > end:
            raise ProtocolError("RTP header extension runs over its block")
        found.append((head >> 4, block[position:stop]))
        position = stop
    return found


def _iter_two_byte(block: bytes) -> Iterator[Item]:
    position, end = 0, len(block)
    while position < end:
        number = block[position]
        position += 1
        if number == 0:
            continue
        if position == end:
            raise ProtocolError("RTP header extension runs over its block")
        stop = position + 1 + block[position]
        if stop > end:
            raise ProtocolError("RTP header extension runs over its block")
        yield number, block[position + 1 : stop]
        position = stop


def parse_extensions(profile: int | None, block: bytes) -> dict[int, bytes]:
    """Block → id → value; of an id that comes twice, the last. Raises `ProtocolError`."""
    if profile == ONE_BYTE_PROFILE:  # of every packet: not through a generator
        return dict(_one_byte_items(block))
    return dict(iter_extensions(profile, block))


class NumberedBlock(NamedTuple):
    """An extension block as packet after packet carries it, but for the transport-wide number."""

    profile: int
    size_bytes: int
    before: bytes
    after: bytes

    def number_of(self, profile: int | None, block: bytes) -> int | None:
        """The number in a block that is otherwise the same; None for another one."""
        if (
            profile != self.profile
            or len(block) != self.size_bytes
            or not block.startswith(self.before)
            or not block.endswith(self.after)
        ):
            return None
        place = len(self.before)
        return block[place] << 8 | block[place + 1]


def numbered_block(profile: int | None, block: bytes, number_id: int) -> NumberedBlock | None:
    """What stays of a block of the one-byte form; None for others, or without a number of two bytes.

    Raises `ProtocolError` for a malformed one.
    """
    if profile != ONE_BYTE_PROFILE:
        return None
    head = bytes((number_id << 4 | 1,)) if number_id <= _ONE_BYTE_MAX_ID else b""
    before = b""
    for number, value in _one_byte_items(block):
        if number == number_id and len(value) == 2 and block.startswith(before + head):
            place = len(before) + 1
            return NumberedBlock(profile, len(block), block[:place], block[place + 2 :])
        before += bytes((number << 4 | len(value) - 1,)) + value
    return None


def build_extensions(items: Iterable[Item]) -> tuple[int | None, bytes]:
    """(id, value) pairs → (profile, padded block); (None, b"") for no items.

    The one-byte form where every item fits it, else the two-byte form. Raises `ValueError` for an id outside
    1…255 or a value over 255 bytes.
    """
    pairs = list(items)
    if not pairs:
        return None, b""
    two_byte = _needs_two_bytes(pairs)
    block = b"".join([_element(number, value, two_byte) for number, value in pairs])
    return (TWO_BYTE_PROFILE if two_byte else ONE_BYTE_PROFILE), _padded(block)


def _needs_two_bytes(items: Iterable[Item]) -> bool:
    return any(
        number > _ONE_BYTE_MAX_ID or not 1 <= len(value) <= _ONE_BYTE_MAX_LENGTH for number, value in items
    )


def _element(number: int, value: bytes, two_byte: bool) -> bytes:
    if not 1 <= number <= 255 or len(value) > 255:
        raise ValueError("an extension has an id of 1…255 and at most 255 bytes")
    if two_byte:
        return bytes((number, len(value))) + value
    return bytes((number << 4 | len(value) - 1,)) + value


def _padded(block: bytes) -> bytes:
    return block + bytes(-len(block) % 4)


def remap(profile: int | None, block: bytes, table: Mapping[int, int]) -> tuple[int | None, bytes]:
    """The same elements under the ids of `table`; those without an entry are left out.

    Known and unknown extensions are treated alike. Raises `ProtocolError` for a malformed block.
    """
    return build_extensions(
        [(table[number], value) for number, value in iter_extensions(profile, block) if number in table]
    )


class ExtensionTemplate:
    """Extension blocks for all subscribers that share one id mapping, built once per packet.

    The transport-wide number differs per subscriber, so its element comes first and the result is cut around
    its two bytes: extension = before + number.to_bytes(2) + after (`after` is empty and nothing is to be
    inserted when the mapping has no `transport_cc_id`). `before` begins with the 4-byte extension head; both
    are empty when there is no extension at all, and then the header's X bit must be clear.

    `table` must not map onto `transport_cc_id`; `constant` items (playout delay) are put into every packet
    and replace what the source sent under the same id.
    """

    __slots__ = ("_constant", "_last", "_last_kept", "_last_key", "_table", "transport_cc_id")

    def __init__(
        self,
        table: Mapping[int, int],
        *,
        transport_cc_id: int | None = None,
        constant: Iterable[Item] = (),
    ) -> None:
        self._constant = list(constant)
        taken = {number for number, _ in self._constant} | {transport_cc_id}
        self._table = {source: target for source, target in table.items() if target not in taken}
        self.transport_cc_id = transport_cc_id
        self._last_key: tuple[int | None, bytes] | None = None
        self._last_kept: tuple[Item, ...] = ()
        self._last: tuple[bytes, bytes] = (b"", b"")

    def render(self, profile: int | None, block: bytes) -> tuple[bytes, bytes]:
        """(before, after) for a source packet's extension. Raises `ProtocolError` for a malformed block."""
        key = (profile, block)
        if key == self._last_key:
            return self._last
        table = self._table
        if profile == ONE_BYTE_PROFILE:
            kept = tuple([(table[n], value) for n, value in _one_byte_items(block) if n in table])
        else:
            kept = tuple([(table[n], value) for n, value in iter_extensions(profile, block) if n in table])
        # Most of what differs from packet to packet is of one hop: what is left is often the same.
        if self._last_key is None or kept != self._last_kept:
            self._last = self._build(kept)
            self._last_kept = kept
        self._last_key = key
        return self._last

    def _build(self, kept: tuple[Item, ...]) -> tuple[bytes, bytes]:
        items = [*kept, *self._constant]
        if self.transport_cc_id is not None:
            items.insert(0, (self.transport_cc_id, b"\0\0"))
        new_profile, body = build_extensions(items)
        if new_profile is None:
            return b"", b""
        whole = new_profile.to_bytes(2, "big") + (len(body) // 4).to_bytes(2, "big") + body
        if self.transport_cc_id is None:
            return whole, b""
        cut = 5 if new_profile == ONE_BYTE_PROFILE else 6
        return whole[:cut], whole[cut + 2 :]
