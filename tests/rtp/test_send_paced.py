"""A stream whose packets wait before they are sent: numbers, log and history belong to the sending."""

from __future__ import annotations

from rtp.extensions import MID, REPAIRED_RID, RID, TRANSPORT_CC, ExtensionMap, decode_token, parse_extensions
from rtp.packet import RtpPacket, parse_rtp
from rtp.rtcp import ReportBlock
from rtp.rtx import unwrap
from rtp.send_stream import MAX_PADDING_PACKETS, RtxParameters, SendStream
from rtp.srtp import SrtpKeys, SrtpProfile, SrtpReceiver, SrtpSender
from rtp.twcc import SendLog, TransportSequence

MS = 1_000_000
IDS = ExtensionMap({1: MID, 2: TRANSPORT_CC, 6: RID, 7: REPAIRED_RID})
PROFILE = SrtpProfile.AEAD_AES_128_GCM
SSRC, RTX_SSRC, PAYLOAD_TYPE, RTX_PAYLOAD_TYPE = 1, 2, 96, 97


class Bench:
    def __init__(self, *, rtx: bool = True, rid: str | None = "q") -> None:
        keys = SrtpKeys(PROFILE, bytes(PROFILE.key_bytes), bytes(PROFILE.salt_bytes))
        self.sealer, self._receiver = SrtpSender(keys), SrtpReceiver(keys)
        self.log = SendLog()
        self.stream = SendStream(
            SSRC,
            PAYLOAD_TYPE,
            90_000,
            first_sequence=100,
            first_timestamp=0,
            rtx=RtxParameters(RTX_SSRC, RTX_PAYLOAD_TYPE, 500) if rtx else None,
            extensions=IDS,
            mid="0",
            rid=rid,
            transport_sequence=TransportSequence(),
            send_log=self.log,
        )

    def open(self, datagram: bytes) -> RtpPacket:
        return parse_rtp(self._receiver.open(datagram))

    def send(self, *payloads: bytes, now_ns: int = 0) -> list[RtpPacket]:
        datagrams = self.stream.send(payloads, 0, capture_ns=0, now_ns=now_ns, sealer=self.sealer)
        return [self.open(datagram) for datagram in datagrams]


def names(packet: RtpPacket) -> dict[str, str]:
    items = parse_extensions(packet.extension_profile, packet.extension)
    wanted = {"mid": MID, "rid": RID, "rrid": REPAIRED_RID}
    found = {name: items.get(IDS.id_of(uri) or 0) for name, uri in wanted.items()}
    return {name: decode_token(value) for name, value in found.items() if value is not None}


def test_what_is_never_sent_uses_no_number() -> None:
    bench = Bench()
    waiting = bench.stream.prepare([b"a", b"b"], 0, capture_ns=0)
    first = bench.open(waiting[0].seal(5 * MS, bench.sealer))
    later = bench.send(b"c", now_ns=6 * MS)
    assert (first.sequence_number, later[0].sequence_number) == (100, 101)
    assert bench.stream.packet_count == 2


def test_the_log_knows_when_a_packet_left_and_not_when_it_began_to_wait() -> None:
    bench = Bench()
    (waiting,) = bench.stream.prepare([bytes(1_000)], 0, capture_ns=0)
    assert bench.log.in_flight_bytes == 0
    datagram = waiting.seal(40 * MS, bench.sealer)
    assert bench.log.in_flight_bytes == len(datagram)
    assert abs(waiting.size_bytes - len(datagram)) < 30


def test_rid_is_told_until_the_first_report_and_repairs_go_on_telling_it() -> None:
    bench = Bench()
    assert names(bench.send(b"a")[0]) == {"mid": "0", "rid": "q"}
    bench.stream.on_report_block(ReportBlock(SSRC, 0, 0, 100, 0, 0, 0), 0)
    assert names(bench.send(b"b")[0]) == {}
    (repair,) = bench.stream.on_nack([100], MS, bench.sealer)
    assert names(bench.open(repair)) == {"mid": "0", "rrid": "q"}


def test_padding_is_what_was_sent_last_again_on_the_rtx_stream() -> None:
    bench = Bench()
    bench.send(b"a" * 500, b"b" * 500, b"c" * 500)
    padding = bench.stream.prepare_padding(1_000)
    packets = [bench.open(packet.seal(MS, bench.sealer)) for packet in padding]
    assert [packet.ssrc for packet in packets] == [RTX_SSRC, RTX_SSRC]
    originals = [unwrap(packet, ssrc=SSRC, payload_type=PAYLOAD_TYPE) for packet in packets]
    assert [original.payload for original in originals if original] == [b"c" * 500, b"b" * 500]


def test_as_much_padding_as_asked_for_even_when_little_was_sent() -> None:
    bench = Bench()
    bench.send(b"a" * 200)
    padding = bench.stream.prepare_padding(20_000)
    assert sum(packet.size_bytes for packet in padding) >= 20_000
    assert len(padding) > MAX_PADDING_PACKETS


def test_there_is_no_padding_without_rtx_or_before_anything_was_sent() -> None:
    assert Bench().stream.prepare_padding(1_000) == []
    bench = Bench(rtx=False)
    bench.send(b"a")
    assert bench.stream.prepare_padding(1_000) == []


def test_what_is_forgotten_is_neither_repaired_nor_padding() -> None:
    bench = Bench()
    bench.send(b"a")
    bench.stream.forget()
    assert bench.stream.prepare_repairs([100], MS) == []
    assert bench.stream.prepare_padding(1_000) == []
    assert bench.send(b"b")[0].sequence_number == 101
