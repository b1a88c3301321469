"""How the load reaches a server: one small adapter per server. Media is the same to all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal, Protocol

import aiohttp

from core.worker_api import CreateTransport, TransportDescription
from rtp.sdp import Session, parse_sdp

ROOM: Final = "bench"
ServerKind = Literal["teleconsult", "janus"]


class Signalling(Protocol):
    """Offers and answers, by the name of a connection."""

    async def publish(self, name: str, offer: Session) -> tuple[Session, list[str]]:
        """Offer media; the server's answer, and what to subscribe to."""

    async def subscribe(self, name: str, track_ids: Sequence[str]) -> Session:
        """Ask for media; the server's offer."""

    async def answer(self, name: str, answer: Session) -> None:
        """Answer that offer."""

    async def close(self) -> None:
        """Free the way to the server."""


class WorkerClient:
    """This project's worker: its internal API over its Unix socket."""

    def __init__(self, path: str) -> None:
        self._session = aiohttp.ClientSession(
            "http://worker", connector=aiohttp.UnixConnector(path), raise_for_status=True
        )

    async def publish(self, name: str, offer: Session) -> tuple[Session, list[str]]:
        """Publish one feed in the bench's room."""
        description = await self._create(
            CreateTransport(
                transport_id=name,
                room=ROOM,
                participant_id="publisher",
                direction="publish",
                offer=offer.serialize(),
                feed=name,
            )
        )
        return parse_sdp(description.sdp), [track.track_id for track in description.tracks]

    async def subscribe(self, name: str, track_ids: Sequence[str]) -> Session:
        """Ask for these tracks of the bench's room."""
        description = await self._create(
            CreateTransport(
                transport_id=name,
                room=ROOM,
                participant_id=name,
                direction="subscribe",
                track_ids=list(track_ids),
                adaptive=True,
            )
        )
        return parse_sdp(description.sdp)

    async def answer(self, name: str, answer: Session) -> None:
        """Answer what `subscribe` gave."""
        async with self._session.post(f"/v1/transports/{name}/answer", json={"sdp": answer.serialize()}):
            pass

    async def stats(self) -> dict[str, Any]:
        """The worker's own counters."""
        async with self._session.get("/v1/stats") as response:
            found: dict[str, Any] = await response.json()
            return found

    async def close(self) -> None:
        """Close the connections to the socket."""
        await self._session.close()

    async def _create(self, request: CreateTransport) -> TransportDescription:
        async with self._session.post("/v1/transports", data=request.model_dump_json()) as response:
            return TransportDescription.model_validate_json(await response.read())


async def open_signalling(kind: ServerKind, path: str) -> Signalling:
    """The adapter for a server whose API listens on the Unix socket `path`."""
    if kind == "janus":
        from bench.janus_api import JanusClient

        return await JanusClient.open(path)
    return WorkerClient(path)
