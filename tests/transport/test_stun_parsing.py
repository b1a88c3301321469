"""Our reading and writing of Binding messages, against aioice's and against the RFC's own samples."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import pytest
from aioice import stun
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ProtocolError
from transport.stun import (
    BINDING_REQUEST,
    BINDING_RESPONSE,
    COOKIE,
    HEADER_BYTES,
    StunMessage,
    check_request,
    is_stun,
    parse_stun,
    success_response,
)

PWD = "p" * 24
ID = b"t" * 12
INTEGRITY_BYTES = 24
READ = {
    "USERNAME",
    "MESSAGE-INTEGRITY",
    "ERROR-CODE",
    "XOR-MAPPED-ADDRESS",
    "PRIORITY",
    "USE-CANDIDATE",
    "ICE-CONTROLLED",
    "ICE-CONTROLLING",
}
NUMBERS = [0x0006, 0x0008, 0x0009, 0x0020, 0x0024, 0x0025, 0x8028, 0x8029, 0x802A, 0x7FFF, 0xC057]
"""Of what is read, FINGERPRINT, and two that neither side knows."""

for _name, _number in (("UNKNOWN-REQUIRED", 0x7FFF), ("UNKNOWN-OPTIONAL", 0xC057)):
    # by name only: aioice writes them, and does not know them when it reads
    stun.ATTRIBUTES_BY_NAME.setdefault(_name, (_number, _name, stun.pack_bytes, stun.unpack_bytes))

text = st.text(st.characters(codec="utf-8"), max_size=30)
ids = st.binary(min_size=12, max_size=12)
addresses = st.tuples(st.ip_addresses().map(str), st.integers(0, 65535))
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "USERNAME": text,
    "ERROR-CODE": st.tuples(st.integers(0, 25599), text),
    "XOR-MAPPED-ADDRESS": addresses,
    "PRIORITY": st.integers(0, 2**32 - 1),
    "USE-CANDIDATE": st.none(),
    "ICE-CONTROLLED": st.integers(0, 2**64 - 1),
    "ICE-CONTROLLING": st.integers(0, 2**64 - 1),
    "SOFTWARE": text,
    "REALM": text,
    "NONCE": st.binary(max_size=30),
    "MAPPED-ADDRESS": addresses,
    "UNKNOWN-REQUIRED": st.binary(max_size=30),
    "UNKNOWN-OPTIONAL": st.binary(max_size=30),
}


@st.composite
def messages(draw: st.DrawFn, keys: Sequence[bytes | None] = (None, PWD.encode(), b"other")) -> bytes:
    """As aioice writes them, in any order, signed with one of `keys`. Some go on behind their signature."""
    message = stun.Message(stun.Method.BINDING, draw(st.sampled_from(stun.Class)), draw(ids))
    names = draw(st.lists(st.sampled_from(list(VALUES)), unique=True))
    before = draw(st.integers(0, len(names)))
    for name in names[:before]:
        message.attributes[name] = draw(VALUES[name])
    key = draw(st.sampled_from(keys))
    if key is not None:
        message.add_message_integrity(key)
        if draw(st.booleans()):
            del message.attributes["FINGERPRINT"]
    for name in names[before:]:
        message.attributes[name] = draw(VALUES[name])
    if "FINGERPRINT" not in message.attributes and draw(st.booleans()):
        message.add_fingerprint()
    return bytes(message)


@st.composite
def framed(draw: st.DrawFn) -> bytes:
    """Any values under the numbers we read, with any padding; some of them twice."""
    body = b""
    for number in draw(st.lists(st.sampled_from(NUMBERS), max_size=8)):
        size = draw(st.sampled_from([0, 3, 4, 5, 8, 20]))
        value = draw(st.binary(min_size=size, max_size=size))
        if size in (8, 20) and draw(st.booleans()):
            value = b"\0" + bytes([1 if size == 8 else 2]) + value[2:]
        padding = draw(st.binary(min_size=-size & 3, max_size=-size & 3))
        body += struct.pack("!HH", number, size) + value + padding
    kind = draw(st.sampled_from([0x0001, 0x0011, 0x0101, 0x0111]))
    return struct.pack("!HH", kind, len(body)) + COOKIE + draw(ids) + body


@st.composite
def changed(draw: st.DrawFn, datagram: bytes) -> bytes:
    """Bytes replaced, put in and cut out; with a fitting length again, or without."""
    mutable = bytearray(datagram)
    for _ in range(draw(st.integers(1, 4))):
        position = draw(st.integers(0, max(len(mutable) - 1, 0)))
        size = draw(st.sampled_from([1, 1, 1, 4, 8]))
        cut = draw(st.sampled_from([0, size, size, size]))
        mutable[position : position + cut] = draw(st.binary(max_size=size))
    if len(mutable) >= HEADER_BYTES and draw(st.booleans()):
        mutable[2:4] = struct.pack("!H", len(mutable) - HEADER_BYTES)
    return bytes(mutable)


def parsed(datagram: bytes) -> StunMessage | None:
    try:
        return parse_stun(datagram)
    except ProtocolError:
        return None


def parsed_by_aioice(datagram: bytes) -> stun.Message | None:
    if not is_stun(datagram):
        return None
    try:
        message = stun.parse_message(datagram)
    except (ValueError, struct.error):
        return None
    return message if message.message_method == stun.Method.BINDING else None


def is_well_framed(datagram: bytes) -> bool:
    """Every attribute ends, with its padding, inside the message. aioice takes what is there."""
    position = HEADER_BYTES
    while position < len(datagram):
        if len(datagram) - position < 4:
            return False
        (size,) = struct.unpack_from("!H", datagram, position + 2)
        position += 4 + size + (-size & 3)
    return position == len(datagram)


def assert_same(ours: StunMessage, theirs: stun.Message) -> None:
    assert ours.kind == theirs.message_method | theirs.message_class
    assert ours.transaction_id == theirs.transaction_id
    assert ours.attributes == {name: value for name, value in theirs.attributes.items() if name in READ}
    assert ours.error_code == (theirs.error_code or 0)
    assert ours.has_integrity() == ("MESSAGE-INTEGRITY" in theirs.attributes)
    for pwd in (PWD, "other", ""):
        assert ours.signed_with(pwd) == theirs.check_message_integrity(pwd.encode())


@given(messages())
def test_what_aioice_writes_is_read_as_aioice_reads_it(datagram: bytes) -> None:
    theirs = parsed_by_aioice(datagram)
    assert theirs is not None
    assert_same(parse_stun(datagram), theirs)


@given(framed())
def test_any_values_are_read_or_refused_as_aioice_does(datagram: bytes) -> None:
    ours, theirs = parsed(datagram), parsed_by_aioice(datagram)
    assert (ours is None) == (theirs is None)
    if ours is not None and theirs is not None:
        assert_same(ours, theirs)


@given(st.one_of(messages(), framed()).flatmap(changed))
def test_changed_messages_are_read_as_aioice_reads_them_or_refused(datagram: bytes) -> None:
    ours, theirs = parsed(datagram), parsed_by_aioice(datagram)
    if ours is not None:
        assert is_well_framed(datagram)
        if theirs is not None:  # it may refuse what we do not read
            assert_same(ours, theirs)
    else:
        assert theirs is None or not is_well_framed(datagram)


@given(messages([None]), st.data())
def test_nothing_makes_an_unsigned_message_signed(datagram: bytes, data: st.DataObject) -> None:
    message = parsed(data.draw(changed(datagram)))
    assert message is None or not (message.signed_with(PWD) or message.signed_with(""))


@given(messages([b"key"]), st.data())
def test_nothing_makes_a_message_signed_by_somebody_else_ours(datagram: bytes, data: st.DataObject) -> None:
    assert parse_stun(datagram).signed_with("key")
    message = parsed(data.draw(changed(datagram)))
    assert message is None or not message.signed_with(PWD)


@given(ids, text, addresses, st.data())
def test_a_signature_holds_for_what_was_signed_only(
    transaction_id: bytes, pwd: str, mapped: tuple[str, int], data: st.DataObject
) -> None:
    datagram = success_response(transaction_id, mapped, pwd)
    end = len(datagram) - 8
    other = data.draw(changed(datagram))
    message = parsed(other)
    if message is not None and message.signed_with(pwd):
        assert other[:2] + other[4:end] == datagram[:2] + datagram[4:end]


@given(messages(), st.integers(1, 1300))
def test_a_message_cut_short_is_refused(datagram: bytes, missing: int) -> None:
    short = datagram[: max(len(datagram) - missing, 0)]
    assert parsed(short) is None
    resized = short[:2] + struct.pack("!H", max(len(short) - HEADER_BYTES, 0)) + short[4:]
    assert parsed(resized) is None or is_well_framed(resized)


@given(ids, addresses, text)
def test_answers_are_aioices_to_the_byte(transaction_id: bytes, mapped: tuple[str, int], pwd: str) -> None:
    assert success_response(transaction_id, mapped, pwd) == answer_by_aioice(transaction_id, mapped, pwd)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "255.255.255.255", "::", "::1", "::ffff:192.0.2.1", "fe80::1%eth0", "2001:DB8::1"]
)
def test_answers_to_odd_addresses_are_aioices_too(host: str) -> None:
    assert success_response(ID, (host, 1), PWD) == answer_by_aioice(ID, (host, 1), PWD)


def answer_by_aioice(transaction_id: bytes, mapped: tuple[str, int], pwd: str) -> bytes:
    message = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, transaction_id)
    message.attributes["XOR-MAPPED-ADDRESS"] = mapped
    message.add_message_integrity(pwd.encode())
    return bytes(message)


SAMPLE_PWD = "VOkJxbRl1RmTxUk/WvJxBt"
SAMPLE_REQUEST = bytes.fromhex(
    "00010058 2112a442 b7e7a701bc34d686fa87dfae"
    "80220010 5354554e207465737420636c69656e74 00240004 6e0001ff 80290008 932ff9b151263b36"
    "00060009 6576746a3a68367659202020 00080014 9aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2 80280004 e57a3bcf"
)
SAMPLE_RESPONSE = bytes.fromhex(
    "0101003c 2112a442 b7e7a701bc34d686fa87dfae"
    "8022000b 7465737420766563746f7220 00200008 0001a147e112a643"
    "00080014 2b91f599fd9e90c38c7489f92af9ba53f06be7d7 80280004 c07d4c96"
)
SAMPLE_RESPONSE_V6 = bytes.fromhex(
    "01010048 2112a442 b7e7a701bc34d686fa87dfae"
    "8022000b 7465737420766563746f7220 00200014 0002a1470113a9faa5d3f179bc25f4b5bed2b9d9"
    "00080014 a382954e4be67bf11784c97c8292c275bfe3ed41 80280004 c8fb0b4c"
)


def test_the_samples_of_rfc_5769_are_understood() -> None:
    request = parse_stun(SAMPLE_REQUEST)
    assert (request.kind, request.signed_with(SAMPLE_PWD)) == (BINDING_REQUEST, True)
    assert {name: value for name, value in request.attributes.items() if name != "MESSAGE-INTEGRITY"} == {
        "PRIORITY": 0x6E0001FF,
        "ICE-CONTROLLED": 0x932FF9B151263B36,
        "USERNAME": "evtj:h6vY",
    }
    for sample, host in (
        (SAMPLE_RESPONSE, "192.0.2.1"),
        (SAMPLE_RESPONSE_V6, "2001:db8:1234:5678:11:2233:4455:6677"),
    ):
        response = parse_stun(sample)
        assert (response.kind, response.signed_with(SAMPLE_PWD)) == (BINDING_RESPONSE, True)
        assert response.attributes["XOR-MAPPED-ADDRESS"] == (host, 32853)


def sized(body: bytes, *, more: int = 0) -> bytes:
    return struct.pack("!HH", BINDING_REQUEST, len(body) + more) + COOKIE + ID + body


@pytest.mark.parametrize(
    "datagram",
    [
        sized(b"", more=4),  # shorter than it says
        sized(bytes.fromhex("c0570000"), more=-4),  # longer
        sized(bytes.fromhex("c05700")),  # inside an attribute's header
        sized(bytes.fromhex("c0570001 00")),  # without its padding
        sized(bytes.fromhex("c0570005 00000000")),  # longer than the message
        sized(bytes.fromhex("0006ffff 613a6200")),
        sized(bytes.fromhex("00240000")),  # a priority without bytes
        sized(bytes.fromhex("80290004 00000000")),  # half a tie-breaker
        sized(bytes.fromhex("00060001 ff000000")),  # not UTF-8
        sized(bytes.fromhex("00090004 00000401 00090003 00000400")),  # an error code of three bytes
        sized(bytes.fromhex("00200008 0002000000000000")),  # IPv6 in four bytes
        sized(bytes.fromhex("00200000")),
        sized(bytes.fromhex("80280000")),
        sized(bytes.fromhex("80280004 00000000")),  # a wrong fingerprint
        b"\x00\x03" + sized(b"")[2:],  # another method
        b"\x02\x01" + sized(b"")[2:],
        sized(bytes(1264)),  # larger than connectivity checks are
    ],
    ids=lambda datagram: datagram[HEADER_BYTES:].hex()[:16] or datagram[:4].hex(),
)
def test_a_malformed_message_is_refused(datagram: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_stun(datagram)


def test_what_follows_the_signature_is_not_believed() -> None:
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST, ID, {"USERNAME": "a:b"})
    message.add_message_integrity(PWD.encode())
    message.attributes |= {"USE-CANDIDATE": None, "PRIORITY": 9, "ICE-CONTROLLED": 1}
    message.add_fingerprint()
    found = parse_stun(bytes(message))
    assert found.signed_with(PWD)
    assert found.attributes.keys() == {"USERNAME", "MESSAGE-INTEGRITY"}


@pytest.mark.parametrize("size", [0, 19, 21])
def test_a_signature_of_another_size_fits_nothing(size: int) -> None:
    good = check_request(ID, "a:b", PWD, priority=1, tie_breaker=1, controlling=True)
    start = len(good) - 8 - INTEGRITY_BYTES
    tag = (good[start + 4 : start + INTEGRITY_BYTES] + b"\0")[:size]
    body = good[HEADER_BYTES:start] + struct.pack("!HH", 0x0008, size) + tag + bytes(-size & 3)
    message = parse_stun(sized(body))
    assert message.has_integrity()
    assert not message.signed_with(PWD)
