"""As much of an RTSP 1.0 camera (RFC 2326) as FFmpeg needs: one H.264 stream inside the TCP connection."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rtp.packet import RtpPacket
from rtp.payload.h264 import packetize

SDP = """v=0
o=- 0 0 IN IP4 127.0.0.1
s=camera
c=IN IP4 0.0.0.0
t=0 0
m=video 0 RTP/AVP 96
a=rtpmap:96 H264/90000
a=fmtp:96 packetization-mode=1
a=control:track
"""
FRAME_TICKS = 3_000
TIMEOUT_S = 20


@contextmanager
def camera(units: Sequence[bytes]) -> Iterator[str]:
    """Serve `units` (Annex B) once, to the first client; the connection stays open. Yields the URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(TIMEOUT_S)
        done = threading.Event()
        thread = threading.Thread(target=_serve, args=(listener, units, done))
        thread.start()
        try:
            yield f"rtsp://me:hunter2@127.0.0.1:{listener.getsockname()[1]}/stream"
        finally:
            done.set()
            thread.join(TIMEOUT_S)


def _serve(listener: socket.socket, units: Sequence[bytes], done: threading.Event) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.settimeout(TIMEOUT_S)
        while (request := _request(connection)) is not None:
            method, sequence = request
            connection.sendall(_response(method, sequence))
            if method == "PLAY":
                _play(connection, units)
                done.wait(TIMEOUT_S)
                return


def _request(connection: socket.socket) -> tuple[str, str] | None:
    text = b""
    while b"\r\n\r\n" not in text:
        piece = connection.recv(4096)
        if not piece:
            return None
        text += piece
    lines = text.decode().split("\r\n")
    sequence = next(line.split(":")[1].strip() for line in lines if line.lower().startswith("cseq"))
    return lines[0].split()[0], sequence


def _response(method: str, sequence: str) -> bytes:
    body = SDP.replace("\n", "\r\n") if method == "DESCRIBE" else ""
    headers = {
        "OPTIONS": "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n",
        "DESCRIBE": f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n",
        "SETUP": "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n",
        "PLAY": "Session: 1\r\n",
    }[method]
    return f"RTSP/1.0 200 OK\r\nCSeq: {sequence}\r\n{headers}\r\n{body}".encode()


def _play(connection: socket.socket, units: Sequence[bytes]) -> None:
    sequence = 0
    for number, unit in enumerate(units):
        payloads = packetize(unit, 1_200)
        for index, payload in enumerate(payloads):
            packet = RtpPacket(
                ssrc=1,
                payload_type=96,
                sequence_number=sequence,
                timestamp=number * FRAME_TICKS,
                marker=index == len(payloads) - 1,
                payload=payload,
            ).serialize()
            connection.sendall(b"$\x00" + len(packet).to_bytes(2, "big") + packet)
            sequence += 1
