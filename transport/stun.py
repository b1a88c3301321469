"""STUN messages (RFC 8489) as ICE uses them: a cheap look, a guarded parse, signed answers."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from aioice import stun
from aioice.stun import Class, Message, Method

from core.errors import ProtocolError

HEADER_BYTES: Final = 20
MAX_MESSAGE_BYTES: Final = 1280
"""Larger ones are not connectivity checks (RFC 8489 §6.1 keeps requests under the path's MTU)."""
COOKIE: Final = b"\x21\x12\xa4\x42"
USERNAME: Final = 0x0006
ROLE_CONFLICT: Final = (487, "Role Conflict")
BAD_REQUEST: Final = (400, "Bad Request")
UNAUTHENTICATED: Final = (401, "Unauthenticated")

_HEADER: Final = struct.Struct("!HH4s12s")
_ATTRIBUTE: Final = struct.Struct("!HH")

IPV6: Final = 2
REQUESTED_ADDRESS_FAMILY: Final = "REQUESTED-ADDRESS-FAMILY"

__all__ = ["Class", "Message", "Method"]  # aioice's, for TURN

BINDING_REQUEST: Final = 0x0001
BINDING_INDICATION: Final = 0x0011
BINDING_RESPONSE: Final = 0x0101
BINDING_ERROR: Final = 0x0111


@dataclass(slots=True)
class StunMessage:
    """A parsed Binding message. `kind` is one of the `BINDING_…` numbers."""

    kind: int
    transaction_id: bytes
    attributes: Mapping[str, Any]
    _parsed: stun.Message = field(repr=False)

    def has_integrity(self) -> bool:
        return "MESSAGE-INTEGRITY" in self.attributes

    def signed_with(self, pwd: str) -> bool:
        """True when MESSAGE-INTEGRITY (RFC 8489 §14.5) fits the short-term password."""
        return self._parsed.check_message_integrity(pwd.encode())

    @property
    def error_code(self) -> int:
        """Of an error response; 0 without ERROR-CODE."""
        return self._parsed.error_code or 0


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
    parsed = parse_any(datagram)
    if parsed.message_method != stun.Method.BINDING:
        raise ProtocolError("STUN method is not Binding")
    kind = int(parsed.message_method) | int(parsed.message_class)
    return StunMessage(kind, parsed.transaction_id, parsed.attributes, parsed)


def success_response(transaction_id: bytes, mapped: tuple[str, int], pwd: str) -> bytes:
    """Binding success with XOR-MAPPED-ADDRESS, signed (RFC 8445 §7.3.1.2)."""
    message = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, transaction_id)
    message.attributes["XOR-MAPPED-ADDRESS"] = mapped
    message.add_message_integrity(pwd.encode())
    return bytes(message)


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
