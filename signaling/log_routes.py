"""REST: the archive's log: its checkpoints, leaves and proofs, and what recorders and witnesses say to it.

Checkpoints and proofs are for anybody: they hold nothing but hashes. Leaves are shown to auditors and
administrators, those of other organisations' consultations only as their hashes, which is enough to compute
the root.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

from aiohttp import web
from pydantic import ConfigDict, Field

from archive.checkpoint import Checkpoint, Note, NoteSignature
from archive.log_entries import parse_leaf
from archive.log_store import MAX_READ, LogStore
from archive.witness import check_cosignature
from core import consultations
from core.errors import NotFound, ProtocolError, RemoteError
from core.messages import Model, SignedHead
from signaling.api import Call, Operation, Raw
from signaling.fields import RequestModel

TEXT: Final = "text/plain"
_T = TypeVar("_T")


class LogKeys(Model):
    """Verifier keys as c2sp.org/signed-note writes them: `<name>+<id>+<base64>`."""

    log: str
    witnesses: list[str]


class LogRange(Model):
    """Leaves `from` (counted from 0) up to, but not including, `to`."""

    first: int = Field(default=0, ge=0, alias="from")
    to: int = Field(default=MAX_READ, ge=0)


class InclusionQuery(Model):
    """`size`: of the tree, such as a checkpoint says."""

    index: int = Field(ge=0)
    size: int = Field(ge=1)


class ConsistencyQuery(Model):
    """Two sizes of the tree; the first is the smaller one."""

    first: int = Field(ge=0, alias="from")
    to: int = Field(ge=0)


class LogLeaf(Model):
    """`hash`: base64 of SHA-256(0x00 ‖ leaf). `leaf`: canonical JSON; null for what the caller may not
    know.
    """

    index: int
    hash: str
    leaf: str | None


class LogLeaves(Model):
    """`size`: leaves in the log now. An answer holds at most 1,000."""

    size: int
    leaves: list[LogLeaf]


class Proof(Model):
    """Base64 of hashes: those of the proof (RFC 6962), and the root of the (larger) tree."""

    proof: list[str]
    root: str


class Cosigned(RequestModel):
    """A checkpoint of this log with the witness's signature line."""

    checkpoint: str = Field(max_length=65536)


class ReportedHead(SignedHead):
    """As the recorder signed it."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


async def checkpoint(call: Call) -> web.Response:
    """A signed note (c2sp.org/tlog-checkpoint) with its cosignatures."""
    text = await call.context.log.writer.ask(LogStore.published)
    return web.Response(text=text, content_type=TEXT)


async def keys(call: Call) -> LogKeys:
    """To be compared with what was got another way."""
    witnesses = [key.text for key in call.context.witnesses]
    return LogKeys(log=call.context.log.writer.verifier.text, witnesses=witnesses)


async def leaves(call: Call) -> LogLeaves:
    """A page of the log."""
    wanted: LogRange = call.query

    def read(store: LogStore) -> tuple[int, list[bytes], list[bytes]]:
        found = store.read(wanted.first, wanted.to)
        hashes = store.leaf_hashes(wanted.first, wanted.first + len(found))
        return store.size, found, hashes

    size, found, hashes = await call.context.log.writer.ask(read)
    allowed = await _own(call, found)
    shown = [
        LogLeaf(index=index, hash=_b64(hashed), leaf=data.decode() if allow else None)
        for index, (data, hashed, allow) in enumerate(zip(found, hashes, allowed, strict=True), wanted.first)
    ]
    return LogLeaves(size=size, leaves=shown)


async def inclusion(call: Call) -> Proof:
    """That a leaf is in the log."""
    wanted: InclusionQuery = call.query
    return await _prove(
        call, lambda store: (store.inclusion(wanted.index, wanted.size), store.root_at(wanted.size))
    )


async def consistency(call: Call) -> Proof:
    """That the log only grew."""
    wanted: ConsistencyQuery = call.query
    return await _prove(
        call, lambda store: (store.consistency(wanted.first, wanted.to), store.root_at(wanted.to))
    )


async def cosign(call: Call, body: Cosigned) -> None:
    """A registered witness has seen a checkpoint."""
    seen, signature = _cosignature(call, body.checkpoint)
    await call.context.log.writer.ask(lambda store: store.add_cosignature(seen, signature))


async def report_head(call: Call, head: ReportedHead) -> None:
    """Where a consultation's archive stands; `final`: it is closed."""
    if head.consultation != call.consultation.consultation_id:
        raise RemoteError("the head is of another consultation", code="head_invalid", status=422)
    await call.context.log.report(head)


async def awaited(call: Call) -> list[str]:
    """Consultations whose archive's end the log does not know yet."""
    return call.context.log.awaited()


def _cosignature(call: Call, text: str) -> tuple[Checkpoint, NoteSignature]:
    """The one new line of a registered witness. Raises `ProtocolError`, `RemoteError`."""
    note = Note.parse(text)
    known = {(key.name, key.key_id): key for key in call.context.witnesses}
    for signature in note.signatures:
        key = known.get((signature.name, signature.key_id))
        if key is not None and check_cosignature(note.text, signature, key) is not None:
            seen = Checkpoint.parse(note.text)
            if seen.text != note.text:
                raise ProtocolError("this log writes no extension lines", code="checkpoint_unknown")
            return seen, signature
    raise RemoteError("no registered witness has signed this", code="witness_unknown", status=422)


async def _prove(call: Call, make: Callable[[LogStore], tuple[list[bytes], bytes]]) -> Proof:
    try:
        proof, root = await call.context.log.writer.ask(make)
    except ValueError as error:
        raise NotFound(str(error), code="leaf_not_found") from None
    return Proof(proof=[_b64(item) for item in proof], root=_b64(root))


async def _own(call: Call, found: Iterable[bytes]) -> list[bool]:
    """Which leaves are about consultations that the caller's organisation takes part in."""
    parsed = [getattr(parse_leaf(data), "consultation", None) for data in found]
    database, known = call.context.database, dict[str | None, bool]({None: False})
    for consultation in parsed:
        if consultation not in known:
            stored = await consultations.find_consultation(database, consultation or "")
            known[consultation] = stored is not None and await consultations.takes_part(
                database, stored, call.caller.org
            )
    return [known[consultation] for consultation in parsed]


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


_UNAVAILABLE: Final = (503, "log_unavailable")
_PUBLIC: Final[dict[str, Any]] = {"who": "anyone", "tag": "log"}
OPERATIONS: Final = (
    Operation(
        "GET",
        "/api/v1/log/checkpoint",
        checkpoint,
        name="log_checkpoint",
        summary="The log's newest checkpoint: a signed note (c2sp.org/tlog-checkpoint)",
        response=Raw(TEXT, "a signed note"),
        codes=(_UNAVAILABLE,),
        **_PUBLIC,
    ),
    Operation(
        "GET",
        "/api/v1/log/keys",
        keys,
        name="log_keys",
        summary="The log's verifier key, and those of its witnesses",
        response=LogKeys,
        **_PUBLIC,
    ),
    Operation(
        "GET",
        "/api/v1/log/inclusion",
        inclusion,
        name="log_inclusion",
        summary="Proof that a leaf is in the log (RFC 6962)",
        query=InclusionQuery,
        response=Proof,
        codes=((404, "leaf_not_found"), _UNAVAILABLE),
        **_PUBLIC,
    ),
    Operation(
        "GET",
        "/api/v1/log/consistency",
        consistency,
        name="log_consistency",
        summary="Proof that the log only grew (RFC 6962)",
        query=ConsistencyQuery,
        response=Proof,
        codes=((404, "leaf_not_found"), _UNAVAILABLE),
        **_PUBLIC,
    ),
    Operation(
        "POST",
        "/api/v1/log/cosignatures",
        cosign,
        name="log_cosign",
        summary="A registered witness's cosignature of a checkpoint (c2sp.org/tlog-cosignature)",
        request=Cosigned,
        status=204,
        codes=(
            (400, "protocol_error"),
            (400, "checkpoint_unknown"),
            (422, "witness_unknown"),
            _UNAVAILABLE,
        ),
        **_PUBLIC,
    ),
    Operation(
        "GET",
        "/api/v1/log/entries",
        leaves,
        name="log_entries",
        summary="Leaves of the log; those of others' consultations as hashes only",
        who=("auditor", "admin"),
        tag="log",
        query=LogRange,
        response=LogLeaves,
        codes=(_UNAVAILABLE,),
    ),
    Operation(
        "GET",
        "/api/v1/log/awaited",
        awaited,
        name="log_awaited",
        summary="Consultations whose archive's end the log does not know yet",
        who=("recorder",),
        tag="log",
        response=list[str],
    ),
    Operation(
        "POST",
        "/api/v1/consultations/{consultation_id}/archive-head",
        report_head,
        name="report_head",
        summary="Where the archive stands, signed by the recorder; every 10 s, and when it is closed",
        who=("recorder",),
        tag="log",
        scope="part",
        request=ReportedHead,
        status=204,
        codes=((409, "head_contradicts"), (422, "head_invalid"), _UNAVAILABLE),
    ),
)
