"""Offers in the shape of programs in the field, and parts that negotiation tests share."""

from __future__ import annotations

from pathlib import Path

from rtp.negotiation import LocalTransport, OutgoingTrack
from rtp.sdp import Candidate, IceParameters, Session, parse_sdp

DATA = Path(__file__).parent / "data"
DIGEST = ":".join(["5C"] * 32)
SERVER = LocalTransport(
    ice=IceParameters("srvU", "s" * 24, lite=True),
    fingerprint=("sha-256", ":".join(["0A"] * 32)),
    candidates=(
        Candidate("1", 1, "udp", 2_130_706_431, "192.0.2.1", 8443, "host"),
        Candidate("2", 1, "tcp", 1_671_430_143, "192.0.2.1", 8443, "host", tcp_type="passive"),
    ),
    session_id=42,
)
CLIENT = LocalTransport(
    ice=IceParameters("cliU", "c" * 24),
    fingerprint=("sha-256", ":".join(["0B"] * 32)),
    candidates=(Candidate("1", 1, "udp", 2_130_706_431, "192.0.2.9", 50_000, "host"),),
    session_id=43,
)

H264_BASELINE = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"
H264_HIGH = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=64001f"


def recorded(name: str) -> Session:
    """A real browser's offer (tests/rtp/data)."""
    return parse_sdp((DATA / f"{name}.sdp").read_text())


def track(
    track_id: str, codec: str = "H264", *, ssrc: int, fmtp: str | None = None, rtx: bool = True
) -> OutgoingTrack:
    audio = codec == "opus"
    default = {"H264": H264_BASELINE, "opus": "minptime=10;useinbandfec=1", "VP9": "profile-id=0"}.get(
        codec, ""
    )
    return OutgoingTrack(
        track_id=track_id,
        kind="audio" if audio else "video",
        codec=codec,
        clock_rate=48_000 if audio else 90_000,
        channels=2 if audio else None,
        fmtp=default if fmtp is None else fmtp,
        ssrc=ssrc,
        rtx_ssrc=None if audio or not rtx else ssrc + 1,
        cname="room",
        stream_id="theatre",
    )


# The shape of FFmpeg 8.1's WHIP muxer: DTLS server by its own choice, hardly any rtcp-fb, one codec each.
FFMPEG_WHIP = f"""v=0
o=FFmpeg 4489045141692799359 2 IN IP4 127.0.0.1
s=FFmpegPublishSession
t=0 0
a=group:BUNDLE 0 1
a=extmap-allow-mixed
a=msid-semantic: WMS
m=audio 9 UDP/TLS/RTP/SAVPF 111
c=IN IP4 0.0.0.0
a=ice-ufrag:a174b
a=ice-pwd:2d41ab9b8d3a74e8a0c0e5d2f9b1c3aa
a=fingerprint:sha-256 {DIGEST}
a=setup:passive
a=mid:0
a=sendonly
a=msid:FFmpeg audio
a=rtcp-mux
a=rtpmap:111 opus/48000/2
a=ssrc:3184534 cname:FFmpeg
a=ssrc:3184534 msid:FFmpeg audio
m=video 9 UDP/TLS/RTP/SAVPF 106
c=IN IP4 0.0.0.0
a=ice-ufrag:a174b
a=ice-pwd:2d41ab9b8d3a74e8a0c0e5d2f9b1c3aa
a=fingerprint:sha-256 {DIGEST}
a=setup:passive
a=mid:1
a=sendonly
a=msid:FFmpeg video
a=rtcp-mux
a=rtcp-rsize
a=rtpmap:106 H264/90000
a=fmtp:106 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42c01f
a=rtcp-fb:106 nack
a=ssrc:3184535 cname:FFmpeg
a=ssrc:3184535 msid:FFmpeg video
"""

# The shape of OBS (libdatachannel): transport attributes at session level, an extra group, candidates inside.
OBS_WHIP = f"""v=0
o=rtc 1467911871 0 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1
a=group:LS 0 1
a=msid-semantic:WMS *
a=setup:actpass
a=ice-ufrag:JkKR
a=ice-pwd:UrmJkKRdUEnYyA4bTCPgHx
a=ice-options:ice2,trickle
a=fingerprint:sha-256 {DIGEST}
m=audio 40411 UDP/TLS/RTP/SAVPF 111
c=IN IP4 192.0.2.10
a=mid:0
a=sendonly
a=ssrc:7345 cname:vqWh2o6pKJxQ1yoX
a=ssrc:7345 msid:obs-stream obs-stream-audio
a=msid:obs-stream obs-stream-audio
a=rtcp-mux
a=rtpmap:111 opus/48000/2
a=fmtp:111 minptime=10;maxaveragebitrate=96000;stereo=1;sprop-stereo=1;useinbandfec=1
a=candidate:1 1 UDP 2122317823 192.0.2.10 40411 typ host
a=end-of-candidates
m=video 40411 UDP/TLS/RTP/SAVPF 96
c=IN IP4 192.0.2.10
a=mid:1
a=sendonly
a=ssrc:7346 cname:vqWh2o6pKJxQ1yoX
a=ssrc:7346 msid:obs-stream obs-stream-video
a=msid:obs-stream obs-stream-video
a=rtcp-mux
a=rtpmap:96 H264/90000
a=rtcp-fb:96 nack
a=rtcp-fb:96 nack pli
a=rtcp-fb:96 goog-remb
a=fmtp:96 profile-level-id=42e01f;packetization-mode=1;level-asymmetry-allowed=1
"""

# The shape of GStreamer's whipclientsink (webrtcbin, max-bundle): named mids, bundle-only, several codecs.
GSTREAMER_WHIP = f"""v=0
o=- 2393480021386107297 0 IN IP4 0.0.0.0
s=-
t=0 0
a=ice-options:trickle
a=group:BUNDLE video0 audio1
m=video 9 UDP/TLS/RTP/SAVPF 96 97 98 99
c=IN IP4 0.0.0.0
a=setup:actpass
a=ice-ufrag:YCb2uZTRnBRdh2p
a=ice-pwd:hQ9mW0dXyTgPZ0u8Zr5kqSxJ
a=rtcp-mux
a=rtcp-rsize
a=sendonly
a=rtpmap:96 H265/90000
a=rtcp-fb:96 nack
a=rtpmap:97 H264/90000
a=rtcp-fb:97 nack
a=rtcp-fb:97 nack pli
a=rtcp-fb:97 ccm fir
a=rtcp-fb:97 transport-cc
a=fmtp:97 packetization-mode=1;profile-level-id=64001f;sprop-parameter-sets=Z2QAH6zZQFAFuw==,aOvssiw=
a=rtpmap:98 rtx/90000
a=fmtp:98 apt=97
a=rtpmap:99 VP8/90000
a=extmap:1 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
a=ssrc-group:FID 3776 3777
a=ssrc:3776 msid:user1@host webrtctransceiver0
a=ssrc:3776 cname:user1@host
a=ssrc:3777 msid:user1@host webrtctransceiver0
a=ssrc:3777 cname:user1@host
a=mid:video0
a=fingerprint:sha-256 {DIGEST}
m=audio 0 UDP/TLS/RTP/SAVPF 100
c=IN IP4 0.0.0.0
a=setup:actpass
a=ice-ufrag:YCb2uZTRnBRdh2p
a=ice-pwd:hQ9mW0dXyTgPZ0u8Zr5kqSxJ
a=bundle-only
a=rtcp-mux
a=rtcp-rsize
a=sendonly
a=rtpmap:100 OPUS/48000/2
a=rtcp-fb:100 transport-cc
a=fmtp:100 sprop-stereo=1;sprop-maxcapturerate=48000
a=ssrc:3778 cname:user1@host
a=mid:audio1
a=fingerprint:sha-256 {DIGEST}
"""

# The smallest thing that may publish: one m-line, no BUNDLE, no mid.
ONE_LINE = f"""v=0
o=- 1 1 IN IP4 192.0.2.4
s=camera
t=0 0
a=ice-ufrag:cam1
a=ice-pwd:{"k" * 24}
a=fingerprint:sha-256 {DIGEST}
a=setup:active
m=video 9 UDP/TLS/RTP/SAVPF 96
a=sendonly
a=rtcp-mux
a=rtpmap:96 H264/90000
a=fmtp:96 packetization-mode=0;profile-level-id=42e01f
"""
