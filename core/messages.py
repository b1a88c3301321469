"""The room WebSocket's messages: one pydantic model each, tagged by `type`.

TypeScript types are generated from here.

The flow: the client opens `/ws?room=…`, says `hello`, gets `welcome`. It may `publish` (it offers) and
`subscribe` (the server offers, again whenever the set of tracks changes; the client answers with the offer's
revision). Both peer connections are independent. `media_reset` means the media server lost them: publish and
subscribe anew.

A guest who must be let in first gets `waiting` instead of `welcome` and, once a host admits it, `welcome`.
Who may send which message is decided in one table: `signaling/permissions.py`.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from core.annotations import Calibration, Change, DocumentSeen, Mark, MarkMotion, Operation, Place
from core.control import CONTROL_MINUTES_MAX, Control, ControlCode, ControlEnd, ControlWay, Pressed
from core.device_health import DeviceHealth, LogLevel, SignalState
from core.vocabulary import Identifier as Identifier
from core.vocabulary import Role as Role

SDP_MAX_CHARS: Final = 200_000
TEXT_MAX_CHARS: Final = 500
CHAT_MAX_CHARS: Final = 4_000
CHAT_MAX_FILES: Final = 8
OPINION_MAX_CHARS: Final = 20_000
CHAT_HISTORY_MESSAGES: Final = 200
"""How many of the newest messages a `welcome` brings."""
VIEW_MAX_PIXELS: Final = 16_384
MAX_VIEWS: Final = 64

Kind = Literal["audio", "video"]
Source = Literal["device", "microphone", "camera", "screen"]
Codec = Literal["H264", "VP8", "VP9", "AV1", "opus"]
Lowered = Literal["network", "source"]
RecordingState = Literal["off", "starting", "recording", "failed"]
RecordingProblem = Literal["", "disk_full", "disk_fails", "disk_slow", "setup", "recorder_left"]
"""No space; the disk refuses; it is too slow; keys or settings are wrong; nobody is there to record."""
Sdp = Annotated[str, Field(max_length=SDP_MAX_CHARS)]
Judgement = Literal["good", "fair", "poor"]
"""One plain word for a picture, from its delay, frame rate and loss."""


class Model(BaseModel):
    """Unknown fields are errors: a typo must not pass silently."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Participant(Model):
    """Somebody, or a capture box, or the recorder, present in a room."""

    participant_id: Identifier
    name: str = Field(max_length=TEXT_MAX_CHARS)
    role: Role
    organisation: str = Field(default="", max_length=TEXT_MAX_CHARS)
    person: str = Field(default="", max_length=100)
    """The same for all seats (tabs, machines) of one person."""
    guest: bool = False
    """Came by an invitation link, not by an account."""
    host: bool = False
    """Of the site that opened the consultation: admits, pauses, removes."""
    sends_only: bool = False
    """An encoder without a seat in the room: nobody there follows drawings, makes stills, hears anything."""


SignalTrouble = Literal[
    "", "no_signal", "unplugged", "unstable", "unsupported", "protected", "masks", "failed"
]
"""Why a device's picture is not there: nothing comes; the capture device is gone; it cannot lock; a mode it
cannot take; copy protection; the privacy masks do not fit it; anything else.
"""


class FeedSignal(Model):
    """What a box gets from its device. While it is not `ok`, the feed's picture is a slate that says so."""

    state: SignalState = "ok"
    trouble: SignalTrouble = ""
    width: int = Field(default=0, ge=0, le=VIEW_MAX_PIXELS)
    height: int = Field(default=0, ge=0, le=VIEW_MAX_PIXELS)
    """The device's own resolution, whatever size is sent; 0: not known."""


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
    paused: bool = False
    """The site paused picture and sound: the server forwards nothing of this track to anybody."""
    signal: FeedSignal | None = None
    """Boxes' pictures, once their box has said it."""
    control_ways: tuple[ControlWay, ...] = ()
    """Its device's console can be controlled, confirmed in one of these ways; empty: it cannot."""
    control_minutes: int = Field(default=CONTROL_MINUTES_MAX, ge=1, le=CONTROL_MINUTES_MAX)
    """For so long at most."""


class Consent(Model):
    """What the patient agreed to, as the site wrote it down."""

    consult: bool = True
    record: bool = True


class ConsultationInfo(Model):
    """What everyone in the room may know. `header` is the masked identity, never a full name."""

    consultation_id: Identifier
    header: str = Field(default="", max_length=TEXT_MAX_CHARS)
    specialty: str = Field(default="", max_length=TEXT_MAX_CHARS)
    question: str = Field(default="", max_length=2000)
    """What the site wants to know."""
    site: str = Field(default="", max_length=TEXT_MAX_CHARS)
    """The inviting organisation's name."""
    opened_at_us: int
    record: bool = True
    """It shall be recorded now: by how it was opened, or because a host began or stopped it."""
    recording: RecordingState = "off"
    recording_problem: RecordingProblem = ""
    consent: Consent = Consent()
    paused: bool = False
    """The site paused picture and sound."""


class FileInfo(Model):
    """A file sent in the chat. Fetched from `GET /api/v1/rooms/{room}/files/{file_id}`."""

    file_id: Identifier
    name: str = Field(min_length=1, max_length=200)
    media_type: str = Field(max_length=100)
    """By content: `image/png`, `image/jpeg`, `image/webp`, `application/pdf`, else octet-stream."""
    size_bytes: int = Field(ge=0)
    sha256: str = Field(max_length=64)


class ChatEntry(Model):
    """One chat message as everyone sees it. `ref` is the sender's, so that it knows its own again."""

    chat_id: Identifier
    ref: Identifier
    person: str = Field(default="", max_length=100)
    name: str = Field(max_length=TEXT_MAX_CHARS)
    role: Role
    organisation: str = Field(default="", max_length=TEXT_MAX_CHARS)
    text: str = Field(default="", max_length=CHAT_MAX_CHARS)
    files: list[FileInfo] = []
    at_us: int


StillProblem = Literal["", "gone", "box_away", "no_answer", "paused", "failed"]
"""The box no longer had the frame; left; said nothing in time; the site paused; it could not be sent."""


class Still(Model):
    """A frozen frame: that very one, as the capture box has it. Drawings on it are anchored to its frame.

    Fetched from `GET /api/v1/rooms/{room}/stills/{still_id}` once it is `ready`. `ref` is of who froze it.
    """

    still_id: Identifier
    ref: Identifier
    feed: Identifier
    captured_us: int = Field(ge=0, le=2**53 - 1)
    """Capture time (Unix) of the frame, as it was asked for."""
    person: str = Field(default="", max_length=100)
    name: str = Field(max_length=TEXT_MAX_CHARS)
    """Who froze it."""
    at_us: int
    state: Literal["wanted", "ready", "failed"] = "wanted"
    problem: StillProblem = ""
    file: FileInfo | None = None
    """Ready: the picture, a PNG; `file_id` is the still's."""
    width: int = Field(default=0, ge=0)
    height: int = Field(default=0, ge=0)


class SignedHead(Model):
    """Where a consultation's archive stands, signed by its recorder (docs/archive-format.md, "Heads").

    After `entries` lines, `head` is the SHA-256 of the manifest's last one. `final`: that line closes it.
    """

    kind: Literal["head"] = "head"
    consultation: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")
    entries: int = Field(ge=1, le=2**53 - 1)
    head: str = Field(pattern=r"^[0-9a-f]{64}$")
    at_us: int = Field(ge=0, le=2**53 - 1)
    final: bool
    signer: str = Field(pattern=r"^ed25519:[0-9a-f]{64}$")
    signature: str = Field(pattern=r"^[0-9a-f]{128}$")


class Opinion(Model):
    """What a specialist concludes, in writing. `ref` is the writer's, so that it knows its own again."""

    opinion_id: Identifier
    ref: Identifier
    person: str = Field(default="", max_length=100)
    name: str = Field(max_length=TEXT_MAX_CHARS)
    organisation: str = Field(default="", max_length=TEXT_MAX_CHARS)
    text: str = Field(max_length=OPINION_MAX_CHARS)
    at_us: int


class QualityLimits(Model):
    """Thresholds of the judgement beside each picture (configuration of the service)."""

    good_delay_ms: int = 200
    fair_delay_ms: int = 300
    good_frame_rate: float = 24
    fair_frame_rate: float = 15


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
    problem: RecordingProblem = ""
    reason: str = Field(default="", max_length=TEXT_MAX_CHARS)
    """In English, for who operates the service."""


class Chat(Model):
    """Text, files uploaded before, or both. Sent again with the same `ref` it is not shown twice."""

    type: Literal["chat"] = "chat"
    ref: Identifier
    text: str = Field(default="", max_length=CHAT_MAX_CHARS)
    file_ids: list[Identifier] = Field(default=[], max_length=CHAT_MAX_FILES)


class Admit(Model):
    """Host only: lets somebody in from the lobby, now and whenever they come back."""

    type: Literal["admit"] = "admit"
    participant_id: Identifier


class TurnAway(Model):
    """Host only: somebody in the lobby does not come in."""

    type: Literal["turn_away"] = "turn_away"
    participant_id: Identifier


class Remove(Model):
    """Host only: somebody has to leave. A guest's invitation ends with it."""

    type: Literal["remove"] = "remove"
    participant_id: Identifier


class SetPaused(Model):
    """Host only: nothing the site's devices and people send reaches anybody, until it goes on."""

    type: Literal["set_paused"] = "set_paused"
    paused: bool


class SetConsent(Model):
    """Host only: the patient agrees to be recorded, or no longer does. Withdrawn, recording ends for good."""

    type: Literal["set_consent"] = "set_consent"
    record: bool


class SetRecord(Model):
    """Host only: recording begins, goes on, or stops for now. Answered by `record_changed`, to everybody.

    `consent`: the patient, who had not agreed to be recorded, has been asked and does now. What was withdrawn
    cannot be given again.
    """

    type: Literal["set_record"] = "set_record"
    record: bool
    consent: bool = False


class WriteOpinion(Model):
    """Specialists only: the written opinion. Sent again with the same `ref` it is not stored twice."""

    type: Literal["write_opinion"] = "write_opinion"
    ref: Identifier
    text: str = Field(min_length=1, max_length=OPINION_MAX_CHARS)


class TakeOver(Model):
    """The same person's other seats in this room end; this one stays."""

    type: Literal["take_over"] = "take_over"


class Renew(Model):
    """A fresh room token of the same person for the same room, before the old one expires."""

    type: Literal["renew"] = "renew"
    token: str = Field(max_length=8192)


class ReportQuality(Model):
    """The judgement of a feed changed at this viewer. Archived; nobody else is told."""

    type: Literal["report_quality"] = "report_quality"
    feed: Identifier
    judgement: Judgement
    delay_ms: float | None = Field(default=None, ge=0, le=600_000)
    frame_rate: float | None = Field(default=None, ge=0, le=1_000)
    loss: float | None = Field(default=None, ge=0, le=1)


class ShownView(Model):
    """In how many pixels of the screen (not CSS) a picture is shown."""

    track_id: Identifier
    width: int = Field(ge=0, le=VIEW_MAX_PIXELS)
    height: int = Field(ge=0, le=VIEW_MAX_PIXELS)
    focus: bool = False


class SetView(Model):
    """What is shown from now on: the server chooses the layer of each picture by it.

    What is not listed is not shown and gets its smallest layer, if any is to spare. Before the first one
    everything counts as shown at 640 × 360.
    """

    type: Literal["set_view"] = "set_view"
    views: list[ShownView] = Field(max_length=MAX_VIEWS)


class Annotate(Model):
    """One operation on the drawings of a feed. Answered by `annotations_changed`, to everybody who sees it.

    `feed`: as `TrackInfo.feed`, with `-screen` behind it for a shared screen. `op_id` is the sender's: sent
    again it is not done again, and only its sender is answered.
    """

    type: Literal["annotate"] = "annotate"
    op_id: Identifier
    feed: Identifier
    operation: Operation


class SyncAnnotations(Model):
    """The drawings, please: all of them, or what changed since what this client has (after a resume).

    Answered by `annotation_document` or `annotations_changed` for each feed with drawings that this client
    sees, then `annotations_synced`. Changes that happen come by themselves, asked for or not.
    """

    type: Literal["sync_annotations"] = "sync_annotations"
    seen: list[DocumentSeen] = Field(default=[], max_length=128)


class Point(Model):
    """The pointer is here; None: nowhere. At most 30 a second; of what comes faster some are dropped."""

    type: Literal["point"] = "point"
    feed: Identifier
    at: Place | None = None
    captured_us: int | None = Field(default=None, ge=0, le=2**53 - 1)
    """Capture time (Unix) of the frame that was pointed at."""


class MoveMarks(Model):
    """Boxes only: where the marks that move with the tissue are in a frame of their own feed."""

    type: Literal["move_marks"] = "move_marks"
    feed: Identifier
    captured_us: int = Field(ge=0, le=2**53 - 1)
    """Capture time (Unix) of the frame."""
    marks: list[MarkMotion] = Field(min_length=1, max_length=16)


class Freeze(Model):
    """The frame of a device's feed that was captured then, for everybody to draw on. Answered by `frozen`.

    `ref` is the sender's: sent again nothing else is frozen, and only its sender is answered.
    """

    type: Literal["freeze"] = "freeze"
    ref: Identifier
    feed: Identifier
    captured_us: int = Field(ge=0, le=2**53 - 1)
    """Capture time (Unix) of the frame that was shown."""


class Unfreeze(Model):
    """A still is put away, for everybody. By who froze it, or a host. Answered by `unfrozen`."""

    type: Literal["unfreeze"] = "unfreeze"
    still_id: Identifier


class StillMissing(Model):
    """Boxes only: the frame that `take_still` asked for cannot be had."""

    type: Literal["still_missing"] = "still_missing"
    still_id: Identifier
    problem: Literal["gone", "paused", "failed"]


class SetSignal(Model):
    """Boxes only: what comes from the device of a feed of their own, when it changes.

    Whoever sees the feed is told: `track_changed`.
    """

    type: Literal["set_signal"] = "set_signal"
    feed: Identifier
    signal: FeedSignal


class OfferControl(Model):
    """Boxes only: the console behind a feed of their own can be controlled; no ways: not any more."""

    type: Literal["offer_control"] = "offer_control"
    feed: Identifier
    ways: tuple[ControlWay, ...] = Field(max_length=3)
    max_minutes: int = Field(default=CONTROL_MINUTES_MAX, ge=1, le=CONTROL_MINUTES_MAX)
    """No more is granted, whatever a host says."""


class AskControl(Model):
    """Let me control the console behind that feed. Hosts are asked: `control_changed`."""

    type: Literal["ask_control"] = "ask_control"
    feed: Identifier


class GrantControl(Model):
    """Hosts only: whoever asked may, for so long, once it is confirmed at the box."""

    type: Literal["grant_control"] = "grant_control"
    control_id: Identifier
    minutes: int = Field(ge=1, le=CONTROL_MINUTES_MAX)


class ConfirmControl(Model):
    """Hosts only: the code that the box shows. The box checks it."""

    type: Literal["confirm_control"] = "confirm_control"
    control_id: Identifier
    code: ControlCode


class EndControl(Model):
    """By whoever asked, or controls, or by a host: refused, taken back, or stopped. Answered as the others
    are told: `control_changed`.
    """

    type: Literal["end_control"] = "end_control"
    control_id: Identifier


class Press(Model):
    """What is down now, by whoever controls; every half second even when nothing changes."""

    type: Literal["press"] = "press"
    control_id: Identifier
    pressed: Pressed
    said_us: int = Field(ge=0, le=2**53 - 1)
    """When, by the server's clock as the sender knows it: what a network held back is not pressed."""


class ControlAnswer(Model):
    """Boxes only: somebody confirmed it there; or the code was wrong; or it ended there, and why."""

    type: Literal["control_answer"] = "control_answer"
    control_id: Identifier
    answer: Literal["confirmed", "wrong_code", "ended"]
    way: ControlWay | None = None
    """How it was confirmed."""
    reason: ControlEnd | None = None
    """Why it ended."""


class ReportHealth(Model):
    """Boxes only: how the box is. What comes faster than once in two seconds is dropped."""

    type: Literal["report_health"] = "report_health"
    health: DeviceHealth


class Ping(Model):
    """Answered by `pong` with the same id and the server's clock."""

    type: Literal["ping"] = "ping"
    id: int = 0


ClientMessage = Annotated[
    Hello
    | Publish
    | Unpublish
    | Subscribe
    | RestartIce
    | Answer
    | SetMuted
    | SetRecording
    | Chat
    | Admit
    | TurnAway
    | Remove
    | SetPaused
    | SetConsent
    | SetRecord
    | WriteOpinion
    | TakeOver
    | Renew
    | ReportQuality
    | SetView
    | Annotate
    | SyncAnnotations
    | Point
    | MoveMarks
    | Freeze
    | Unfreeze
    | StillMissing
    | SetSignal
    | OfferControl
    | AskControl
    | GrantControl
    | ConfirmControl
    | EndControl
    | Press
    | ControlAnswer
    | ReportHealth
    | Ping,
    Field(discriminator="type"),
]

# --- server → client ---------------------------------------------------------------------


class IceServer(Model):
    """A TURN server for networks that let nothing else through; its credentials expire."""

    urls: list[Annotated[str, Field(max_length=300)]] = Field(max_length=8)
    """`turn:` and `turns:` URLs (RFC 7065)."""
    username: str = Field(default="", max_length=300)
    credential: str = Field(default="", max_length=300, repr=False)


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
    host: bool = False
    """May admit, turn away, remove, pause, and change the consent."""
    chat: list[ChatEntry] = []
    """The newest messages, oldest first."""
    opinions: list[Opinion] = []
    """Those written so far, oldest first, for who may chat and for the recorder."""
    stills: list[Still] = []
    """Frozen frames of feeds you see, oldest first."""
    controls: list[Control] = []
    """Of consoles behind feeds you see."""
    lobby: list[Participant] = []
    """Hosts only: who waits."""
    quality_limits: QualityLimits = QualityLimits()
    token_expires_at_us: int | None = None
    """Send `renew` before; None: this connection needs none."""
    ice_servers: list[IceServer] = []
    """For both peer connections."""


class Waiting(Model):
    """Answer to a guest's `hello`: a host has to let you in. Until then nothing is seen or heard."""

    type: Literal["waiting"] = "waiting"
    participant: Participant
    room: str
    site: str = ""
    server_time_us: int


class Knock(Model):
    """To hosts, and to the recorder for the archive: somebody waits in the lobby."""

    type: Literal["knock"] = "knock"
    participant: Participant


class KnockEnded(Model):
    """As `knock`: who waited was admitted, turned away (`by`: the host, by name), or went."""

    type: Literal["knock_ended"] = "knock_ended"
    participant_id: Identifier
    reason: Literal["admitted", "turned_away", "left"]
    by: str = Field(default="", max_length=TEXT_MAX_CHARS)


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


class LayerChanged(Model):
    """Which encoding of a picture you get from now on."""

    type: Literal["layer_changed"] = "layer_changed"
    track_id: Identifier
    layer: str | None
    """Its rid; empty without simulcast; None: paused, for want of room."""
    lowered: Lowered | None = None
    """Why it is less than the shown size wants. network: more does not fit. source: the publisher sends no
    better.
    """


class LayersWanted(Model):
    """To a track's publisher: pause the encodings that are not listed (all of them when empty), go on with
    those that are. Until the first one: all are wanted.
    """

    type: Literal["layers_wanted"] = "layers_wanted"
    track_id: Identifier
    rids: list[str]


class MediaReset(Model):
    """Your media connections are gone (a media server restarted, or is about to): publish and subscribe
    again, now.
    """

    type: Literal["media_reset"] = "media_reset"
    reason: Literal["worker_lost", "transport_lost", "worker_draining"] = "worker_lost"


class RecordingChanged(Model):
    type: Literal["recording_changed"] = "recording_changed"
    state: RecordingState
    problem: RecordingProblem = ""
    reason: str = ""


class PausedChanged(Model):
    """The site paused picture and sound, or goes on. `by`: who did it, by name."""

    type: Literal["paused_changed"] = "paused_changed"
    paused: bool
    by: str = Field(default="", max_length=TEXT_MAX_CHARS)
    at_us: int


class ConsentChanged(Model):
    type: Literal["consent_changed"] = "consent_changed"
    consent: Consent
    by: str = Field(default="", max_length=TEXT_MAX_CHARS)
    at_us: int


class RecordChanged(Model):
    """A host began or stopped recording: from now on it shall be recorded, or shall not. `by`: by name."""

    type: Literal["record_changed"] = "record_changed"
    record: bool
    by: str = Field(default="", max_length=TEXT_MAX_CHARS)
    at_us: int


class OpinionWritten(Model):
    """A specialist, perhaps you, wrote an opinion."""

    type: Literal["opinion_written"] = "opinion_written"
    opinion: Opinion


class ChatAdded(Model):
    """Somebody, perhaps you, sent a chat message."""

    type: Literal["chat_added"] = "chat_added"
    entry: ChatEntry


class Renewed(Model):
    type: Literal["renewed"] = "renewed"
    token_expires_at_us: int
    ice_servers: list[IceServer] = []
    """As in `welcome`, with fresh credentials: for connections made, or ICE restarted, from now on."""


class QualityReported(Model):
    """Recorder only: a viewer's judgement of a picture changed."""

    type: Literal["quality_reported"] = "quality_reported"
    participant_id: Identifier
    report: ReportQuality
    at_us: int


class ArchiveHead(Model):
    """To keep, about every 10 s: where the archive stands (`head` null: nothing is archived), and the newest
    checkpoint of the service's log. Whoever has kept it can show later that something is missing.
    """

    type: Literal["archive_head"] = "archive_head"
    head: SignedHead | None = None
    checkpoint: str = Field(max_length=65536)
    """A signed note (c2sp.org/tlog-checkpoint)."""
    at_us: int


class AnnotationsChanged(Model):
    """What was done to the drawings of a feed, in order: a change when it happens, those missed on a sync.

    A change whose number is not the next one was missed, or is known already: see `annotation/replica.py`.
    """

    type: Literal["annotations_changed"] = "annotations_changed"
    feed: Identifier
    document_id: Identifier
    """Another one than before: the drawings began anew, ask for them."""
    changes: list[Change]


class AnnotationDocument(Model):
    """All drawings of a feed after change number `seq`, in parts: `first` begins, `last` makes it whole."""

    type: Literal["annotation_document"] = "annotation_document"
    feed: Identifier
    document_id: Identifier
    seq: int = Field(ge=0)
    marks: list[Mark]
    """In the order in which they are drawn."""
    calibration: Calibration | None = None
    undo: int = Field(default=0, ge=0)
    """How many steps the receiver may take back, and again."""
    redo: int = Field(default=0, ge=0)
    first: bool = True
    last: bool = True


class AnnotationsSynced(Model):
    """`sync_annotations` is answered: there are drawings on these feeds, and on no others."""

    type: Literal["annotations_synced"] = "annotations_synced"
    feeds: list[Identifier]


class Pointed(Model):
    """Somebody's pointer. Droppable: of several that wait, only the newest is sent."""

    type: Literal["pointed"] = "pointed"
    feed: Identifier
    participant_id: Identifier
    person: str = Field(default="", max_length=100)
    name: str = Field(max_length=TEXT_MAX_CHARS)
    at: Place | None = None
    captured_us: int | None = None


class MarksMoved(Model):
    """Where marks that move with the tissue are in the frame of `captured_us`; for that frame alone.

    Droppable: of several that wait, only the newest is sent; the recorder gets all. Of a lost mark it is said
    about twice a second.
    """

    type: Literal["marks_moved"] = "marks_moved"
    feed: Identifier
    captured_us: int
    marks: list[MarkMotion]


class TakeStill(Model):
    """To a box: send that frame of your feed to `POST /api/v1/rooms/{room}/stills/{still_id}`, or say
    `still_missing`. Asked again after a lost connection.
    """

    type: Literal["take_still"] = "take_still"
    still_id: Identifier
    feed: Identifier
    captured_us: int
    """By the box's own clock, as it said it with the frame; off by a few milliseconds at most."""


class Frozen(Model):
    """Somebody, perhaps you, froze a frame. The picture itself follows: `still_changed`."""

    type: Literal["frozen"] = "frozen"
    still: Still


class StillChanged(Model):
    """A frozen frame is there, or cannot be had: then it is no longer frozen."""

    type: Literal["still_changed"] = "still_changed"
    still: Still


class Unfrozen(Model):
    """A still was put away. `by`: who did it, by name."""

    type: Literal["unfrozen"] = "unfrozen"
    still_id: Identifier
    feed: Identifier
    by: str = Field(default="", max_length=TEXT_MAX_CHARS)
    at_us: int


class ControlChanged(Model):
    """Of the console behind a feed you see: asked for, granted, active, or over (`control` is None)."""

    type: Literal["control_changed"] = "control_changed"
    feed: Identifier
    control_id: Identifier
    control: Control | None = None
    reason: ControlEnd | None = None
    """Why it is over."""
    way: ControlWay | None = None
    """How it was confirmed, when it has just been."""
    by: str = Field(default="", max_length=TEXT_MAX_CHARS)
    """Whose act it was, by name."""
    at_us: int


class CheckCode(Model):
    """To a box: a host typed this. Answered by `control_answer`."""

    type: Literal["check_code"] = "check_code"
    control_id: Identifier
    code: ControlCode


class ControlPressed(Model):
    """To the box, and where it changes anything into the archive: what whoever controls has down now."""

    type: Literal["control_pressed"] = "control_pressed"
    control_id: Identifier
    feed: Identifier
    participant_id: Identifier
    pressed: Pressed
    at_us: int


class SetLogLevel(Model):
    """To a box: for so long its log shows this; then what it is configured for. An administrator wants it."""

    type: Literal["set_log_level"] = "set_log_level"
    level: LogLevel
    for_s: int = Field(ge=0, le=86_400)


class ConsultationEnded(Model):
    """The site ended it; the connection closes after this message."""

    type: Literal["consultation_ended"] = "consultation_ended"


class Pong(Model):
    type: Literal["pong"] = "pong"
    id: int
    server_time_us: int


class Error(Model):
    """A message was refused; the connection stays. `about`: the refused message's type, when readable.

    `ref`: the `op_id` of a refused `annotate`, the `ref` of a refused `freeze`.
    """

    type: Literal["error"] = "error"
    code: str
    message: str
    about: str | None = None
    ref: str | None = None


ServerMessage = Annotated[
    Welcome
    | Waiting
    | Knock
    | KnockEnded
    | PausedChanged
    | ConsentChanged
    | RecordChanged
    | OpinionWritten
    | ChatAdded
    | Renewed
    | QualityReported
    | ParticipantJoined
    | ParticipantLeft
    | TrackAdded
    | TrackChanged
    | TrackRemoved
    | Published
    | Offer
    | CaptureClock
    | LayerChanged
    | LayersWanted
    | MediaReset
    | RecordingChanged
    | ArchiveHead
    | AnnotationsChanged
    | AnnotationDocument
    | AnnotationsSynced
    | Pointed
    | MarksMoved
    | TakeStill
    | Frozen
    | StillChanged
    | Unfrozen
    | ControlChanged
    | CheckCode
    | ControlPressed
    | SetLogLevel
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
