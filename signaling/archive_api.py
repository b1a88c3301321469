"""REST: the archive, for auditors of the organisation whose consultations they are. Ciphertext only: what is
shown is decrypted in the auditor's browser, with a key that never comes here.

Nothing is handed out before it is on record that this person began a replay.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import web

from archive import layout
from archive.store_open import open_archive
from core.consultations import Consultation, list_consultations
from core.errors import NotFound
from signaling import archive_api_trust as trust
from signaling.api import Call, Operation, Raw
from signaling.archive_api_log import LeafIndex, LoggedArchive, logged
from signaling.archive_api_ranges import BYTES, FOR_EVER, Remembered, Served, serve
from signaling.archive_api_replays import Replays
from signaling.archive_api_runs import MAX_PIECES, RunQuery, find_run, run_answer
from signaling.archive_api_store import ArchiveReader, Indexes
from signaling.archive_api_views import ArchiveDetail, ArchiveQuery, ArchiveState, ArchiveView, Replay, Signer

PAGE: Final = 100
"""Consultations in one answer."""
MAX_SMALL_BYTES: Final = 1 << 20
MAX_UNENTERED: Final = 100
TAIL_BYTES: Final = 4096
_JSON_LINES: Final = "application/jsonl"


class ArchiveApi:
    """The handlers, and what they remember: paths of the manifests read last, replays begun."""

    def __init__(self) -> None:
        self._replays = Replays()
        self._opened: tuple[ArchiveReader, Indexes] | None = None
        self._leaves = LeafIndex()

    async def list_all(self, call: Call) -> list[ArchiveView]:
        """Those of the caller's organisation that were, or should have been, recorded; newest first."""
        before = call.query.before_us
        found = await list_consultations(call.context.database, organisation_id=call.caller.org, limit=None)
        own = [
            one
            for one in found
            if one.organisation_id == call.caller.org and (before is None or one.opened_us < before)
        ]
        reader, _ = self._store(call)
        views: list[ArchiveView] = []
        for consultation in own:
            if (view := await _view(call, reader, consultation)) is not None:
                views.append(view)
            if len(views) == PAGE:
                break
        return views

    async def show(self, call: Call) -> ArchiveDetail:
        """One of them. Raises `NotFound` when nothing of it was, or should have been, recorded."""
        reader, indexes = self._store(call)
        consultation = call.consultation
        wanted = consultation.consultation_id
        existing = await reader.objects(wanted)  # before the manifest: a recorder may be adding both
        view = await _view(call, reader, consultation)
        if view is None:
            raise NotFound("this consultation was not recorded", code="not_recorded")
        index = indexes.of(wanted)
        await index.refresh()
        unentered = sorted(set(existing) - set(index.objects))[:MAX_UNENTERED]
        size = await reader.size(wanted, layout.MANIFEST) or 0
        decided = await reader.size(wanted, layout.DECISIONS) is not None
        deciders = await trust.deciders(reader, call.context.database, wanted, call.caller.org)
        return ArchiveDetail(
            **view.model_dump(),
            manifest_bytes=size,
            unentered=unentered,
            decided=decided,
            deciders=deciders,
        )

    async def begin(self, call: Call) -> Replay:
        """Put on record that the caller begins to replay it."""
        return await self._replays.begin(call)

    async def manifest(self, call: Call) -> web.StreamResponse:
        """The manifest, as it is now."""
        reader = await self._reading(call)
        wanted = call.consultation.consultation_id
        size = await reader.size(wanted, layout.MANIFEST)
        if size is None:
            raise _no_such_file()
        # The last line holds the hash of the one before, and so on: it stands for all of them.
        tail = await reader.read(wanted, layout.MANIFEST, max(0, size - TAIL_BYTES), size)
        etag = f"{size}-{hashlib.sha256(tail).hexdigest()[:32]}"
        return await serve(
            call.request, reader, Served(wanted, layout.MANIFEST, size, etag, media_type=_JSON_LINES)
        )

    async def session_key(self, call: Call) -> web.StreamResponse:
        """The consultation's secret key, wrapped to its custodians."""
        return await self._small(call, layout.SESSION_KEY, BYTES)

    async def closing(self, call: Call) -> web.StreamResponse:
        """The closing marker."""
        return await self._small(call, layout.CLOSED, "application/json")

    async def decisions(self, call: Call) -> web.StreamResponse:
        """What people decided later: whether the key is another wrapping, or was shredded."""
        return await self._small(call, layout.DECISIONS, _JSON_LINES)

    async def media(self, call: Call) -> web.StreamResponse:
        """A piece, or an init piece."""
        track, generation, name = (call.path(part) for part in ("track", "generation", "name"))
        return await self._object(call, f"tracks/{track}/{generation}/{name}")

    async def run(self, call: Call) -> web.StreamResponse:
        """Pieces that follow each other."""
        reader, indexes = self._store(call)
        wanted: RunQuery = call.query
        consultation = call.consultation.consultation_id
        named = await find_run(indexes.of(consultation), call.path("track"), call.path("generation"), wanted)
        if not named:
            raise _no_such_file()
        await self._replays.ensure(call)
        asked = min(wanted.last - wanted.first + 1, MAX_PIECES)
        return await run_answer(reader, consultation, named, whole=len(named) == asked)

    async def events(self, call: Call) -> web.StreamResponse:
        """What happened meanwhile."""
        return await self._object(call, f"events/{call.path('name')}")

    async def chat_file(self, call: Call) -> web.StreamResponse:
        """A file of the chat."""
        return await self._object(call, f"files/{call.path('name')}")

    async def _object(self, call: Call, path: str) -> web.StreamResponse:
        """What an entry of the manifest names, and nothing else. Read at one go: it is a second of media."""
        reader, indexes = self._store(call)
        wanted = call.consultation.consultation_id
        found = await indexes.of(wanted).find(path)
        if found is None:
            raise _no_such_file()
        await self._replays.ensure(call)
        size, digest = found
        data = await reader.read(wanted, path, 0, size + 1)
        if not data and size > 0:
            raise _no_such_file()
        # One that is not as long as its entry says was altered: no browser shall keep it.
        if len(data) != size:
            whole = await reader.size(wanted, path) or 0
            return await serve(call.request, reader, Served(wanted, path, whole, digest))
        file = Served(wanted, path, size, digest, caching=FOR_EVER)
        return await serve(call.request, Remembered(data), file)

    async def signers(self, call: Call) -> list[Signer]:
        """Whose archives this service trusts."""
        return await asyncio.to_thread(trust.signers, call.context.settings)

    async def people(self, call: Call) -> list[Signer]:
        """Whose personal signatures under decisions this service trusts."""
        return await asyncio.to_thread(trust.people, call.context.settings)

    async def logged(self, call: Call) -> LoggedArchive:
        """What the archive's log says of it."""
        return await logged(call, self._leaves)

    async def _small(self, call: Call, path: str, media_type: str) -> web.StreamResponse:
        reader = await self._reading(call)
        wanted = call.consultation.consultation_id
        size = await reader.size(wanted, path)
        if size is None or size > MAX_SMALL_BYTES:
            raise _no_such_file()
        digest = hashlib.sha256(await reader.read(wanted, path, 0, size)).hexdigest()
        return await serve(call.request, reader, Served(wanted, path, size, digest, media_type=media_type))

    async def _reading(self, call: Call) -> ArchiveReader:
        """The store, once it is on record who reads."""
        reader, _ = self._store(call)
        if not await reader.exists(call.consultation.consultation_id):
            raise NotFound("there is no archive of this consultation", code="archive_not_found")
        await self._replays.ensure(call)
        return reader

    def _store(self, call: Call) -> tuple[ArchiveReader, Indexes]:
        if self._opened is None:
            reader = ArchiveReader(open_archive(call.context.settings))
            self._opened = (reader, Indexes(reader))
        return self._opened


async def _view(call: Call, reader: ArchiveReader, consultation: Consultation) -> ArchiveView | None:
    """None for a consultation that nobody wanted recorded, and was not."""
    wanted = consultation.consultation_id
    there = await reader.exists(wanted)
    if not there and not (consultation.record and consultation.state == "closed"):
        return None
    closing = await _closing(reader, wanted)
    state: ArchiveState = "closed" if closing else "recording"
    return ArchiveView(
        consultation_id=wanted,
        header=consultation.header,
        specialty=consultation.specialty,
        site=consultation.site,
        opened_at_us=consultation.opened_us,
        closed_at_us=consultation.closed_us,
        state=state if there else "missing",
        length_us=closing.get("end_us"),
        objects=closing.get("objects"),
        size_bytes=closing.get("bytes"),
        retention_class=consultation.retention_class or call.context.settings.retention_class,
    )


async def _closing(reader: ArchiveReader, consultation: str) -> dict[str, int]:
    """What the closing marker says, unverified; empty when there is none that can be read."""
    line = await reader.read(consultation, layout.CLOSED, 0, MAX_SMALL_BYTES)
    try:
        entry: Any = json.loads(line)
    except ValueError:
        return {}
    wanted = ("end_us", "objects", "bytes")
    if not isinstance(entry, dict) or not all(type(entry.get(name)) is int for name in wanted):
        return {}
    return {name: entry[name] for name in wanted}


def _no_such_file() -> NotFound:
    return NotFound("the archive has no such file", code="archive_file_not_found")


_PATH: Final = "/api/v1/archives/{consultation_id}"
_RANGES: Final = (
    (404, "archive_not_found"),
    (404, "archive_file_not_found"),
    (416, "range_not_satisfiable"),
)


def operations() -> tuple[Operation, ...]:
    """Their declarations, with handlers that share what they remember."""
    api = ArchiveApi()
    return (
        Operation(
            "GET",
            "/api/v1/archives",
            api.list_all,
            name="list_archives",
            summary="The organisation's archived consultations, newest first, 100 at a time",
            who=("auditor",),
            tag="archive",
            query=ArchiveQuery,
            response=list[ArchiveView],
        ),
        Operation(
            "GET",
            "/api/v1/archive-signers",
            api.signers,
            name="list_archive_signers",
            summary="The keys this service trusts to sign archives",
            who=("auditor",),
            tag="archive",
            response=list[Signer],
        ),
        Operation(
            "GET",
            "/api/v1/archive-people",
            api.people,
            name="list_archive_people",
            summary="The keys of people whose signed decisions about archives count",
            who=("auditor",),
            tag="archive",
            response=list[Signer],
        ),
        Operation(
            "GET",
            f"{_PATH}/log",
            api.logged,
            name="archive_logged",
            summary="What the archive's log says of it: leaves, and proofs for the newest checkpoint",
            who=("auditor",),
            tag="archive",
            scope="own",
            response=LoggedArchive,
            codes=((503, "log_unavailable"),),
        ),
        Operation(
            "GET",
            _PATH,
            api.show,
            name="show_archive",
            summary="One archived consultation, and files in its folder that no entry names",
            who=("auditor",),
            tag="archive",
            scope="own",
            response=ArchiveDetail,
            codes=((404, "not_recorded"),),
        ),
        Operation(
            "POST",
            f"{_PATH}/replays",
            api.begin,
            name="replay",
            summary="Begin a replay: it stands in the audit trail before anything is handed out",
            who=("auditor",),
            tag="archive",
            scope="own",
            response=Replay,
            status=201,
            codes=((503, "log_unavailable"),),
        ),
        *_files(api),
    )


def _files(api: ArchiveApi) -> tuple[Operation, ...]:
    """What lies in a consultation's folder, under the names it has there or better ones."""
    sealed = "an age file (age-encryption.org/v1) to the consultation's key"
    return (
        _file("manifest", "manifest", api.manifest, "The manifest as it is now", Raw(_JSON_LINES, "entries")),
        _file("key", "key", api.session_key, "The wrapped key", Raw(BYTES, "an age file")),
        _file("closing", "closing", api.closing, "The closing marker", Raw("application/json", "an entry")),
        _file("decisions", "decisions", api.decisions, "What was decided later", Raw(_JSON_LINES, "lines")),
        _file(
            "piece",
            "tracks/{track}/{generation}/{name}",
            api.media,
            "A piece or init piece that an entry of the manifest names; it never changes",
            Raw(BYTES, sealed),
        ),
        Operation(
            "GET",
            f"{_PATH}/runs/{{track}}/{{generation}}",
            api.run,
            name="archive_run",
            summary="Pieces that follow each other; it ends before one that is not as its entry says",
            who=("auditor",),
            tag="archive",
            scope="own",
            query=RunQuery,
            response=Raw(BYTES, "age files (age-encryption.org/v1) to the consultation's key"),
            codes=((404, "archive_file_not_found"),),
        ),
        _file(
            "events",
            "events/{name}",
            api.events,
            "Events that an entry of the manifest names; they never change",
            Raw(BYTES, sealed),
        ),
        _file(
            "file",
            "files/{name}",
            api.chat_file,
            "A file of the chat that an entry of the manifest names; it never changes",
            Raw(BYTES, sealed),
        ),
    )


def _file(
    name: str,
    path: str,
    handler: Callable[[Call], Awaitable[web.StreamResponse]],
    summary: str,
    response: Raw,
) -> Operation:
    return Operation(
        "GET",
        f"{_PATH}/{path}",
        handler,
        name=f"archive_{name}",
        summary=f"{summary}. Takes Range, If-Range and If-None-Match",
        who=("auditor",),
        tag="archive",
        scope="own",
        response=response,
        codes=_RANGES,
    )
