"""Which codecs we relay, and when two payload types can carry one stream (RFC 6184 §8.1, RFC 9628 §7)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from rtp.sdp_codecs import CodecParameters, parse_fmtp
from rtp.sdp_model import Media

VIDEO_CODECS: Final = ("H264", "VP8", "VP9", "AV1")
AUDIO_CODECS: Final = ("opus",)
CODECS: Final = VIDEO_CODECS + AUDIO_CODECS
RTX: Final = "rtx"

VIDEO_CLOCK_RATE_HZ: Final = 90_000
OPUS_CLOCK_RATE_HZ: Final = 48_000

H264_BASELINE_FMTP: Final = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"
OPUS_FMTP: Final = "minptime=10;useinbandfec=1"

_CANONICAL: Final = {name.lower(): name for name in (*CODECS, "AV1")} | {"av1x": "AV1"}
_FEEDBACK: Final = {
    "video": ("nack", "nack pli", "ccm fir", "transport-cc", "goog-remb"),
    "audio": ("nack", "transport-cc"),
}
_DEFAULT_H264_PROFILE: Final = "42000a"  # RFC 6184 §8.1: what a missing profile-level-id means

_CONFIGURATION_KEYS: Final = {
    "H264": ("profile-level-id", "packetization-mode", "level-asymmetry-allowed"),
    "VP8": (),
    "VP9": ("profile-id",),
    "AV1": ("profile", "level-idx", "tier"),
}
# RFC 6184 table 5: (profile_idc, mask of profile-iop, value) → name. First match wins.
_H264_PROFILES: Final = (
    (0x42, 0x4F, 0x40, "constrained-baseline"),
    (0x4D, 0x8F, 0x80, "constrained-baseline"),
    (0x58, 0xCF, 0xC0, "constrained-baseline"),
    (0x42, 0x4F, 0x00, "baseline"),
    (0x58, 0xCF, 0x80, "baseline"),
    (0x4D, 0xAF, 0x00, "main"),
    (0x64, 0xFF, 0x00, "high"),
    (0x64, 0xFF, 0x0C, "constrained-high"),
    (0xF4, 0xFF, 0x00, "predictive-high-444"),
)


def canonical_name(name: str) -> str | None:
    """An encoding name as we spell it (they are case-insensitive), or None for one we do not relay."""
    return _CANONICAL.get(name.lower())


def codec_names(kind: str) -> tuple[str, ...]:
    """The codecs we relay for "audio" or "video"; none for other kinds."""
    return {"video": VIDEO_CODECS, "audio": AUDIO_CODECS}.get(kind, ())


def feedback_messages(kind: str) -> tuple[str, ...]:
    """The rtcp-fb values we understand."""
    return _FEEDBACK.get(kind, ())


def known_feedback(kind: str, offered: Iterable[str]) -> tuple[str, ...]:
    """Those of the offered rtcp-fb values that we understand, in their order."""
    known = feedback_messages(kind)
    return tuple(feedback for feedback in offered if feedback in known)


def ordered_codecs(media: Media) -> list[CodecParameters]:
    """Codecs of an m-line in order of preference: the order of the m-line's formats (RFC 8866 §5.14)."""
    by_format = {str(codec.payload_type): codec for codec in media.codecs}
    return [by_format[name] for name in dict.fromkeys(media.formats) if name in by_format]


def find_rtx(codecs: Sequence[CodecParameters], payload_type: int) -> CodecParameters | None:
    """The retransmission payload type for a codec (RFC 4588 §8.1, `apt`)."""
    wanted = str(payload_type)
    for codec in codecs:
        if codec.name.lower() == RTX and codec.parameters.get("apt") == wanted:
            return codec
    return None


def h264_profile(fmtp: str) -> str:
    """Name of the profile that `profile-level-id` stands for (RFC 6184 table 5), or its digits."""
    text = parse_fmtp(fmtp).get("profile-level-id", _DEFAULT_H264_PROFILE).lower()
    try:
        profile_idc, constraints, _level = bytes.fromhex(text)
    except ValueError:
        return text
    for idc, mask, value, name in _H264_PROFILES:
        if profile_idc == idc and constraints & mask == value:
            return name
    return text[:4]


def h264_packetization_mode(fmtp: str) -> str:
    """ "0", "1" or "2"; 0 when absent (RFC 6184 §8.1)."""
    return parse_fmtp(fmtp).get("packetization-mode", "0")


def same_configuration(a: CodecParameters, b: CodecParameters) -> bool:
    """True when a stream of `a` is, in SDP's eyes, one of `b`."""
    name = canonical_name(a.name)
    if name is None or name != canonical_name(b.name) or a.clock_rate != b.clock_rate:
        return False
    if name == "opus":
        return True
    if name == "H264":
        return h264_profile(a.fmtp) == h264_profile(b.fmtp) and (
            h264_packetization_mode(a.fmtp) == h264_packetization_mode(b.fmtp)
        )
    return _profile(name, a) == _profile(name, b)


def _profile(name: str, codec: CodecParameters) -> str:
    key = {"VP9": "profile-id", "AV1": "profile"}.get(name, "")
    return codec.parameters.get(key, "0")


def find_decoder(offered: Sequence[CodecParameters], stream: CodecParameters) -> CodecParameters | None:
    """The offered payload type on which to send `stream`.

    H.264: same profile if there is one, else any with packetization-mode 1: decoders take more than they
    declare, and the stream is not ours to change. Other codecs: the same profile only.
    """
    exact = next((codec for codec in offered if same_configuration(codec, stream)), None)
    if exact is not None or canonical_name(stream.name) != "H264":
        return exact
    usable, profile = _h264_mode_1(offered), h264_profile(stream.fmtp)
    return next((codec for codec in usable if h264_profile(codec.fmtp) == profile), next(iter(usable), None))


def _h264_mode_1(offered: Sequence[CodecParameters]) -> list[CodecParameters]:
    return [
        codec
        for codec in offered
        if canonical_name(codec.name) == "H264" and h264_packetization_mode(codec.fmtp) == "1"
    ]


def choose_received(offered: Sequence[CodecParameters], allowed: Iterable[str]) -> CodecParameters | None:
    """The first offered codec that is allowed; H.264 of packetization-mode 0 only where there is no other."""
    names = set(allowed)
    usable = [codec for codec in offered if canonical_name(codec.name) in names and _plausible(codec)]
    first_choice = [
        codec
        for codec in usable
        if canonical_name(codec.name) != "H264" or h264_packetization_mode(codec.fmtp) == "1"
    ]
    return next(iter(first_choice or usable), None)


def _plausible(codec: CodecParameters) -> bool:
    name = canonical_name(codec.name)
    if name == "opus":
        return codec.clock_rate == OPUS_CLOCK_RATE_HZ
    if name == "H264" and h264_packetization_mode(codec.fmtp) not in ("0", "1"):
        return False  # mode 2 interleaves: other packet types, never seen in WebRTC
    return codec.clock_rate == VIDEO_CLOCK_RATE_HZ


def configuration_fmtp(codec: CodecParameters) -> str:
    """The format parameters that say which codec it is.

    Those of one stream (`sprop-…`) and one end's wishes (VP8's `max-fs`) are left out: repeated in an answer
    of ours, they would become limits that we set.
    """
    name = canonical_name(codec.name) or ""
    keys = _CONFIGURATION_KEYS.get(name)
    kept = []
    for part in (part.strip() for part in codec.fmtp.split(";")):
        key = part.partition("=")[0].strip().lower()
        if part and (key in keys if keys is not None else not key.startswith("sprop-")):
            kept.append(part)
    return ";".join(kept)
