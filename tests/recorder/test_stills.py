"""Frozen frames in the archive: the very picture, who froze it, exported with what was drawn on it."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import cv2
import numpy as np
from typer.testing import CliRunner

from archive.decisions import Kind
from archive.keys import publish_signer
from archive.opening import current_ledger
from archive.shred import Copies, record
from archive.shred_request import new_request
from archive.store_base import LocalFolder
from core import messages
from core.annotations import Add, NewMark
from core.clock import SystemClock
from signaling.context import CONTEXT
from signaling.grants import device_grants
from teleconsult.cli import build_app
from tests.archive import support as archives
from tests.recorder.service import ROOM, Service, service
from tests.recorder.test_everything import events, files, intact
from tests.recorder.test_recorder import auditor, closed
from tests.recorder.visitor import Visitor, visitor

FEED = "ultrasound"
CAPTURED_US = 1_795_300_000_000_000
WITHIN_S = 15


def png(level: int) -> bytes:
    return cv2.imencode(".png", np.full((90, 160, 3), level, np.uint8))[1].tobytes()


class Box:
    """The capture box's seat: sends whatever frame is asked for."""

    def __init__(self, running: Service, socket: aiohttp.ClientWebSocketResponse, token: str) -> None:
        self._running, self._socket, self._token = running, socket, token

    async def send(self, picture: bytes) -> str:
        """What is asked for next; the still's id."""
        asked = await self.hear("take_still")
        digest = base64.b64encode(hashlib.sha256(picture).digest()).decode()
        headers = {"Authorization": f"Bearer {self._token}", "Content-Digest": f"sha-256=:{digest}:"}
        path = f"/api/v1/rooms/{ROOM}/stills/{asked['still_id']}"
        async with self._running.session.post(path, data=picture, headers=headers) as response:
            assert response.status == 201, await response.text()
        return str(asked["still_id"])

    async def refuse(self) -> None:
        asked = await self.hear("take_still")
        said = messages.StillMissing(still_id=asked["still_id"], problem="gone")
        await self._socket.send_str(said.model_dump_json())

    async def hear(self, kind: str) -> dict[str, Any]:
        while True:
            message: dict[str, Any] = await self._socket.receive_json(timeout=WITHIN_S)
            if message["type"] == kind:
                return message


@asynccontextmanager
async def box(running: Service) -> AsyncIterator[Box]:
    token = running.app[CONTEXT].tokens.issue_room(
        sub=f"device:{FEED}",
        role="device",
        org=running.consultation.organisation_id,
        name=FEED,
        org_name="Clinic",
        room=ROOM,
        con=running.consultation.consultation_id,
        grants=device_grants(None),
    )
    async with running.session.ws_connect("/ws", params={"room": ROOM}) as socket:
        await socket.send_str(messages.Hello(token=token).model_dump_json())
        made = Box(running, socket, token)
        await made.hear("welcome")
        yield made


async def freeze(host: Visitor, sender: Box, picture: bytes, number: int = 0) -> str:
    captured_us = CAPTURED_US + 40_000 * number
    await host.say(messages.Freeze(ref=f"r{number}", feed=FEED, captured_us=captured_us))
    return await sender.send(picture)


def drawn(mark_id: str, captured_us: int) -> messages.Annotate:
    mark = NewMark(
        mark_id=mark_id,
        tool="pen",
        colour="#00ff00",
        width=0.1,
        points=[0.1, 0.5, 0.9, 0.5],
        captured_us=captured_us,
        anchor="frame",
    )
    return messages.Annotate(op_id=mark_id, feed=FEED, operation=Add(mark=mark))


async def test_a_still_is_archived_with_its_picture_and_exported_with_its_drawings(tmp_path: Path) -> None:
    async with service(tmp_path) as running:
        await running.publish()
        running.start_recorder()
        await running.until(lambda: len(running.pieces()) >= 2, "pictures are archived")
        async with box(running) as sender, visitor(running) as host:
            first = await freeze(host, sender, png(90))
            await host.say(drawn("m_1", CAPTURED_US))
            await host.say(messages.Unfreeze(still_id=first))
            second = await freeze(host, sender, png(30), number=10)
            await host.say(messages.Freeze(ref="lost", feed=FEED, captured_us=1))
            await sender.refuse()
            await running.until(
                lambda: {item.file_id for item in files(running)} == {first, second}, "both are kept"
            )
        await running.end_consultation()
        await running.until(lambda: closed(running), "the archive is closed")
        intact(running)

        frozen = events(running, tmp_path, "frozen")
        assert [one["still"]["still_id"] for one in frozen][:2] == [first, second]
        assert frozen[0]["still"]["captured_us"] == CAPTURED_US
        assert frozen[0]["still"]["name"] == "Dr site"
        changed = events(running, tmp_path, "still_changed")
        assert [one["still"]["state"] for one in changed] == ["ready", "ready", "failed"]
        assert changed[0]["still"]["file"]["sha256"] == hashlib.sha256(png(90)).hexdigest()
        assert changed[2]["still"]["problem"] == "gone"
        (away,) = events(running, tmp_path, "unfrozen")
        assert (away["still_id"], away["by"]) == (first, "Dr site")
        assert events(running, tmp_path, "take_still") == []

        check_export(running, tmp_path, first, second)


def check_export(running: Service, tmp_path: Path, first: str, second: str) -> None:
    """By the command line, as two people have allowed it."""
    publish_signer(running.settings.archive_dir, archives.keys().signer.public)
    arguments = ["export", running.folder, "--stills", "-i", auditor(tmp_path), "-o", tmp_path / "out"]
    refused = CliRunner().invoke(build_app("archive"), ["archive", *map(str, arguments)])
    assert refused.exit_code == 2, "two people have to allow it"
    kind: Kind = "export"
    request = new_request(current_ledger(running.folder), kind, running.folder.name, "report", form="stills")
    request.add_signed_in("u_1", 1)
    request.add_signed_in("u_2", 2)
    record(Copies(LocalFolder(running.folder), None), request, archives.keys().signer, SystemClock())
    done = CliRunner().invoke(build_app("archive"), ["archive", *map(str, arguments), "--json"])
    assert done.exit_code == 0, done.output
    written = json.loads(done.stdout)
    assert written["tracks"] == []
    assert [(one["still_id"], one["drawings"]) for one in written["stills"]] == [(first, 1), (second, 0)]
    assert [len(one["files"]) for one in written["stills"]] == [3, 2]
    picture = cv2.imread(str(tmp_path / "out" / f"{FEED}-{first}.png"))
    plain = cv2.imread(str(tmp_path / "out" / f"{FEED}-{second}.png"))
    assert picture is not None
    assert plain is not None
    assert picture[45, 80].tolist() == [0, 255, 0]
    assert picture[5, 5].tolist() == [90, 90, 90]
    assert (plain == 30).all()


async def test_one_that_was_frozen_before_a_recorder_came_is_kept_too(tmp_path: Path) -> None:
    async with service(tmp_path) as running:
        await running.publish()
        async with box(running) as sender, visitor(running) as host:
            still_id = await freeze(host, sender, png(90))
            running.start_recorder()
            await running.until(
                lambda: [item.file_id for item in files(running)] == [still_id], "the still is kept"
            )
        await running.end_consultation()
        await running.until(lambda: closed(running), "the archive is closed")
        intact(running)
        (state, *_) = events(running, tmp_path, "room_state")
        assert [one["still_id"] for one in state["stills"]] == [still_id]
