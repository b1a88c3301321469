"""The room WebSocket's messages: one pydantic model each, tagged by `type`.

TypeScript types are generated from here.

The flow: the client opens `/ws?room=…`, says `hello`, gets `welcome`. It may `publish` (it offers) and
`subscribe` (the server offers, again whenever the set of tracks changes; the client answers with the offer's
revision). Both peer connections are independent. `media_reset` means the media server lost them: publish and
subscribe anew.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

SDP_MAX_CHARS: Final = 200_000
TEXT_MAX_CHARS: Final = 500

Role = Literal["specialist", "site", "device", "recorder", "auditor", "admin"]
Kind = Literal["audio", "video"]
Source = Literal["device", "microphone", "camera", "screen"]
Codec = Literal["H264", "VP8", "VP9", "AV1", "opus"]
RecordingState = Literal["off", "starting", "recording", "failed"]
Sdp = Annotated[str, Field(max_length=SDP_MAX_CHARS)]
Identifier = Annotated[str, Field(min_length=1, max_length=64)]


class Model(BaseModel):
    """Unknown fields are errors: a typo must not pass silently."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Participant(Model):
    """Somebody, or a capture box, or the recorder, present in a room."""

    participant_id: Identifier
    name: str = Field(max_length=TEXT_MAX_CHARS)
    role: Role
    organisation: str = Field(default="", max_length=TEXT_MAX_CHARS)


class TrackInfo(Model):
    """One published audio or video track. `feed` groups the tracks of one picture or one person."""

    track_id: Identifier
    participant_id: Identifier
    feed: Identifier
    kind: Kind
    source: Source
    codec: Codec
    live: bool = False
    """True once its first packet has arrived; false again while nothing comes."""
    muted: bool = False


class ConsultationInfo(Model):
    """What everyone in the room may know. `header` is the masked identity, never a full name."""

    consultation_id: Identifier
    header: str = Field(default="", max_length=TEXT_MAX_CHARS)
    opened_at_us: int
    recording: RecordingState = "off"


# --- client → server ---------------------------------------------------------------------


class Hello(Model):
    """First message. The token is given here or as `Sec-WebSocket-Protocol: teleconsult.v1, token.<JWT>`."""

    type: Literal["hello"] = "hello"
    token: str | None = Field(default=None, max_length=8192)
    resume_token: str | None = Field(default=None, max_length=8192)


class PublishedSource(Model):
    """Which source an m-line of the publish offer carries."""

    mid: Annotated[str, Field(min_length=1, max_length=32)]
    source: Source


class Publish(Model):
    """Offer of the publish connection: the first, a changed one, or an ICE restart (same `transport_id`)."""

    type: Literal["publish"] = "publish"
    offer: Sdp
    sources: list[PublishedSource] = Field(max_length=32)
    transport_id: Identifier | None = None


class Unpublish(Model):
    """Closes the publish connection."""

    type: Literal["unpublish"] = "unpublish"


class Subscribe(Model):
    """Asks for a subscribe connection; also asks for a fresh one if there is one already.

    `codecs`: what this client can decode; a track it cannot decode is reported in `offer.unsupported`.
    """

    type: Literal["subscribe"] = "subscribe"
    codecs: list[Codec] = Field(default=["H264", "VP8", "VP9", "AV1", "opus"], max_length=16)


class RestartIce(Model):
    """Asks for an offer with fresh ICE credentials on the subscribe connection (the network changed)."""

    type: Literal["restart_ice"] = "restart_ice"


class Answer(Model):
    """Answer to the server's offer of that revision. An answer to an older revision is ignored."""

    type: Literal["answer"] = "answer"
    revision: int = Field(ge=0)
    sdp: Sdp


class SetMuted(Model):
    """Own track muted or not; shown to everyone. The sender stops sending by itself."""

    type: Literal["set_muted"] = "set_muted"
    track_id: Identifier
    muted: bool


class SetRecording(Model):
    """Recorder only: what it is doing now, shown to everyone in the room."""

    type: Literal["set_recording"] = "set_recording"
    state: RecordingState
    reason: str = Field(default="", max_length=TEXT_MAX_CHARS)


class Ping(Model):
    """Answered by `pong` with the same id and the server's clock."""

    type: Literal["ping"] = "ping"
    id: int = 0


ClientMessage = Annotated[
    Hello | Publish | Unpublish | Subscribe | RestartIce | Answer | SetMuted | SetRecording | Ping,
    Field(discriminator="type"),
]

# --- server → client ---------------------------------------------------------------------


class Welcome(Model):
    """Answer to `hello`: who you are here and what there is."""

    type: Literal["welcome"] = "welcome"
    participant: Participant
    resume_token: str
    room: str
    consultation: ConsultationInfo
    participants: list[Participant]
    tracks: list[TrackInfo]
    server_time_us: int


class ParticipantJoined(Model):
    type: Literal["participant_joined"] = "participant_joined"
    participant: Participant


class ParticipantLeft(Model):
    type: Literal["participant_left"] = "participant_left"
    participant_id: Identifier
    reason: Literal["left", "disconnected", "removed"] = "left"


class TrackAdded(Model):
    type: Literal["track_added"] = "track_added"
    track: TrackInfo


class TrackChanged(Model):
    type: Literal["track_changed"] = "track_changed"
    track: TrackInfo


class TrackRemoved(Model):
    type: Literal["track_removed"] = "track_removed"
    track_id: Identifier


class Published(Model):
    """Answer to `publish`."""

    type: Literal["published"] = "published"
    transport_id: Identifier
    answer: str
    tracks: list[TrackInfo]


class OfferedTrack(Model):
    """Which track an m-line of the subscribe offer carries."""

    mid: str
    track_id: Identifier


class UnsupportedTrack(Model):
    """A track left out of the offer because this client said it cannot decode its codec."""

    track_id: Identifier
    codec: Codec


class Offer(Model):
    """The subscribe connection's offer. `fresh` means: build a new RTCPeerConnection, the old one is gone."""

    type: Literal["offer"] = "offer"
    transport_id: Identifier
    revision: int
    fresh: bool
    sdp: str
    tracks: list[OfferedTrack]
    unsupported: list[UnsupportedTrack] = []


class CaptureClock(Model):
    """Maps this consumer's RTP timestamps to capture time:
    `capture_time_us = base + (rtp − rtp_timestamp mod 2³²) · 10⁶ / clock_rate`.
    """

    type: Literal["capture_clock"] = "capture_clock"
    mid: str
    track_id: Identifier
    rtp_timestamp: int
    clock_rate: int
    capture_time_us: int
    uncertainty_us: int


class MediaReset(Model):
    """Your media connections are gone (a media server restarted): publish and subscribe again, now."""

    type: Literal["media_reset"] = "media_reset"
    reason: Literal["worker_lost", "transport_lost"] = "worker_lost"


class RecordingChanged(Model):
    type: Literal["recording_changed"] = "recording_changed"
    state: RecordingState
    reason: str = ""


class ConsultationEnded(Model):
    """The site ended it; the connection closes after this message."""

    type: Literal["consultation_ended"] = "consultation_ended"


class Pong(Model):
    type: Literal["pong"] = "pong"
    id: int
    server_time_us: int


class Error(Model):
    """A message was refused; the connection stays. `about`: the refused message's type, when readable."""

    type: Literal["error"] = "error"
    code: str
    message: str
    about: str | None = None


ServerMessage = Annotated[
    Welcome
    | ParticipantJoined
    | ParticipantLeft
    | TrackAdded
    | TrackChanged
    | TrackRemoved
    | Published
    | Offer
    | CaptureClock
    | MediaReset
    | RecordingChanged
    | ConsultationEnded
    | Pong
    | Error,
    Field(discriminator="type"),
]

_client: Final[TypeAdapter[Any]] = TypeAdapter(ClientMessage)
_server: Final[TypeAdapter[Any]] = TypeAdapter(ServerMessage)


def parse_client_message(text: str | bytes) -> Any:
    """JSON from a client → its model. Raises `pydantic.ValidationError`."""
    return _client.validate_json(text)


def parse_server_message(text: str | bytes) -> Any:
    """JSON from the server → its model (Python clients). Raises `pydantic.ValidationError`."""
    return _server.validate_json(text)


def messages_json_schema() -> dict[str, Any]:
    """One JSON Schema with `ClientMessage` and `ServerMessage`: the source of the TypeScript types."""
    from pydantic.json_schema import models_json_schema

    class _All(BaseModel):
        client: ClientMessage
        server: ServerMessage

    _, schema = models_json_schema([(_All, "validation")], title="Messages")
    return schema
