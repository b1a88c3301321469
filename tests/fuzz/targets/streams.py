"""What remembers: framing on a byte stream, a receiver's streams, the media plane."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from core.errors import ProtocolError
from rtp.packet import parse_rtp
from rtp.receive_stream import ReceiveStream
from rtp.reorder import ReorderBuffer
from rtp.rtcp import Nack, SenderReport, build_compound, parse_compound
from tests.fuzz import records
from tests.sfu.rig import PAYLOAD_TYPE, RTX_PAYLOAD_TYPE, SSRC, Rig
from transport.framing import MAX_FRAME_BYTES, Framing, Rfc4571Framing, TurnFraming

RTX_SSRC = 0x2222
STEP_NS = 7_000_000
RTCP = 1
"""Bit of a record's flags: the piece is RTCP, else RTP. The other bits shape time."""
MAX_PIECES = 1_024
"""A stream is not cut into more: each costs a call, whatever is in it."""
MAX_NACKED = 2_000


def framing(data: bytes) -> None:
    """One byte says how the stream is cut; the datagrams do not depend on it."""
    cut = max(data[0] + 1 if data else 1, len(data) // MAX_PIECES)
    for kind in (Rfc4571Framing, TurnFraming):
        whole = _fed(kind(), [data[1:]])
        pieces = [data[at : at + cut] for at in range(1, len(data), cut)]
        assert _fed(kind(), pieces)[0][: len(whole[0])] == whole[0]
        assert _fed(kind(), pieces)[1] == whole[1]
        if kind is Rfc4571Framing:
            assert _fed(kind(), [kind().frame(whole[0])]) == (whole[0], False)


def _fed(stream: Framing, pieces: list[bytes]) -> tuple[list[bytes], bool]:
    """(the datagrams, whether the stream broke). Nothing is kept but one unfinished frame."""
    found: list[bytes] = []
    try:
        for piece in pieces:
            news = stream.feed(piece)
            assert all(len(datagram) <= MAX_FRAME_BYTES for datagram in news)
            found += news
    except ProtocolError:
        return found, True
    return found, False


def reception(data: bytes) -> None:
    """Packets and reports of one SSRC and its retransmissions: what is remembered has bounds."""
    stream = ReceiveStream(
        SSRC,
        90_000,
        payload_types=(PAYLOAD_TYPE,),
        rtx_ssrc=RTX_SSRC,
        rtx_payload_types={RTX_PAYLOAD_TYPE: PAYLOAD_TYPE},
        abs_capture_time_id=4,
    )
    order: ReorderBuffer[bytes] = ReorderBuffer(max_wait_ns=100_000_000)
    now_ns, waiting = 10_000_000_000, 0
    for flags, piece in records.split(data):
        now_ns += STEP_NS * (flags >> 4)
        with suppress(ProtocolError):
            if flags & RTCP:
                _reports(stream, piece, now_ns)
                continue
            packet = parse_rtp(piece, now_ns)
            packet.ssrc = RTX_SSRC if flags & 2 else SSRC
            received = stream.receive(packet, now_ns)
            if received is not None:
                waiting += 1
                waiting -= len(order.push(received.sequence_number, received.payload, now_ns))
        lost = stream.nacks_due(now_ns)
        assert len(lost) <= MAX_NACKED
        if lost:
            build_compound([Nack(1, SSRC, tuple(lost))])
        stream.report_block(now_ns)
        order.poll(now_ns)
    order.flush()


def _reports(stream: ReceiveStream, piece: bytes, now_ns: int) -> None:
    for item in parse_compound(piece):
        if isinstance(item, SenderReport):
            stream.on_sender_report(item, now_ns, now_ns)


def forwarding(data: bytes) -> None:
    """A publisher's packets on their way to two subscribers, one of which asks for what it likes."""
    rig = Rig()
    views = [rig.view(0x2000), rig.view(0x3000)]
    for flags, piece in records.split(data):
        rig.wait(flags >> 4)
        with suppress(ProtocolError):
            if flags & RTCP:
                _nacks(rig, piece, views[0].consumer.on_nack)
            else:
                packet = parse_rtp(piece)
                packet.ssrc = SSRC
                rig.receive(packet)
        for view in views:
            view.flush()
            assert not view.errors
    for view in views:
        assert len(set(view.datagrams)) == len({datagram[:12] for datagram in view.datagrams}), (
            "one number was used for two different packets"
        )


def _nacks(rig: Rig, piece: bytes, on_nack: Callable[[tuple[int, ...], int], object]) -> None:
    for item in parse_compound(piece):
        if isinstance(item, Nack):
            on_nack(item.lost, rig.now_ns)
