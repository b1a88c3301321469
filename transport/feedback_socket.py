"""A second socket on a UDP port that takes transport-wide feedback and lone receiver reports: what peers say
often and nobody has to hear at once, so that it does not wake whoever waits for media.

Linux lets sockets share a port (SO_REUSEPORT) and a classic BPF program choose among them (socket(7)). SRTCP
leaves a compound's first header in clear, and transport-wide feedback is sent alone. So is a receiver report
where the datagram holds no more than its blocks and SRTCP's trailer: a NACK would be 16 bytes more.
"""

from __future__ import annotations

import ctypes
import socket
import struct
from typing import Final

SO_ATTACH_REUSEPORT_CBPF: Final = 51
TRANSPORT_FEEDBACK: Final = 0x8FCD
"""Version 2, FMT 15, RTPFB: the first two bytes (RFC 4585 §6.1)."""
RECEIVER_REPORT: Final = 0x80C9
"""Version 2, RR, without the count of blocks (RFC 3550 §6.4.2)."""
_REPORT_BYTES: Final = 8
_BLOCK_BYTES: Final = 24
_TRAILER_BYTES: Final = 20
"""SRTCP index and GCM's tag (RFC 7714 §9); that of HMAC-SHA1 is shorter."""

_LOAD_TWO_BYTES: Final = 0x28  # BPF_LD | BPF_H | BPF_ABS; beyond the datagram's end the program returns 0
_LOAD_BYTE: Final = 0x30  # BPF_LD | BPF_B | BPF_ABS
_LOAD_LENGTH: Final = 0x80  # BPF_LD | BPF_W | BPF_LEN
_AND: Final = 0x54  # BPF_ALU | BPF_AND | BPF_K
_TIMES: Final = 0x24  # BPF_ALU | BPF_MUL | BPF_K
_PLUS: Final = 0x04  # BPF_ALU | BPF_ADD | BPF_K
_TO_X: Final = 0x07  # BPF_MISC | BPF_TAX
_IF_EQUAL: Final = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_IF_ABOVE_X: Final = 0x2D  # BPF_JMP | BPF_JGT | BPF_X
_RETURN: Final = 0x06  # BPF_RET | BPF_K
_INSTRUCTION: Final = struct.Struct("@HBBI")
_PROGRAM: Final = b"".join(
    _INSTRUCTION.pack(code, then, otherwise, value)
    for code, then, otherwise, value in (
        (_LOAD_TWO_BYTES, 0, 0, 0),
        (_AND, 0, 0, 0xDFFF),  # browsers pad it (RFC 3550 §6.4.1): P is set in most of theirs
        (_IF_EQUAL, 10, 0, TRANSPORT_FEEDBACK),
        (_AND, 0, 0, 0xE0FF),
        (_IF_EQUAL, 0, 7, RECEIVER_REPORT),
        (_LOAD_BYTE, 0, 0, 0),
        (_AND, 0, 0, 0x1F),
        (_TIMES, 0, 0, _BLOCK_BYTES),
        (_PLUS, 0, 0, _REPORT_BYTES + _TRAILER_BYTES),
        (_TO_X, 0, 0, 0),
        (_LOAD_LENGTH, 0, 0, 0),
        (_IF_ABOVE_X, 0, 1, 0),
        (_RETURN, 0, 0, 0),
        (_RETURN, 0, 0, 1),
    )
)


def feedback_socket(main: socket.socket) -> socket.socket | None:
    """A socket bound to the same address as `main`, to which such feedback comes from now on; None where that
    cannot be had. `main` was bound without sharing, so nobody else can have been there before.
    """
    feedback = socket.socket(main.family, socket.SOCK_DGRAM)
    try:
        if main.family == socket.AF_INET6:
            only = main.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
            feedback.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
        for sock in (main, feedback):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        feedback.bind(main.getsockname())
        program = ctypes.create_string_buffer(_PROGRAM, len(_PROGRAM))
        pointer = struct.pack("@HP", len(_PROGRAM) // _INSTRUCTION.size, ctypes.addressof(program))
        main.setsockopt(socket.SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, pointer)
    except (OSError, AttributeError):  # not Linux, or a sandbox
        main.setsockopt(socket.SOL_SOCKET, getattr(socket, "SO_REUSEPORT", socket.SO_REUSEADDR), 0)
        feedback.close()
        return None
    return feedback
