"""A second socket on a UDP port that takes transport-wide feedback: the one thing peers say often and nobody
has to hear at once, so that it does not wake whoever waits for media.

Linux lets sockets share a port (SO_REUSEPORT) and a classic BPF program choose among them (socket(7)). SRTCP
leaves a compound's first header in clear, and transport-wide feedback is sent alone.
"""

from __future__ import annotations

import ctypes
import socket
import struct
from typing import Final

SO_ATTACH_REUSEPORT_CBPF: Final = 51
TRANSPORT_FEEDBACK: Final = 0x8FCD
"""Version 2, FMT 15, RTPFB: the first two bytes (RFC 4585 §6.1)."""

_LOAD_TWO_BYTES: Final = 0x28  # BPF_LD | BPF_H | BPF_ABS; beyond the datagram's end the program returns 0
_AND: Final = 0x54  # BPF_ALU | BPF_AND | BPF_K
_IF_EQUAL: Final = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_RETURN: Final = 0x06  # BPF_RET | BPF_K
_INSTRUCTION: Final = struct.Struct("@HBBI")
_PROGRAM: Final = b"".join(
    _INSTRUCTION.pack(code, then, otherwise, value)
    for code, then, otherwise, value in (
        (_LOAD_TWO_BYTES, 0, 0, 0),
        (_AND, 0, 0, 0xDFFF),  # browsers pad it (RFC 3550 §6.4.1): P is set in most of theirs
        (_IF_EQUAL, 0, 1, TRANSPORT_FEEDBACK),
        (_RETURN, 0, 0, 1),
        (_RETURN, 0, 0, 0),
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
