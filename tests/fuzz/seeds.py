"""What the search begins with: real offers, real packets. `python -m tests.fuzz.seeds` writes them down."""

from __future__ import annotations

import random
from collections.abc import Iterator
from types import ModuleType

from core import messages
from core.control import Pointer, Pressed
from rtp.extensions import AbsoluteCaptureTime, build_extensions, encode_abs_capture_time
from rtp.packet import RtpPacket
from rtp.payload import av1, h264, opus, vp8, vp9
from rtp.rtcp import (
    Fir,
    FirRequest,
    Goodbye,
    Nack,
    Pli,
    ReceiverReport,
    Remb,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    TransportFeedback,
    build_compound,
)
from rtp.sdp import parse_sdp
from tests.fuzz import records, seeds_archive
from tests.fuzz.corpus_files import save
from tests.fuzz.targets import descriptions, media, streams
from tests.rtp import media_samples, offers
from tests.sfu import rig
from tests.support.hostile import hostile_datagram
from transport.framing import Rfc4571Framing, TurnFraming
from transport.stun import BAD_REQUEST, check_request, error_response, success_response

CODECS: dict[str, ModuleType] = {"H264": h264, "VP8": vp8, "VP9": vp9, "AV1": av1}
PAYLOAD_BYTES = 700
FRAMES = 6


def stun() -> Iterator[bytes]:
    number = bytes(range(12))
    for controlling in (True, False):
        yield check_request(
            number, "srvU:cliU", "p" * 24, priority=1 << 30, tie_breaker=7, controlling=controlling
        )
    yield success_response(number, ("192.0.2.1", 443), "p" * 24)
    yield success_response(number, ("2001:db8::1", 443), "p" * 24)
    yield error_response(number, BAD_REQUEST)
    chance = random.Random(5)
    yield from (data for _ in range(60) if len(data := hostile_datagram(chance)) < 400)


def rtp() -> Iterator[bytes]:
    capture = encode_abs_capture_time(AbsoluteCaptureTime(1_700_000_000_000_000_000, 5))
    blocks = ([], [(1, b"0"), (2, b"\1\2")], [(4, capture)], [(20, b"long" * 8)], [(1, b"0"), (6, b"f")])
    for number, items in enumerate(blocks):
        profile, block = build_extensions(items)
        yield RtpPacket(
            ssrc=rig.SSRC, payload_type=rig.PAYLOAD_TYPE, sequence_number=65_534 + number & 0xFFFF,
            timestamp=3_000 * number, marker=number % 2 == 1, csrcs=(1, 2)[:number],
            extension_profile=profile, extension=block, payload=b"\x7c\x85\x88payload", padding_bytes=number,
        ).serialize()  # fmt: skip


def extensions() -> Iterator[bytes]:
    for items in (
        [(1, b"0"), (2, b"\1\2"), (3, b"abc"), (5, b"\0\x10\x20"), (7, b"\x8a")],
        [(4, encode_abs_capture_time(AbsoluteCaptureTime(1_700_000_000_000_000_000, -5)))],
        [(200, b"two byte form"), (3, b"")],
    ):
        profile, block = build_extensions(items)
        yield (profile or 0).to_bytes(2, "big") + block


def rtcp_items() -> list[RtcpPacket]:
    block = ReportBlock(rig.SSRC, 12, -3, 70_000, 400, 0x12345678, 65_536)
    return [
        SenderReport(rig.SSRC, 0xE8000000_80000000, 90_000, 100, 100_000, (block,)),
        ReceiverReport(1, (block, block)),
        SourceDescription(((rig.SSRC, "cname"),)),
        Nack(1, 0x2000, (32_000, 32_001, 32_018, 65_535, 0)),
        Pli(1, 0x2000),
        Fir(1, (FirRequest(0x2000, 3),)),
        Remb(1, 1_500_000, (0x2000,)),
        TransportFeedback(1, 0x2000, 65_500, 1_000, 0, (4, None, 8, 300, -20, 0, None)),
        TransportFeedback(1, 0x2000, 65_507, 1_001, 1, (4,) * 40),
        TransportFeedback(1, 0x2000, 65_507, -5, 2, (None,) * 100 + (9,)),
        Goodbye((rig.SSRC,), "bye"),
    ]


def rtcp() -> Iterator[bytes]:
    items = rtcp_items()
    yield from (build_compound([item]) for item in items)
    yield build_compound(items[:3])
    yield build_compound(items[3:8], reduced_size=False)


def descriptions_of_the_field() -> Iterator[bytes]:
    for name in ("chromium_156_publish", "chromium_156_view", "firefox_153_publish", "firefox_153_view"):
        text = (offers.DATA / f"{name}.sdp").read_text()
        if len(text) <= 8_000:
            yield text.encode()
        session = parse_sdp(text)
        for section in session.media:
            del section.codecs[6:]
            section.formats = [str(codec.payload_type) for codec in section.codecs] or section.formats
        yield session.serialize().encode()[:8_000]
    yield offers.FFMPEG_WHIP.encode()
    for offer in descriptions.our_offers():
        yield offer.serialize().encode()


def fragment() -> Iterator[bytes]:
    candidate = "a=candidate:1 1 udp 2130706431 192.0.2.9 50000 typ host\r\n"
    credentials = f"a=ice-ufrag:abcd\r\na=ice-pwd:{'p' * 24}\r\n"
    yield f"{credentials}m=audio 9 RTP/AVP 0\r\na=mid:0\r\n{candidate}".encode()
    yield b"m=audio 9 RTP/AVP 0\r\na=mid:0\r\na=end-of-candidates\r\n"
    tcp = "a=candidate:2 1 tcp 1671430143 2001:db8::1 443 typ host tcptype passive generation 0\r\n"
    yield f"a=group:BUNDLE 0 1\r\nm=video 9 RTP/AVP 0\r\na=mid:0\r\n{candidate}{tcp}".encode()


def framing() -> Iterator[bytes]:
    datagrams = [*stun(), *rtp()][:12]
    for cut in (0, 1, 7, 255):
        yield bytes((cut,)) + Rfc4571Framing().frame(datagrams)[:3_000]
        yield bytes((cut,)) + TurnFraming().frame(datagrams[:5])[:3_000]


def reception() -> Iterator[bytes]:
    """A stream with a hole, its repair, a duplicate, a jump, and reports."""
    packets = [packet.serialize() for packet in rig.frames(65_530, 6)]
    report = build_compound(rtcp_items()[:1])
    repair = RtpPacket(
        ssrc=0,
        payload_type=rig.RTX_PAYLOAD_TYPE,
        sequence_number=3,
        payload=b"\xff\xfc" + b"\x7c\x01\x88abcd",
    ).serialize()
    yield records.join((0x10, packet) for packet in packets)
    kept = [packet for index, packet in enumerate(packets) if index % 5 != 2]
    yield records.join(
        [*((0x30, packet) for packet in kept), (0x12, repair), (0x10, kept[0]), (0x11, report)]
    )
    far = rig.packet(20_000, frame=90).serialize()
    yield records.join([(0x10, packets[0]), (0xF0, far), (0xF0, packets[1]), (0xF1, report)])


def forwarding() -> Iterator[bytes]:
    yield from reception()
    nack = build_compound([Nack(1, 0x2000, tuple(range(32_000, 32_020)))])
    packets = [packet.serialize() for packet in rig.frames(100, 5)]
    yield records.join([*((0x20, packet) for packet in packets), (0x51, nack), (0xF1, nack)])


def congestion() -> Iterator[bytes]:
    items = rtcp_items()
    arrivals = [
        TransportFeedback(1, 1, (65_500 + 14 * n) & 0xFFFF, 1_000 + n, n, (40,) * 14) for n in range(60)
    ]
    yield records.join((0x3E, build_compound([feedback])) for feedback in arrivals)
    yield records.join((0x3E, build_compound([feedback])) for feedback in reversed(arrivals[:30]))
    mixed = [items[1], items[6], items[7], items[8], items[9]]
    yield records.join(
        [*((0x5F, build_compound([item])) for item in mixed), *((0xF3, b"") for _ in range(9))]
    )


def packetized(codec: str, frame: bytes, max_bytes: int, *, keyframe: bool) -> list[bytes]:
    more = {"keyframe": keyframe} if codec == "VP9" else {}
    made: list[bytes] = CODECS[codec].packetize(frame, max_bytes, **more)
    return made


def payload(codec: str) -> Iterator[bytes]:
    """Real frames of a real encoder: whole, and with a packet lost."""
    samples = media_samples.video(codec, 66, 50)[:FRAMES]
    for lost in (None, 1):
        pieces = []
        for sample in samples:
            payloads = packetized(codec, sample.data, PAYLOAD_BYTES, keyframe=sample.keyframe)
            for index, data in enumerate(payloads):
                flags = media.NEW_FRAME * (index == 0) | media.MARKER * (index == len(payloads) - 1)
                if lost is None or index != lost:
                    gap = lost is not None and index == lost + 1
                    pieces.append((flags | media.GAP * gap, data))
        yield records.join(pieces)[:8_000]


def payload_opus() -> Iterator[bytes]:
    samples = media_samples.opus()[:8]
    yield records.join(
        (media.NEW_FRAME | media.MARKER, data)
        for sample in samples
        for data in opus.packetize(sample.data, 1_200)
    )


def room_messages() -> Iterator[bytes]:
    sdp = descriptions.our_offers()[0].media[0].lines()[0]
    known: list[messages.Model] = [
        messages.Hello(token="t"),
        messages.Publish(offer=sdp, sources=[messages.PublishedSource(mid="0", source="camera")]),
        messages.Unpublish(),
        messages.Subscribe(),
        messages.RestartIce(),
        messages.Answer(revision=1, sdp=sdp),
        messages.SetMuted(track_id="t_1", muted=True),
        messages.SetRecording(state="recording"),
        messages.Chat(ref="r", text="张大夫 hello", file_ids=["f_1"]),
        messages.Admit(participant_id="p_1"),
        messages.TurnAway(participant_id="p_1"),
        messages.Remove(participant_id="p_1"),
        messages.SetPaused(paused=True),
        messages.SetConsent(record=False),
        messages.TakeOver(),
        messages.Renew(token="t"),
        messages.ReportQuality(feed="ultrasound", judgement="good", delay_ms=80.5, frame_rate=30, loss=0.01),
        messages.SetView(views=[messages.ShownView(track_id="t_1", width=640, height=360, focus=True)]),
        messages.OfferControl(feed="ultrasound", ways=("code", "touch", "badge")),
        messages.AskControl(feed="ultrasound"),
        messages.GrantControl(control_id="c_1", minutes=5),
        messages.ConfirmControl(control_id="c_1", code="123456"),
        messages.Press(
            control_id="c_1",
            pressed=Pressed(keys=("ShiftLeft", "KeyA"), pointer=Pointer(x=0.5, y=1, buttons=1), wheel=-3),
            said_us=1_700_000_000_000_000,
        ),
        messages.ControlAnswer(control_id="c_1", answer="ended", reason="device_failed"),
        messages.EndControl(control_id="c_1"),
        messages.Ping(id=7),
        messages.Pong(id=7, server_time_us=1),
    ]
    yield from (message.model_dump_json().encode() for message in known)
    yield b'{"type":"ping","id":' + b"9" * 400 + b"}"
    yield b"[" * 3_000


SEEDS = {
    "stun": stun,
    "rtp": rtp,
    "srtp": lambda: iter([*rtp(), *rtcp()]),
    "extensions": extensions,
    "rtcp": rtcp,
    "sdp": descriptions_of_the_field,
    "fragment": fragment,
    "negotiation": descriptions_of_the_field,
    "framing": framing,
    "reception": reception,
    "forwarding": forwarding,
    "congestion": congestion,
    "payload_h264": lambda: payload("H264"),
    "payload_vp8": lambda: payload("VP8"),
    "payload_vp9": lambda: payload("VP9"),
    "payload_av1": lambda: payload("AV1"),
    "payload_opus": payload_opus,
    "messages": room_messages,
    "archive_manifest": seeds_archive.manifest,
    "archive_decisions": seeds_archive.decisions,
    "archive_ranges": seeds_archive.ranges,
    "log_notes": seeds_archive.notes,
    "log_lines": seeds_archive.log_lines,
    "key_files": seeds_archive.key_files,
}
assert streams.RTCP == 1


def main() -> None:
    """Write every seed into the corpus; those that are there stay."""
    for target, seeds in SEEDS.items():
        for data in seeds():
            save(target, data)


if __name__ == "__main__":
    main()
