"""Speaks the worker's internal API without any media: for tests of rooms, grants and HTTP, where none flows.

SDP is `v=0` and a note. A publish offer says what it publishes: `publish:video/camera,audio/microphone`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import WSCloseCode, web

from core.ids import new_id
from core.messages import Model, TrackInfo
from core.worker_api import (
    CreateTransport,
    Fragment,
    FragmentAnswer,
    PausedTracks,
    SessionDescription,
    Subscriptions,
    TransportDescription,
    TransportView,
    WorkerReady,
)


@dataclass
class Transport:
    """What signaling asked for, and what it was answered."""

    wanted: CreateTransport
    revision: int = 0
    mids: dict[str, str] = field(default_factory=dict)
    tracks: list[TrackInfo] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    outstanding: bool = False
    views: list[TransportView] = field(default_factory=list)
    """All it was told, the newest last."""


class WorkerDouble:
    """Start it on a Unix socket; `crash` and start again for a worker that died."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.address = f"unix:{path}"
        self.boot_id = new_id("b")
        self.transports: dict[str, Transport] = {}
        self.calls: list[str] = []
        self.refuse_answers = False
        self.refuse_pauses = False
        self.refuse_stats = 0
        self.refuse_views = 0
        self.refuse_deletes = 0
        """How many of the next ones fail."""
        self.overlapping_offers = 0
        self.hold: asyncio.Event | None = None
        self._watchers: list[web.WebSocketResponse] = []
        self._runner: web.AppRunner | None = None
        self.connected = asyncio.Event()

    async def start(self) -> None:
        app = web.Application(middlewares=[self._note])
        app.router.add_post("/v1/transports", self._create)
        app.router.add_post("/v1/transports/{id}/offer", self._offer)
        app.router.add_post("/v1/transports/{id}/answer", self._answer)
        app.router.add_put("/v1/transports/{id}/subscriptions", self._subscriptions)
        app.router.add_put("/v1/transports/{id}/view", self._view)
        app.router.add_put("/v1/tracks/paused", self._paused)
        app.router.add_patch("/v1/transports/{id}", self._patch)
        app.router.add_delete("/v1/transports/{id}", self._delete)
        app.router.add_get("/v1/stats", self._stats)
        app.router.add_get("/v1/events", self._events)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.UnixSite(self._runner, str(self.path)).start()

    async def crash(self) -> None:
        """Everything is gone; the next `start` is a new process."""
        await self.cut_events()
        assert self._runner is not None
        await self._runner.cleanup()
        self._runner = None
        self.path.unlink(missing_ok=True)
        self.transports.clear()
        self.boot_id = new_id("b")

    async def stop(self) -> None:
        if self._runner is not None:
            await self.crash()

    async def cut_events(self) -> None:
        """Only the event connection breaks."""
        self.connected.clear()
        for socket in self._watchers:
            await socket.close(code=WSCloseCode.GOING_AWAY)
        self._watchers.clear()

    async def emit(self, event: Model) -> None:
        for socket in self._watchers:
            await socket.send_str(event.model_dump_json())

    def only(self, direction: str) -> Transport:
        """The single transport of that direction."""
        (found,) = [t for t in self.transports.values() if t.wanted.direction == direction]
        return found

    @web.middleware
    async def _note(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.calls.append(f"{request.method} {request.path.removeprefix('/v1/')}")
        if self.hold is not None and not request.path.endswith("/events"):
            await self.hold.wait()
        response: web.StreamResponse = await handler(request)
        return response

    async def _create(self, request: web.Request) -> web.Response:
        wanted = CreateTransport.model_validate_json(await request.read())
        if wanted.offer is not None and "unusable" in wanted.offer:
            return web.json_response({"code": "no_codec", "message": "no codec in common"}, status=400)
        transport = self.transports[wanted.transport_id] = Transport(wanted)
        if wanted.direction == "publish":
            transport.tracks = self._published(wanted)
            return _answer(transport, "v=0 publish answer")
        self._give(transport, wanted.track_ids)
        return _answer(transport, f"v=0 {wanted.direction} {transport.revision}")

    async def _offer(self, request: web.Request) -> web.Response:
        transport = self._find(request)
        body = SessionDescription.model_validate_json(await request.read())
        transport.wanted = transport.wanted.model_copy(
            update={"offer": body.sdp, "sources": transport.wanted.sources | body.sources}
        )
        transport.tracks = self._published(transport.wanted, transport.tracks)
        return _answer(transport, "v=0 publish answer again")

    async def _answer(self, request: web.Request) -> web.Response:
        transport = self._find(request)
        body = SessionDescription.model_validate_json(await request.read())
        if self.refuse_answers:
            return web.json_response({"code": "bad_sdp", "message": "not an answer"}, status=400)
        transport.answers.append(body.sdp)
        transport.outstanding = False
        return web.Response(status=204)

    async def _subscriptions(self, request: web.Request) -> web.Response:
        transport = self._find(request)
        body = Subscriptions.model_validate_json(await request.read())
        if transport.outstanding and not body.restart_ice:
            self.overlapping_offers += 1
        transport.revision += 1
        self._give(transport, body.track_ids)
        note = "restart" if body.restart_ice else "subscribe"
        return _answer(transport, f"v=0 {note} {transport.revision}")

    async def _view(self, request: web.Request) -> web.Response:
        transport = self._find(request)
        if self.refuse_views:
            self.refuse_views -= 1
            return _busy()
        transport.views.append(TransportView.model_validate_json(await request.read()))
        return web.Response(status=204)

    async def _paused(self, request: web.Request) -> web.Response:
        body = PausedTracks.model_validate_json(await request.read())
        if self.refuse_pauses:
            return _busy()
        for transport in self.transports.values():
            for index, track in enumerate(transport.tracks):
                if track.track_id in body.track_ids:
                    transport.tracks[index] = track.model_copy(update={"paused": body.paused})
        return web.Response(status=204)

    async def _patch(self, request: web.Request) -> web.Response:
        self._find(request)
        body = Fragment.model_validate_json(await request.read())
        answer = (
            "a=ice-ufrag:new\r\na=ice-pwd:newnewnew\r\n" if "ice-ufrag:restart" in body.fragment else None
        )
        return web.json_response(FragmentAnswer(fragment=answer).model_dump())

    async def _delete(self, request: web.Request) -> web.Response:
        if self.refuse_deletes:
            self.refuse_deletes -= 1
            return _busy()
        self._find(request)
        del self.transports[request.match_info["id"]]
        return web.Response(status=204)

    async def _stats(self, _request: web.Request) -> web.Response:
        if self.refuse_stats:
            self.refuse_stats -= 1
            return _busy()
        return web.json_response({"sessions": [{"transport_id": name} for name in self.transports]})

    async def _events(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str(WorkerReady(worker_id="sfu-1", boot_id=self.boot_id).model_dump_json())
        self._watchers.append(socket)
        self.connected.set()
        async for _ in socket:
            pass
        return socket

    def _find(self, request: web.Request) -> Transport:
        transport = self.transports.get(request.match_info["id"])
        if transport is None:
            raise web.HTTPNotFound(
                text='{"code": "not_found", "message": "no such transport"}', content_type="application/json"
            )
        return transport

    def _give(self, transport: Transport, track_ids: list[str]) -> None:
        kept = {mid: track for mid, track in transport.mids.items() if track in track_ids}
        for track_id in track_ids:
            if track_id not in kept.values():
                kept[str(len(transport.mids) + len(kept))] = track_id
        transport.mids, transport.outstanding = kept, True

    def _published(self, wanted: CreateTransport, known: list[TrackInfo] | None = None) -> list[TrackInfo]:
        named = (wanted.offer or "").partition("publish:")[2].strip() or "video/device"
        tracks = list(known or [])
        for position, item in enumerate(named.split(",")):
            kind, source = item.split("/")
            if position < len(tracks):
                continue
            tracks.append(
                TrackInfo.model_validate(
                    {
                        "track_id": new_id("k"),
                        "participant_id": wanted.participant_id,
                        "feed": wanted.feed,
                        "kind": kind,
                        "source": wanted.sources.get(str(position), "device" if source == "?" else source),
                        "codec": "H264" if kind == "video" else "opus",
                        "paused": wanted.paused,
                    }
                )
            )
        return tracks


def _busy() -> web.Response:
    return web.json_response({"code": "busy", "message": "not now"}, status=500)


def _answer(transport: Transport, sdp: str) -> web.Response:
    description = TransportDescription(
        transport_id=transport.wanted.transport_id,
        sdp=sdp,
        revision=transport.revision,
        tracks=transport.tracks,
        mids=transport.mids,
    )
    return web.Response(text=description.model_dump_json(), content_type="application/json")
