"""Single datagrams: STUN, RTP, SRTP, header extensions, RTCP."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from core.errors import ProtocolError
from rtp.extensions import (
    ExtensionTemplate,
    build_extensions,
    decode_abs_capture_time,
    decode_abs_send_time,
    decode_audio_level,
    decode_playout_delay,
    decode_token,
    decode_transport_number,
    encode_audio_level,
    encode_playout_delay,
    encode_token,
    iter_extensions,
    parse_extensions,
    remap,
)
from rtp.packet import is_rtcp, is_rtp, parse_rtp
from rtp.rtcp import Goodbye, Nack, SourceDescription, build_compound, parse_compound
from rtp.srtp import SrtpKeys, SrtpProfile, SrtpReceiver, SrtpSender
from transport.stun import is_stun, parse_stun, peek_request

KEYS: Final = {
    profile: SrtpKeys(profile, bytes(range(profile.key_bytes)), bytes(range(profile.salt_bytes)))
    for profile in SrtpProfile
}
DECODERS: Final[list[Callable[[bytes], Any]]] = [
    decode_token,
    decode_transport_number,
    decode_abs_send_time,
    decode_abs_capture_time,
    decode_playout_delay,
    decode_audio_level,
]


def stun(data: bytes) -> None:
    """A request that the quick look takes for ours may still be refused by the parser, not the reverse."""
    names = peek_request(data)
    with suppress(ProtocolError):
        message = parse_stun(data)
        assert is_stun(data)
        assert not message.signed_with("a password nobody has"), "a forged signature was taken"
        assert isinstance(message.error_code, int)
        assert names is None or all(name.isascii() for name in names)


def rtp(data: bytes) -> None:
    """What was parsed is written back as it came, but for the padding's content and a header nobody had."""
    is_rtcp(data)
    is_rtp(data)
    with suppress(ProtocolError):
        packet = parse_rtp(data, 1)
        again = packet.serialize()
        assert parse_rtp(again) == packet
        assert len(again) == len(data)
        assert packet.padding_bytes or again == data
        with suppress(ProtocolError):
            parse_extensions(packet.extension_profile, packet.extension)


def srtp(data: bytes) -> None:
    """Nothing opens that was not sealed with the key; what was sealed opens, whatever it says."""
    for keys in KEYS.values():
        receiver = SrtpReceiver(keys)
        for open_it in (receiver.open, receiver.open_rtcp):
            with suppress(ProtocolError):
                open_it(data)
                raise AssertionError("something opened that nobody sealed")
        _seal_and_open(keys, data)


def _seal_and_open(keys: SrtpKeys, data: bytes) -> None:
    with suppress(ProtocolError):
        packet = parse_rtp(data)
        sealed = SrtpSender(keys).seal(packet.header(), packet.body())
        assert parse_rtp(SrtpReceiver(keys).open(sealed)) == packet
    if len(data) >= 8 and data[0] >> 6 == 2:
        with suppress(ProtocolError):
            opened = SrtpReceiver(keys).open_rtcp(SrtpSender(keys).seal_rtcp(data))
            assert opened == data


def extensions(data: bytes) -> None:
    """Two bytes of profile, then the block."""
    profile, block = int.from_bytes(data[:2], "big"), data[2:]
    block += bytes(-len(block) % 4)
    with suppress(ProtocolError):
        found = parse_extensions(profile, block)
        for value in found.values():
            _decode(value)
        assert parse_extensions(*build_extensions(found.items())) == found
        swapped = remap(profile, block, {number: number % 255 + 1 for number in found})
        assert len(parse_extensions(*swapped)) == len(found)
    with suppress(ProtocolError):
        before, after = ExtensionTemplate({1: 2, 3: 1}, transport_cc_id=5, constant=[(9, b"\0\0\0")]).render(
            profile, block
        )
        whole = before + b"\xab\xcd" + after
        items = dict(iter_extensions(int.from_bytes(whole[:2], "big"), whole[4:]))
        assert items[5] == b"\xab\xcd"


def _decode(value: bytes) -> None:
    for decode in DECODERS:
        with suppress(ProtocolError):
            decode(value)
    with suppress(ProtocolError):
        token = decode_token(value)
        assert decode_token(encode_token(token)) == token
    with suppress(ProtocolError):
        delay = decode_playout_delay(value)
        assert decode_playout_delay(encode_playout_delay(*delay)) == delay
    with suppress(ProtocolError):
        level = decode_audio_level(value)
        assert decode_audio_level(encode_audio_level(level)) == level


def rtcp(data: bytes) -> None:
    """What was parsed can be written and read again. Text that was not UTF-8 has grown, and may not fit."""
    with suppress(ProtocolError):
        items = [item for item in parse_compound(data) if not isinstance(item, SourceDescription | Goodbye)]
        if not items:
            return
        again = build_compound(items)
        with suppress(ProtocolError):  # the same in our own words may be longer than a datagram
            assert [_comparable(item) for item in parse_compound(again)] == [
                _comparable(item) for item in items
            ]


def _comparable(item: Any) -> Any:
    """A NACK is a set: the order in which numbers were named is not kept."""
    return (item.sender_ssrc, item.media_ssrc, frozenset(item.lost)) if isinstance(item, Nack) else item
