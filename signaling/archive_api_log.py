"""What the archive's log says of one consultation, with proofs: for the verifier in the auditor's browser.

A whole log is too long for a browser to read. So it gets the leaves about the consultation, the newest
checkpoint, and a proof for each leaf that it is in that very log.
"""

from __future__ import annotations

import asyncio
import base64
import json
from array import array
from collections.abc import Sequence
from typing import Any, Final

from archive.checkpoint import Checkpoint, Note
from archive.log_store import MAX_READ, LogStore
from core.messages import Model
from signaling.api import Call
from signaling.log_service import ArchiveLog

MAX_LEAVES: Final = 4_000
"""In one answer: the first and the newest ones. A head every 60 s: over two days."""
_MARKS: Final = frozenset({"open", "recording", "head", "close", "addendum"})
_DECIDED: Final = frozenset({"hold", "release", "shred", "rewrap", "export"})


class ProvenLeaf(Model):
    """`leaf`: canonical JSON. `proof`: base64 of the hashes of an inclusion proof (RFC 6962 §2.1.1)."""

    index: int
    leaf: str
    proof: list[str]


class LoggedArchive(Model):
    """`checkpoint`: the newest, a signed note, with its cosignatures; the proofs are for its size.
    `since_us`: when the log's first leaf was written, unproven; None for an empty log.
    """

    checkpoint: str
    since_us: int | None
    leaves: list[ProvenLeaf]


class LeafIndex:
    """Which leaves are about which consultation: 8 bytes each, read on as the log grows."""

    def __init__(self) -> None:
        self._read = 0
        self._found: dict[str, array[int]] = {}
        self._reading = asyncio.Lock()
        self.since_us: int | None = None

    async def of(self, log: ArchiveLog, consultation: str) -> list[int]:
        """Indices of its leaves, without joins, replays and refusals. Raises `Unavailable`."""
        async with self._reading:
            while page := await log.writer.ask(self._next_page):
                await asyncio.to_thread(self._note, page)
        return list(self._found.get(consultation, ()))

    def _next_page(self, store: LogStore) -> list[bytes]:
        return store.read(self._read, self._read + MAX_READ)

    def _note(self, page: Sequence[bytes]) -> None:
        for data in page:
            leaf: dict[str, Any] = json.loads(data)
            if self._read == 0:
                self.since_us = leaf["at_us"]
            if leaf["kind"] in _MARKS or leaf.get("access") in _DECIDED:
                self._found.setdefault(leaf["consultation"] or "", array("Q")).append(self._read)
            self._read += 1


async def logged(call: Call, index: LeafIndex) -> LoggedArchive:
    """Raises `Unavailable` (503 `log_unavailable`)."""
    log = call.context.log
    found = await index.of(log, call.consultation.consultation_id)
    chosen = found if len(found) <= MAX_LEAVES else [found[0], *found[1 - MAX_LEAVES :]]
    checkpoint, leaves = await log.writer.ask(lambda store: _prove(store, chosen))
    return LoggedArchive(checkpoint=checkpoint, since_us=index.since_us, leaves=leaves)


def _prove(store: LogStore, indices: Sequence[int]) -> tuple[str, list[ProvenLeaf]]:
    text = store.published()
    size = Checkpoint.parse(Note.parse(text).text).size
    leaves = []
    for index in indices:
        (data,) = store.read(index, index + 1)
        proof = [base64.b64encode(item).decode() for item in store.inclusion(index, size)]
        leaves.append(ProvenLeaf(index=index, leaf=data.decode(), proof=proof))
    return text, leaves
