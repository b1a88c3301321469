"""The SFU worker's internal HTTP API, as signaling and worker both see it.

| call | body → answer |
|---|---|
| `POST   /v1/transports` | `CreateTransport` → `TransportDescription` |
| `POST   /v1/transports/{id}/offer` | `{"sdp", "sources"}` → `TransportDescription` (changed, ICE restart) |
| `POST   /v1/transports/{id}/answer` | `{"sdp"}` → 204 |
| `PUT    /v1/transports/{id}/subscriptions` | `Subscriptions` → `TransportDescription` |
| `PATCH  /v1/transports/{id}` | `{"fragment"}` (trickle-ice-sdpfrag) → `{"fragment": str \\| null}` |
| `DELETE /v1/transports/{id}` | → 204 |
| `GET    /v1/stats` | → JSON |
| `GET    /v1/events` | WebSocket: `WorkerEvent`s, `WorkerReady` first |

Served on a Unix socket (mode 0600) by default, with a bearer token across machines.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field, TypeAdapter

from core.messages import Codec, Identifier, Kind, Model, Sdp, Source, TrackInfo, UnsupportedTrack

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
    track_ids: list[Identifier] = Field(default=[])
    """view, subscribe: the tracks wanted, in order of preference."""
    codecs: list[Codec] = Field(default=["H264", "VP8", "VP9", "AV1", "opus"])
    """subscribe: what the client can decode. view: taken from its offer."""


class Subscriptions(Model):
    """All tracks the subscriber shall have from now on. `restart_ice`: with fresh ICE credentials."""

    track_ids: list[Identifier]
    restart_ice: bool = False


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


WorkerEvent = Annotated[
    WorkerReady | TransportChanged | TrackLive | ConsumerClock,
    Field(discriminator="type"),
]

_event: Final[TypeAdapter[Any]] = TypeAdapter(WorkerEvent)


def parse_worker_event(text: str | bytes) -> Any:
    """JSON → event model. Raises `pydantic.ValidationError`."""
    return _event.validate_json(text)
