"""The engine's functions do the same whether ctypes calls them or Python's own kind of module."""

from __future__ import annotations

import ctypes
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clock import SystemClock
from rtp.srtp import SrtpKeys, SrtpProfile, SrtpReceiver, SrtpSender
from rtp.srtp_keys import derive_rtp_keys
from transport.lane import FanOut
from transport.native import engine as loading
from transport.native.batch import NativeBatch
from transport.native.engine import LIBRARY, Engine
from transport.native.layout import lay_out
from transport.native.opener import NativeOpener
from transport.native.receiver import NativeReceiver
from transport.udp import UdpPort

KEYS = SrtpKeys(SrtpProfile.AEAD_AES_256_GCM, bytes(range(32)), bytes(range(12)))
SSRC = 77
HEADER = b"\x80\x66" + bytes(2) + bytes(8)
PAYLOADS = [bytes([index]) * 500 for index in range(5)]


def engine(*, as_module: bool) -> Engine:
    module = loading._module() if as_module else None
    assert module is not None or not as_module, "it was built without Python's headers: scripts/make-venv"
    return Engine(ctypes.CDLL(str(LIBRARY)), loading._crypto(), module)


@pytest.mark.parametrize("as_module", [False, True])
async def test_what_it_seals_and_sends_is_received_and_opened(as_module: bool) -> None:
    found = engine(as_module=as_module)
    session, opener = derive_rtp_keys(KEYS), SrtpReceiver(KEYS)
    port = UdpPort.bind("127.0.0.1", 0, lambda *_: None, SystemClock())
    port.start()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        try:
            fan_out = FanOut(found, port)
            lane = fan_out.lane()
            lane.set_key(session.encryption, session.salt)
            lane.lead_to((sock.getsockname(), None))
            batch = NativeBatch([HEADER] * len(PAYLOADS), PAYLOADS, None)
            fan_out.add(batch, lane, 5, SSRC, 0, 0, len(PAYLOADS), 0, 0x66)
            fan_out.run()
        finally:
            port.close()
        assert (port.counters.datagrams_out, fan_out.failed) == (len(PAYLOADS), 0)
        receiver = NativeReceiver(found, sock)
        came = [bytes(one.view) for one in receiver.read()]
        assert receiver.read() == []
    sealer = SrtpSender(KEYS)
    assert came == [
        sealer.seal(HEADER[:2] + number.to_bytes(2, "big") + bytes(4) + SSRC.to_bytes(4, "big"), payload)
        for number, payload in enumerate(PAYLOADS, 5)
    ]
    assert opener.open_packet(came[0], 1).payload == PAYLOADS[0]
    run = NativeOpener(found, opener, session.encryption, session.salt).open_run(came[1:], 1)
    assert [packet.payload for packet in run] == PAYLOADS[1:]


def test_the_module_refuses_what_is_no_number() -> None:
    found = engine(as_module=True)
    with pytest.raises(TypeError, match="takes 5 arguments"):
        found.receive(1)
    with pytest.raises(TypeError):
        found.receive(1, "somewhere", 3, 4, 5)
    with pytest.raises(OverflowError):
        found.receive(-1, 0, 3, 4, 5)


@given(
    packets=st.lists(st.tuples(st.binary(max_size=60), st.binary(max_size=1_500)), max_size=40),
    numbered=st.booleans(),
)
def test_the_module_lays_packets_out_as_python_does(
    packets: list[tuple[bytes, bytes]], numbered: bool
) -> None:
    headers, payloads = [header for header, _ in packets], [payload for _, payload in packets]
    places = [len(header) // 2 for header in headers] if numbered else None
    found = [lay(headers, payloads, places) for lay in (lay_out, engine(as_module=True).lay_out)]
    (ours, ours_at), (its, its_at) = found
    words = struct.calcsize("@PPPPP")
    assert its[words + 8 :] == ours[words + 8 :]
    assert its[words : words + 4] == ours[words : words + 4]
    pointers = [struct.unpack_from("@PPPPP", memory) for memory in (ours, its)]
    assert [one - ours_at for one in pointers[0]] == [one - its_at for one in pointers[1]]


@pytest.mark.parametrize(
    "given_",
    [
        ((), [], None),
        ([b""], [], None),
        ([b""], [b""], [1, 2]),
        ([b""], ["text"], None),
        ([b""], [b""], ["one"]),
        ([bytearray()], [b""], None),
        ([b""],),
    ],
)
def test_the_module_lays_out_lists_of_bytes_only(given_: tuple[object, ...]) -> None:
    with pytest.raises(TypeError):
        engine(as_module=True).lay_out(*given_)
