"""STUN messages (RFC 8489) as ICE uses them: a cheap look, a guarded parse, signed answers.

Each check a server gets is parsed, verified and answered here, in compiled code; what is rare is aioice's.
"""

from __future__ import annotations

import hmac
import ipaddress
import socket
import struct
from binascii import crc32
from collections.abc import Mapping
from typing import Any, Final

from aioice import stun
from aioice.stun import Class, Message, Method

from core.errors import ProtocolError

HEADER_BYTES: Final = 20
MAX_MESSAGE_BYTES: Final = 1280
"""Larger ones are not connectivity checks (RFC 8489 §6.1 keeps requests under the path's MTU)."""
COOKIE: Final = b"\x21\x12\xa4\x42"
USERNAME: Final = 0x0006
MESSAGE_INTEGRITY: Final = 0x0008
ERROR_CODE: Final = 0x0009
XOR_MAPPED_ADDRESS: Final = 0x0020
PRIORITY: Final = 0x0024
USE_CANDIDATE: Final = 0x0025
FINGERPRINT: Final = 0x8028
ICE_CONTROLLED: Final = 0x8029
ICE_CONTROLLING: Final = 0x802A
ROLE_CONFLICT: Final = (487, "Role Conflict")
BAD_REQUEST: Final = (400, "Bad Request")
UNAUTHENTICATED: Final = (401, "Unauthenticated")

_HEADER: Final = struct.Struct("!HH4s12s")
_ATTRIBUTE: Final = struct.Struct("!HH")
_LENGTH: Final = struct.Struct("!H")
_ADDRESS: Final = struct.Struct("!HHBB")
"""An address attribute before its port: number, size, a reserved byte, family."""
_PORT: Final = struct.Struct("!H")
_FINGERPRINT: Final = struct.Struct("!HHI")
_FINGERPRINT_XOR: Final = 0x5354554E
_INTEGRITY_BYTES: Final = 24
"""The attribute with its header."""
_FINGERPRINT_BYTES: Final = 8
_SIGNED: Final = _ATTRIBUTE.pack(MESSAGE_INTEGRITY, 20)

IPV4: Final = 1
IPV6: Final = 2
REQUESTED_ADDRESS_FAMILY: Final = "REQUESTED-ADDRESS-FAMILY"

__all__ = ["Class", "Message", "Method"]  # aioice's, for TURN

BINDING_REQUEST: Final = 0x0001
BINDING_INDICATION: Final = 0x0011
BINDING_RESPONSE: Final = 0x0101
BINDING_ERROR: Final = 0x0111


class StunMessage:
    """A parsed Binding message. `kind` is one of the `BINDING_…` numbers.

    `attributes`, by their names: those ICE reads. What follows MESSAGE-INTEGRITY is not among them.
    """

    __slots__ = ("_covered", "attributes", "kind", "transaction_id")

    def __init__(
        self, kind: int, transaction_id: bytes, attributes: Mapping[str, Any], covered: bytes
    ) -> None:
        self.kind = kind
        self.transaction_id = transaction_id
        self.attributes = attributes
        self._covered = covered
        """What MESSAGE-INTEGRITY is computed from; empty without one."""

    def has_integrity(self) -> bool:
        return "MESSAGE-INTEGRITY" in self.attributes

    def signed_with(self, pwd: str) -> bool:
        """True when MESSAGE-INTEGRITY (RFC 8489 §14.5) fits the short-term password."""
        if not self._covered:
            return False
        tag = hmac.digest(pwd.encode(), self._covered, "sha1")
        return hmac.compare_digest(tag, self.attributes["MESSAGE-INTEGRITY"])

    @property
    def error_code(self) -> int:
        """Of an error response; 0 without ERROR-CODE."""
        found = self.attributes.get("ERROR-CODE")
        return 0 if found is None else int(found[0])


def is_stun(datagram: bytes) -> bool:
    """RFC 7983 §7 and the magic cookie; nothing is parsed."""
    return len(datagram) >= HEADER_BYTES and datagram[0] < 4 and datagram[4:8] == COOKIE


def peek_request(datagram: bytes) -> tuple[str, str] | None:
    """(receiver's ufrag, sender's ufrag) of a well-framed Binding request, empty without a USERNAME; None for
    anything else.

    Costs a microsecond and checks nothing cryptographic: it decides whether a full parse is worth it.
    """
    if not HEADER_BYTES <= len(datagram) <= MAX_MESSAGE_BYTES:
        return None
    kind, length, cookie, _ = _HEADER.unpack_from(datagram)
    if kind != BINDING_REQUEST or cookie != COOKIE or length + HEADER_BYTES != len(datagram):
        return None
    position, end = HEADER_BYTES, len(datagram) - 4
    while position <= end:
        attribute, size = _ATTRIBUTE.unpack_from(datagram, position)
        if attribute == USERNAME:
            return _split_username(datagram[position + 4 : position + 4 + size])
        position += 4 + size + (-size & 3)
    return "", ""


def _split_username(value: bytes) -> tuple[str, str] | None:
    if not value.isascii():
        return None
    receiver, colon, sender = value.decode("ascii").partition(":")
    return (receiver, sender) if colon else None


def _pack_family(family: int) -> bytes:
    return bytes([family, 0, 0, 0])


def _unpack_family(data: bytes) -> int:
    return data[0]


stun.ATTRIBUTES_BY_NAME.setdefault(
    REQUESTED_ADDRESS_FAMILY, (0x0017, REQUESTED_ADDRESS_FAMILY, _pack_family, _unpack_family)
)  # RFC 8656 §18.7, which aioice does not know: without it relays are IPv4


def parse_any(datagram: bytes) -> Message:
    """Parse a STUN message of any method. Raises `ProtocolError` and nothing else."""
    if not is_stun(datagram) or len(datagram) > MAX_MESSAGE_BYTES:
        raise ProtocolError("not a STUN message")
    try:
        return stun.parse_message(datagram)
    except (ValueError, IndexError, KeyError, struct.error) as error:  # UnicodeDecodeError is a ValueError
        raise ProtocolError(f"malformed STUN message: {type(error).__name__}") from None


def parse_stun(datagram: bytes) -> StunMessage:
    """Parse a Binding message. Raises `ProtocolError` and nothing else."""
    end = len(datagram)
    if not is_stun(datagram) or end > MAX_MESSAGE_BYTES:
        raise ProtocolError("not a STUN message")
    kind, length = datagram[0] << 8 | datagram[1], datagram[2] << 8 | datagram[3]
    if length + HEADER_BYTES != end or length & 3:
        raise ProtocolError("STUN message has a wrong length")
    if kind not in (BINDING_REQUEST, BINDING_RESPONSE, BINDING_ERROR, BINDING_INDICATION):
        raise ProtocolError("STUN method is not Binding")
    transaction_id = datagram[8:HEADER_BYTES]
    attributes: dict[str, Any] = {}
    covered, position = b"", HEADER_BYTES
    while position < end:  # attributes begin at multiples of four, as the message ends: a header always fits
        attribute = datagram[position] << 8 | datagram[position + 1]
        size = datagram[position + 2] << 8 | datagram[position + 3]
        after = position + 4 + size
        if after > end:
            raise ProtocolError("STUN attribute is longer than its message")
        if attribute == FINGERPRINT:
            _check_fingerprint(datagram, position, datagram[position + 4 : after])
        elif not covered:  # what comes after MESSAGE-INTEGRITY is not authentic (RFC 8489 §9)
            value = datagram[position + 4 : after]
            if attribute == MESSAGE_INTEGRITY:
                attributes["MESSAGE-INTEGRITY"] = value
                covered = _cut(datagram, position, _INTEGRITY_BYTES)
            else:
                _read(attributes, attribute, value, transaction_id)
        position = after + (-size & 3)
    return StunMessage(kind, transaction_id, attributes, covered)


def _cut(datagram: bytes, end: int, more: int) -> bytes:
    """What stands before `end`, with the length of a message that has `more` bytes behind it."""
    return datagram[:2] + _LENGTH.pack(end - HEADER_BYTES + more) + datagram[4:end]


def _check_fingerprint(datagram: bytes, position: int, value: bytes) -> None:
    """FINGERPRINT (RFC 8489 §14.7) at `position`."""
    right = crc32(_cut(datagram, position, _FINGERPRINT_BYTES)) ^ _FINGERPRINT_XOR
    if _number(value, 4) != right:
        raise ProtocolError("STUN fingerprint does not match")


def _read(attributes: dict[str, Any], attribute: int, value: bytes, transaction_id: bytes) -> None:
    """Of an attribute that is there twice, the later one counts; unknown ones are ignored."""
    if attribute == USERNAME:
        attributes["USERNAME"] = _text(value)
    elif attribute == PRIORITY:
        attributes["PRIORITY"] = _number(value, 4)
    elif attribute == USE_CANDIDATE:
        attributes["USE-CANDIDATE"] = None
    elif attribute == ICE_CONTROLLING:
        attributes["ICE-CONTROLLING"] = _number(value, 8)
    elif attribute == ICE_CONTROLLED:
        attributes["ICE-CONTROLLED"] = _number(value, 8)
    elif attribute == XOR_MAPPED_ADDRESS:
        attributes["XOR-MAPPED-ADDRESS"] = _xor_address(value, transaction_id)
    elif attribute == ERROR_CODE:
        if len(value) < 4:
            raise ProtocolError("STUN error code is too short")
        attributes["ERROR-CODE"] = (value[2] * 100 + value[3], _text(value[4:]))


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise ProtocolError("STUN text is not UTF-8") from None


def _number(value: bytes, size: int) -> int:
    if len(value) != size:
        raise ProtocolError("STUN number has a wrong size")
    return int.from_bytes(value, "big")


def _xor_address(value: bytes, transaction_id: bytes) -> tuple[str, int]:
    if len(value) not in (8, 20) or value[1] != (IPV4 if len(value) == 8 else IPV6):
        raise ProtocolError("STUN address has a wrong family or size")
    plain = _xor(value[2:], transaction_id)
    return str(ipaddress.ip_address(plain[2:])), plain[0] << 8 | plain[1]


def _xor(value: bytes, transaction_id: bytes) -> bytes:
    """A port and an address, hidden or found (RFC 8489 §14.2)."""
    size = len(value)
    mask = (COOKIE[:2] + COOKIE + transaction_id)[:size]
    return (int.from_bytes(value, "big") ^ int.from_bytes(mask, "big")).to_bytes(size, "big")


def success_response(transaction_id: bytes, mapped: tuple[str, int], pwd: str) -> bytes:
    """Binding success with XOR-MAPPED-ADDRESS, signed (RFC 8445 §7.3.1.2)."""
    host, port = mapped
    if ":" in host:
        family, packed = IPV6, socket.inet_pton(socket.AF_INET6, host.partition("%")[0])
    else:
        family, packed = IPV4, socket.inet_pton(socket.AF_INET, host)
    value = _xor(_PORT.pack(port) + packed, transaction_id)
    address = _ADDRESS.pack(XOR_MAPPED_ADDRESS, len(value) + 2, 0, family) + value
    length = len(address) + _INTEGRITY_BYTES
    covered = _HEADER.pack(BINDING_RESPONSE, length, COOKIE, transaction_id) + address
    tag = hmac.digest(pwd.encode(), covered, "sha1")
    signed = _cut(covered, len(covered), _INTEGRITY_BYTES + _FINGERPRINT_BYTES) + _SIGNED + tag
    return signed + _FINGERPRINT.pack(FINGERPRINT, 4, crc32(signed) ^ _FINGERPRINT_XOR)


def error_response(transaction_id: bytes, code: tuple[int, str], pwd: str | None = None) -> bytes:
    """Binding error; unsigned without `pwd`, as for requests nobody authenticated (RFC 8489 §9.1.3)."""
    message = stun.Message(stun.Method.BINDING, stun.Class.ERROR, transaction_id)
    message.attributes["ERROR-CODE"] = code
    if pwd is None:
        message.add_fingerprint()
    else:
        message.add_message_integrity(pwd.encode())
    return bytes(message)


def check_request(
    transaction_id: bytes,
    username: str,
    pwd: str,
    *,
    priority: int,
    tie_breaker: int,
    controlling: bool,
    nominate: bool = True,
) -> bytes:
    """A full agent's connectivity check (RFC 8445 §7.2.2); USE-CANDIDATE if it controls and nominates."""
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST, transaction_id)
    message.attributes |= {"USERNAME": username, "PRIORITY": priority}
    if controlling:
        message.attributes["ICE-CONTROLLING"] = tie_breaker
        if nominate:
            message.attributes["USE-CANDIDATE"] = None
    else:
        message.attributes["ICE-CONTROLLED"] = tie_breaker
    message.add_message_integrity(pwd.encode())
    return bytes(message)
