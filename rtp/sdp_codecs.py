"""SDP lines about codecs: rtpmap, fmtp and rtcp-fb of a payload type as one value (RFC 8866, RFC 4585)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rtp.sdp_attributes import number, tokens


def parse_fmtp(fmtp: str) -> dict[str, str]:
    """Format parameters `a=1;b=2` → dict with lower-case keys; a part without `=` gets an empty value."""
    parts = (part.strip().partition("=") for part in fmtp.split(";"))
    return {key.strip().lower(): value.strip() for key, _, value in parts if key.strip()}


@dataclass(frozen=True, slots=True)
class CodecParameters:
    """One payload type: rtpmap, fmtp and rtcp-fb together. `channels` is None where the text gives none."""

    payload_type: int
    name: str
    clock_rate: int
    channels: int | None = None
    fmtp: str = ""
    feedback: tuple[str, ...] = ()

    @classmethod
    def parse_rtpmap(cls, text: str) -> CodecParameters:
        payload_type, encoding = tokens(text, 2, "rtpmap")[:2]
        name, _, rest = encoding.partition("/")
        rate, _, channels = rest.partition("/")
        if not name:
            raise ValueError("rtpmap has no encoding name")
        return cls(
            payload_type=number(payload_type, 127, "payload type"),
            name=name,
            clock_rate=number(rate, 10_000_000, "clock rate"),
            channels=number(channels, 255, "channels") if channels else None,
        )

    def rtpmap(self) -> str:
        channels = "" if self.channels is None else f"/{self.channels}"
        return f"{self.payload_type} {self.name}/{self.clock_rate}{channels}"

    @property
    def parameters(self) -> dict[str, str]:
        """The fmtp as a dict, keys in lower case."""
        return parse_fmtp(self.fmtp)


class CodecLines:
    """Collects rtpmap, fmtp and rtcp-fb lines of one m-line, which come in any order."""

    def __init__(self) -> None:
        self.maps: dict[int, CodecParameters] = {}
        self.fmtps: dict[int, list[str]] = {}
        self.feedback: list[tuple[int | None, str]] = []

    def rtpmap(self, value: str) -> None:
        codec = CodecParameters.parse_rtpmap(value)
        if codec.payload_type in self.maps:
            raise ValueError(f"payload type {codec.payload_type} is mapped twice")
        self.maps[codec.payload_type] = codec

    def fmtp(self, value: str) -> None:
        payload_type, _, parameters = value.partition(" ")
        self.fmtps.setdefault(number(payload_type, 127, "payload type"), []).append(parameters.strip(" "))

    def rtcp_fb(self, value: str) -> None:
        payload_type, _, feedback = value.partition(" ")
        target = None if payload_type == "*" else number(payload_type, 127, "payload type")
        self.feedback.append((target, " ".join(tokens(feedback, 1, "rtcp-fb"))))

    def finish(self) -> tuple[list[CodecParameters], list[tuple[str, str | None]]]:
        """Codecs in order, and the lines that belong to payload types without an rtpmap."""
        codecs = [self._complete(codec) for codec in self.maps.values()]
        left: list[tuple[str, str | None]] = [
            ("fmtp", f"{payload_type} {parameters}")
            for payload_type, lines in self.fmtps.items()
            if payload_type not in self.maps
            for parameters in lines
        ]
        for target, feedback in self.feedback:
            if target is None and not self.maps:
                left.append(("rtcp-fb", f"* {feedback}"))
            elif target is not None and target not in self.maps:
                left.append(("rtcp-fb", f"{target} {feedback}"))
        return codecs, left

    def _complete(self, codec: CodecParameters) -> CodecParameters:
        wanted = (codec.payload_type, None)
        feedback = dict.fromkeys(text for target, text in self.feedback if target in wanted)
        fmtp = ";".join(filter(None, self.fmtps.get(codec.payload_type, [])))
        return replace(codec, fmtp=fmtp, feedback=tuple(feedback))
