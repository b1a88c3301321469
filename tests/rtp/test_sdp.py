"""Reading and writing session descriptions."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import ProtocolError
from rtp.sdp import (
    MAX_LINE_CHARS,
    MAX_LINES,
    MAX_MEDIA,
    MAX_SDP_CHARS,
    Candidate,
    CodecParameters,
    ExtMap,
    Fingerprint,
    Group,
    IceParameters,
    Msid,
    Rid,
    Simulcast,
    SsrcGroup,
    parse_fmtp,
    parse_sdp,
)

DATA = Path(__file__).parent / "data"
HEAD = "v=0\r\no=- 7 3 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
VIDEO = HEAD + "m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\n"
DIGEST = ":".join(["AB"] * 32)


def chromium_offer() -> str:
    return (DATA / "chromium_156_publish.sdp").read_text()


def test_a_real_browser_offer_is_read_field_by_field() -> None:
    session = parse_sdp(chromium_offer())
    assert session.bundle == ("0", "1", "2", "3")
    assert session.extmap_allow_mixed
    audio, simulcast, video, data = session.media
    assert [media.kind for media in session.media] == ["audio", "video", "video", "application"]
    assert audio.codec(111) == CodecParameters(
        111, "opus", 48_000, 2, "minptime=10;useinbandfec=1", ("transport-cc",)
    )
    assert audio.direction == "sendonly"
    assert (audio.rtcp_mux, audio.rtcp_rsize) == (True, True)
    assert simulcast.rids == [Rid("q", "send"), Rid("h", "send"), Rid("f", "send")]
    assert simulcast.simulcast == Simulcast(send=(("q",), ("h",), ("f",)))
    assert video.ssrc_groups == [SsrcGroup("FID", (1678165007, 1474167637))]
    assert video.extensions[8] == ExtMap(4, "urn:ietf:params:rtp-hdrext:sdes:mid")
    assert session.ice_of(video) == IceParameters("qY/V", "uAc5BS19/soD2xG0gP0wAL1k")
    assert [fingerprint.algorithm for fingerprint in session.fingerprints_of(audio)] == ["sha-256"]
    assert session.setup_of(audio) == "actpass"
    assert not audio.candidates[0].is_ip
    assert dict(audio.candidates[0].extensions) == {"generation": "0", "network-cost": "999"}
    assert ("sctp-port", "5000") in data.attributes
    assert audio.msids == [
        Msid("8742caf8-9623-4c81-9af6-282216592c04", "b4824443-e94e-4861-b884-f204f7f6d68c")
    ]


@pytest.mark.parametrize("name", sorted(path.name for path in DATA.glob("*.sdp")))
def test_writing_a_real_offer_loses_no_line(name: str) -> None:
    text = (DATA / name).read_text()
    written = parse_sdp(text).serialize()
    assert _lines(written) == _lines(text)
    assert parse_sdp(written) == parse_sdp(text)


def _lines(text: str) -> list[str]:
    """Lines in any order; a candidate's transport is case-insensitive (RFC 8839 §5.1)."""
    return sorted(line.replace(" UDP ", " udp ").replace(" TCP ", " tcp ") for line in text.splitlines())


def test_session_attributes_apply_to_m_lines_that_have_none_of_their_own() -> None:
    session = parse_sdp(
        HEAD + f"a=ice-lite\r\na=ice-ufrag:abcd\r\na=ice-pwd:{'p' * 24}\r\n"
        f"a=fingerprint:SHA-256 {DIGEST.lower()}\r\na=setup:passive\r\na=recvonly\r\n"
        "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n"
        f"m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=ice-ufrag:efgh\r\na=ice-pwd:{'q' * 24}\r\n"
        "a=setup:active\r\na=sendonly\r\n"
    )
    audio, video = session.media
    assert session.ice_of(audio) == IceParameters("abcd", "p" * 24, lite=True)
    assert session.ice_of(video) == IceParameters("efgh", "q" * 24, lite=True)
    assert session.fingerprints_of(video) == [Fingerprint("sha-256", DIGEST)]
    assert (session.setup_of(audio), session.setup_of(video)) == ("passive", "active")
    assert (session.direction_of(audio), session.direction_of(video)) == ("recvonly", "sendonly")


def test_an_m_line_without_direction_is_sendrecv() -> None:
    session = parse_sdp(VIDEO)
    assert session.direction_of(session.media[0]) == "sendrecv"
    assert session.ice_of(session.media[0]) is None


def test_line_ends_may_be_lf_and_blank_lines_do_not_matter() -> None:
    assert parse_sdp(VIDEO.replace("\r\n", "\n") + "\n\n") == parse_sdp(VIDEO)


def test_attributes_nobody_knows_are_kept_in_order() -> None:
    text = VIDEO + "a=x-first:1\r\na=x-flag\r\na=rtcp:9 IN IP4 0.0.0.0\r\na=x-empty:\r\n"
    media = parse_sdp(text).media[0]
    assert media.attributes == [
        ("x-first", "1"),
        ("x-flag", None),
        ("rtcp", "9 IN IP4 0.0.0.0"),
        ("x-empty", ""),
    ]
    assert parse_sdp(text).serialize() == text


def test_lines_about_one_payload_type_may_come_in_any_order() -> None:
    media = parse_sdp(
        VIDEO + "a=rtcp-fb:* nack\r\na=fmtp:96 a=1\r\na=rtcp-fb:96 ccm fir\r\na=rtpmap:97 rtx/90000\r\n"
        "a=rtpmap:96 H264/90000\r\na=fmtp:96 b=2\r\na=fmtp:98 c=3\r\na=rtcp-fb:98 nack\r\n"
    ).media[0]
    assert media.codecs == [
        CodecParameters(97, "rtx", 90_000, feedback=("nack",)),
        CodecParameters(96, "H264", 90_000, fmtp="a=1;b=2", feedback=("nack", "ccm fir")),
    ]
    assert media.attributes == [("fmtp", "98 c=3"), ("rtcp-fb", "98 nack")]


def test_an_m_line_with_port_zero_is_rejected_unless_bundle_only() -> None:
    text = VIDEO.replace("video 9", "video 0")
    assert parse_sdp(text).media[0].rejected
    assert not parse_sdp(text + "a=bundle-only\r\n").media[0].rejected


def test_a_tcp_candidate_is_read() -> None:
    line = "2 1 TCP 1518280447 192.0.2.7 8443 typ srflx raddr 10.0.0.2 rport 0 tcptype passive x-more 1"
    candidate = Candidate.parse(line)
    assert candidate == Candidate(
        "2", 1, "tcp", 1_518_280_447, "192.0.2.7", 8443, "srflx", "10.0.0.2", 0, "passive", (("x-more", "1"),)
    )
    assert candidate.is_ip
    assert Candidate.parse(candidate.text()) == candidate


def test_a_header_extension_may_have_a_direction_and_attributes() -> None:
    extension = ExtMap.parse("3/sendonly urn:x flag=1 more")
    assert extension == ExtMap(3, "urn:x", "sendonly", "flag=1 more")
    assert extension.text() == "3/sendonly urn:x flag=1 more"


def test_simulcast_knows_alternatives_paused_streams_and_both_directions() -> None:
    simulcast = Simulcast.parse("send 1,~4;2 recv a")
    assert simulcast == Simulcast((("1", "~4"), ("2",)), (("a",),))
    assert simulcast.text() == "send 1,~4;2 recv a"


def test_format_parameters_become_a_dictionary() -> None:
    assert parse_fmtp("Packetization-Mode=1; profile-level-id=42e01f;flag;") == {
        "packetization-mode": "1",
        "profile-level-id": "42e01f",
        "flag": "",
    }


def test_groups_other_than_bundle_are_kept() -> None:
    session = parse_sdp(HEAD + "a=group:LS 0 1\r\na=group:BUNDLE 0 1\r\n")
    assert session.groups == [Group("LS", ("0", "1")), Group("BUNDLE", ("0", "1"))]
    assert session.bundle == ("0", "1")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("m=video 65536 RTP 96", "port"),
        ("m=video x RTP 96", "port"),
        ("m=video 9", "m-line is incomplete"),
        ("a=rtpmap:128 VP8/90000", "payload type"),
        ("a=rtpmap:96 VP8", "clock rate"),
        ("a=rtpmap:96 /90000", "encoding name"),
        ("a=rtpmap:96 VP8/9e4", "clock rate"),
        ("a=fmtp:x a=1", "payload type"),
        ("a=rtcp-fb:96", "rtcp-fb is incomplete"),
        ("a=extmap:0 urn:x", "extmap id"),
        ("a=extmap:9999 urn:x", "extmap id"),
        ("a=extmap:1/both urn:x", "extmap direction"),
        ("a=extmap:1", "extmap is incomplete"),
        ("a=ice-ufrag:abc", "ICE credential"),
        ("a=ice-pwd:short", "ICE credential"),
        ("a=ice-pwd:" + "p" * 257, "ICE credential"),
        ("a=fingerprint:sha-256", "fingerprint"),
        ("a=fingerprint:sha-256 AB:CD", "fingerprint"),
        ("a=fingerprint:sha-256 " + DIGEST.replace("AB", "XY"), "fingerprint"),
        ("a=setup:both", "setup"),
        ("a=candidate:1 1 udp 5 192.0.2.1", "candidate is incomplete"),
        ("a=candidate:1 1 udp 5 192.0.2.1 99999 typ host", "candidate port"),
        ("a=candidate:1 1 udp 5 192.0.2.1 9 kind host", "typ"),
        ("a=ssrc:4294967296 cname:x", "ssrc"),
        ("a=ssrc:1", "ssrc has no attribute"),
        ("a=ssrc-group:FID one", "ssrc"),
        ("a=rid:h both", "rid"),
        ("a=simulcast:send", "simulcast"),
        ("a=simulcast:send a;;b", "simulcast"),
        ("a=simulcast:send a send b", "simulcast"),
        ("a=mid:", "mid"),
        ("a=:x", "attribute"),
        ("s=again", "may not follow an m-line"),
        ("no equals sign", "letter"),
        ("a=x\0", "letter"),
    ],
)
def test_a_fault_is_reported_with_its_line_number(line: str, says: str) -> None:
    with pytest.raises(ProtocolError, match=r"line 6: ") as caught:
        parse_sdp(VIDEO + line + "\r\n")
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no o="),
        ("v=1\r\n", "line 1"),
        ("o=- 1 1 IN IP4 127.0.0.1\r\n", "line 1"),
        ("v=0\r\ns=-\r\n", "no o="),
        ("v=0\r\no=- 1 1 IN\r\n", "line 2: origin"),
        ("v=0\r\no=- 1 x IN IP4 h\r\n", "line 2: session version"),
        (HEAD + "o=- 1 1 IN IP4 h\r\n", "line 5: o= may stand only once"),
        (VIDEO + "a=rtpmap:96 VP8/90000\r\na=rtpmap:96 VP9/90000\r\n", "line 7: payload type 96"),
        (VIDEO + "a=mid:0\r\nm=audio 9 RTP 0\r\na=mid:0\r\n", "mid twice"),
        ("v=0\r\n" + "a=x\r\n" * (MAX_LINES + 1), "lines"),
        (VIDEO + "a=x:" + "y" * MAX_LINE_CHARS, "line 6: longer"),
        ("v" * (MAX_SDP_CHARS + 1), "longer"),
        (HEAD + "m=audio 9 RTP 0\r\n" * (MAX_MEDIA + 1), "m-lines"),
    ],
)
def test_a_description_that_is_no_description_is_refused(text: str, says: str) -> None:
    with pytest.raises(ProtocolError, match=says):
        parse_sdp(text)
