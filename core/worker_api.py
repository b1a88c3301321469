"""The SFU worker's internal HTTP API, as signaling and worker both see it.

| call | body → answer |
|---|---|
| `POST   /v1/transports` | `CreateTransport` → `TransportDescription` |
| `POST   /v1/transports/{id}/offer` | `{"sdp", "sources"}` → `TransportDescription` (changed, ICE restart) |
| `POST   /v1/transports/{id}/answer` | `{"sdp"}` → 204 |
| `PUT    /v1/transports/{id}/subscriptions` | `Subscriptions` → `TransportDescription` |
| `PUT    /v1/transports/{id}/view` | `TransportView` → 204; tracks it does not have are ignored |
| `PATCH  /v1/transports/{id}` | `{"fragment"}` (trickle-ice-sdpfrag) → `{"fragment": str \\| null}` |
| `PUT    /v1/tracks/paused` | `PausedTracks` → 204; unknown ids are ignored |
| `DELETE /v1/transports/{id}` | → 204 |
| `GET    /v1/stats` | → JSON |
| `GET    /v1/events` | WebSocket: `WorkerEvent`s, `WorkerReady` first |

Served on a Unix socket (mode 0600) by default, with a bearer token across machines.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field, TypeAdapter

from core.messages import Codec, Identifier, Kind, Model, Sdp, Source, TrackInfo, UnsupportedTrack

VIEW_MAX_PIXELS: Final = 16_384
Lowered = Literal["network", "source"]
Direction = Literal["publish", "view", "subscribe"]
"""publish: the client offers and sends. view: the client offers and receives (WHEP). subscribe: we offer."""


class CreateTransport(Model):
    """`tracks` (publish): the source of each mid; an unnamed m-line gets `default_source`."""

    transport_id: Identifier
    room: Identifier
    participant_id: Identifier
    direction: Direction
    offer: Sdp | None = None
    feed: Identifier = "none"
    sources: dict[str, Source] = Field(default={})
    default_source: Source = "device"
    paused: bool = False
    """publish: its tracks are born paused."""
    on_site: bool = False
    """publish: by the site. Its cameras show the room, and precede faces where a network is tight."""
    adaptive: bool = False
    """subscribe: layers are chosen by `TransportView` and by what the network carries. Else, and for view
    (WHEP), every track comes in the best layer there is, whatever becomes of it: so for recorders."""
    track_ids: list[Identifier] = Field(default=[])
    """view, subscribe: the tracks wanted, in order of preference."""
    codecs: list[Codec] = Field(default=["H264", "VP8", "VP9", "AV1", "opus"])
    """subscribe: what the client can decode. view: taken from its offer."""


class Subscriptions(Model):
    """All tracks the subscriber shall have from now on. `restart_ice`: with fresh ICE credentials."""

    track_ids: list[Identifier]
    restart_ice: bool = False


class TrackView(Model):
    """In how many pixels of the screen a picture is shown; none: it is not shown."""

    track_id: Identifier
    width: int = Field(ge=0, le=VIEW_MAX_PIXELS)
    height: int = Field(ge=0, le=VIEW_MAX_PIXELS)
    focus: bool = False


class TransportView(Model):
    """What an adaptive subscriber shows from now on; pictures that are not listed are not shown.

    Before the first one, each counts as shown at 640 × 360 and none has the focus.
    """

    views: list[TrackView] = Field(max_length=64)


class PausedTracks(Model):
    """Tracks of which nothing is forwarded, or is again: then a picture begins with a keyframe."""

    track_ids: list[Identifier] = Field(max_length=1000)
    paused: bool


class TransportDescription(Model):
    """publish, view: `sdp` is our answer. subscribe: our offer of `revision`."""

    transport_id: Identifier
    sdp: str
    revision: int = 0
    tracks: list[TrackInfo] = Field(default=[])
    """publish: what is published now."""
    mids: dict[str, Identifier] = Field(default={})
    """view, subscribe: mid → track id."""
    unsupported: list[UnsupportedTrack] = Field(default=[])


class SessionDescription(Model):
    """Body of `…/offer` and `…/answer`."""

    sdp: Sdp
    sources: dict[str, Source] = Field(default={})
    """offer: the source of each mid, as in `CreateTransport`; mids known already may be left out."""


class Fragment(Model):
    """Body of `PATCH`: a trickle-ice-sdpfrag (RFC 8840)."""

    fragment: Sdp


class FragmentAnswer(Model):
    """Answer to `PATCH`: our new credentials after an ICE restart, else None."""

    fragment: str | None = None


class WorkerReady(Model):
    """First event on every connection. A new `boot_id` means: every transport of before is gone."""

    type: Literal["ready"] = "ready"
    worker_id: str
    boot_id: str


class WorkerDraining(Model):
    """It is about to end: it takes no new transports (503), and what it has should move elsewhere."""

    type: Literal["draining"] = "draining"


class TransportChanged(Model):
    type: Literal["transport_changed"] = "transport_changed"
    transport_id: Identifier
    state: Literal["connected", "silent", "closed"]
    """silent: nothing heard for some seconds (kept 90 s). closed: gone for good."""
    reason: str = ""


class TrackLive(Model):
    """First packet after nothing, or nothing after packets."""

    type: Literal["track_live"] = "track_live"
    track_id: Identifier
    kind: Kind
    live: bool


class ConsumerClock(Model):
    """RTP time → capture time for one consumer; sent at its start, on every change, and every 10 s."""

    type: Literal["consumer_clock"] = "consumer_clock"
    transport_id: Identifier
    mid: str
    track_id: Identifier
    rtp_timestamp: int
    clock_rate: int
    capture_time_us: int
    uncertainty_us: int
    publisher_ahead_us: int = 0
    """The publisher's name of a frame (its abs-capture-time) less ours; 0 while unknown."""


class LayerChanged(Model):
    """What an adaptive subscriber gets of a picture now; never of sound."""

    type: Literal["layer_changed"] = "layer_changed"
    transport_id: Identifier
    """The subscriber's."""
    track_id: Identifier
    layer: str | None
    """Its rid, empty without simulcast; None: nothing, for want of room."""
    lowered: Lowered | None = None
    """Why it is less than the shown size wants. network: more does not fit. source: there is no better."""


class LayersWanted(Model):
    """Encodings of a simulcast track the publisher shall send; it rests the others. Until the first one: all.

    Never empty: the smallest is always among them, so that whoever joins sees something at once.
    """

    type: Literal["layers_wanted"] = "layers_wanted"
    transport_id: Identifier
    """The publisher's."""
    track_id: Identifier
    rids: list[str]


WorkerEvent = Annotated[
    WorkerReady | WorkerDraining | TransportChanged | TrackLive | ConsumerClock | LayerChanged | LayersWanted,
    Field(discriminator="type"),
]

_event: Final[TypeAdapter[Any]] = TypeAdapter(WorkerEvent)


def parse_worker_event(text: str | bytes) -> Any:
    """JSON → event model. Raises `pydantic.ValidationError`."""
    return _event.validate_json(text)
