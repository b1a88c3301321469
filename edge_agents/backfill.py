"""Delivers what the box kept: commits to its ring, asks what the archive misses, sends that, slowly.

Whatever fails is tried again; nothing is remembered of what was sent, because the recorder knows what it has.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from archive.ring import BufferKey, RingObject, RingPiece, buffer_key_holds, sign_ring_head
from archive.ring_messages import MAX_LINES_BYTES, BackfillAnswer, BackfillAsk, BackfillLease
from core.clock import NS_PER_S, NS_PER_US, Clock
from core.errors import Conflict, ProtocolError, TeleconsultError
from edge_agents.backfill_pace import CHUNK_BYTES, Pacer, Uplink
from edge_agents.ring import Ring, other_rings
from edge_agents.ring_plan import to_deliver
from edge_agents.ring_store import RingStore, read_key
from edge_agents.server_access import Refused, ServerAccess

LOOK_S: Final = 1.0
QUIET_S: Final = 5.0
"""Between questions while nothing is missing."""
RETRY_S: Final = 5.0
PRESSED_S: Final = 0.5
GIVE_UP_S: Final = 20.0
"""A piece that has not moved for so long is begun again later: the service waits for nobody."""
PASSED_OVER: Final = frozenset({"not_wanted", "paused", "not_granted", "ring_invalid"})
"""The recorder will not take this piece, now or later."""
OVER: Final = frozenset({"consultation_closed", "device_not_attached", "not_recorded"})
SHUT_OUT: Final = frozenset({"device_revoked", "device_disabled", "wrong_signature"})

log = structlog.get_logger()


@dataclass(slots=True)
class _Delivery:
    """To one consultation."""

    consultation: str
    key: BufferKey
    lease: str
    until_ns: int
    passed_over: set[tuple[str, int]]
    quiet_until_ns: int = 0
    committed: int = 0


class Backfill:
    """One box's. `run` until cancelled. `uplinks`: what the live connections know of the path."""

    def __init__(
        self, access: ServerAccess, ring: Ring, clock: Clock, uplinks: Callable[[], Iterable[Uplink]]
    ) -> None:
        self.waiting_bytes = 0
        """Asked for, and not delivered yet."""
        self.delivered = 0
        """Pieces that the recorder took from us."""
        self._access, self._ring, self._clock, self._uplinks = access, ring, clock, uplinks
        self._present = ""
        self._delivery: _Delivery | None = None
        self._retry_ns: dict[str, int] = {}
        self._pacer = Pacer()
        self._refused = ""

    def begin(self, consultation: str) -> None:
        """The box is in it from now on. With the key of a process that died it keeps at once."""
        self._present = consultation
        self._retry_ns.pop(consultation, None)
        key = read_key(self._folder(consultation)) if consultation else None
        if key is not None and self._is_ours(key, consultation) and buffer_key_holds(key):
            self._ring.begin(key)

    def end(self) -> None:
        """It is in none."""
        self._present = ""
        self._ring.end()

    async def run(self) -> None:
        """Until cancelled. One consultation after the other; the present one first."""
        while True:
            for consultation in [self._present, *await asyncio.to_thread(self._earlier)]:
                if consultation and self._clock.monotonic_ns() >= self._retry_ns.get(consultation, 0):
                    await self._try(consultation)
            await asyncio.sleep(LOOK_S)

    def _earlier(self) -> list[str]:
        return [folder.name for folder, _ in other_rings(self._ring.settings.folder, self._present)]

    async def _try(self, consultation: str) -> None:
        try:
            await self._turn(consultation)
        except TeleconsultError as error:
            self._failed(consultation, error)
            if error.code in OVER and consultation != self._present:
                await asyncio.to_thread(self._forget, consultation)
            return
        except OSError as error:
            log.warning("backfill_fails", reason=error.strerror)
            self._retry_ns[consultation] = self._later_ns()
            return
        self._refused = ""

    def _failed(self, consultation: str, error: TeleconsultError) -> None:
        self._delivery = None
        self._retry_ns[consultation] = self._later_ns()
        if error.code != self._refused:
            log.info("backfill_waits", consultation=consultation, code=error.code)
        self._refused = error.code
        if error.code in SHUT_OUT:
            self._ring.end()

    def _later_ns(self) -> int:
        return self._clock.monotonic_ns() + int(RETRY_S * NS_PER_S)

    async def _turn(self, consultation: str) -> None:
        delivery = await self._leased(consultation)
        if consultation == self._present:
            held = self._ring.store
            if held is None or held.key.public_key != delivery.key.public_key:
                self._ring.begin(delivery.key)
            elif held.key.consultation == consultation:
                await self._deliver(delivery, held)
            return
        store = await asyncio.to_thread(self._open, delivery.key)
        try:
            if await self._deliver(delivery, store):
                await self._ask(delivery, store, "done")
                store.close()
                await asyncio.to_thread(self._forget, consultation)
        finally:
            store.close()

    def _open(self, key: BufferKey) -> RingStore:
        return RingStore.open(self._folder(key.consultation), key, self._ring.sign)

    def _folder(self, consultation: str) -> Path:
        return self._ring.settings.folder / consultation

    def _forget(self, consultation: str) -> None:
        """Its consultation takes nothing more."""
        log.info("ring_removed", consultation=consultation)
        shutil.rmtree(self._folder(consultation), ignore_errors=True)

    async def _leased(self, consultation: str) -> _Delivery:
        held, now_ns = self._delivery, self._clock.monotonic_ns()
        if held is not None and held.consultation == consultation and now_ns < held.until_ns:
            return held
        got: BackfillLease = await self._access.backfill_lease(consultation)
        if not self._is_ours(got.key, consultation) or not buffer_key_holds(got.key):
            raise ProtocolError("the key to seal to is not for this box and this consultation")
        known = await asyncio.to_thread(read_key, self._folder(consultation))
        if known is not None and known.signer != got.key.signer:
            log.warning("archive_signer_changed", consultation=consultation)
        until_ns = now_ns + got.expires_in * NS_PER_S * 3 // 4
        self._delivery = _Delivery(consultation, got.key, got.lease, until_ns, set())
        return self._delivery

    def _is_ours(self, key: BufferKey, consultation: str) -> bool:
        return (key.consultation, key.device) == (consultation, self._access.device_id)

    # one round

    async def _deliver(self, delivery: _Delivery, store: RingStore) -> bool:
        """Commit, ask, send. True when there was nothing more to send."""
        now_ns = self._clock.monotonic_ns()
        if delivery.consultation == self._present and now_ns < delivery.quiet_until_ns:
            return False
        await self._commit(delivery, store)
        answer = await self._ask(delivery, store, "wanted")
        if answer.never:
            await asyncio.to_thread(self._ring.forget, store, answer.never)
        passed_over = {entry for ring, entry in delivery.passed_over if ring == store.ring}
        wanted = to_deliver(store.held, answer.spans, {*answer.there, *passed_over})
        wanted = [one for one in wanted if one.entry < delivery.committed]
        if not any(isinstance(one, RingPiece) for one in wanted):
            self.waiting_bytes = 0
            delivery.quiet_until_ns = now_ns + int(QUIET_S * NS_PER_S)
            return True
        await self._send_all(delivery, store, wanted)
        return False

    async def _commit(self, delivery: _Delivery, store: RingStore) -> None:
        """First the head, then the lines that lead to it."""
        answer = await self._ask(delivery, store, "commit")
        while answer.known < delivery.committed:
            lines = await asyncio.to_thread(store.lines_from, answer.known, MAX_LINES_BYTES)
            before = answer.known
            answer = await self._ask(delivery, store, "lines", first=before, lines=b"".join(lines).decode())
            if answer.known <= before:
                break

    async def _ask(
        self, delivery: _Delivery, store: RingStore, step: str, *, first: int = 0, lines: str = ""
    ) -> BackfillAnswer:
        head = None
        if step == "commit":
            at_us, stands = self._clock.unix_ns() // NS_PER_US, store.head
            delivery.committed = stands.next_entry
            key = store.key
            head = sign_ring_head(key.consultation, key.device, store.ring, stands, at_us, self._ring.sign)
        asked = BackfillAsk.model_validate(
            {
                "lease": delivery.lease,
                "step": step,
                "ring": store.ring,
                "head": head,
                "first": first,
                "lines": lines,
            }
        )
        return await self._access.backfill_ask(asked)

    async def _send_all(self, delivery: _Delivery, store: RingStore, wanted: Sequence[RingObject]) -> None:
        self.waiting_bytes = sum(one.size for one in wanted)
        log.info("backfill_begins", pieces=len(wanted), bytes=self.waiting_bytes)
        for one in wanted:
            if delivery.consultation != self._present and store is self._ring.store:
                return
            data = await asyncio.to_thread(store.read, one.entry)
            if data is not None:
                await self._send(delivery, store.ring, one, data)
            self.waiting_bytes -= one.size

    async def _send(self, delivery: _Delivery, ring: str, one: RingObject, data: bytes) -> None:
        if self._rate_bps() == 0:
            raise _pressed()
        try:
            await self._access.backfill_piece(delivery.lease, ring, one.entry, self._paced(data), len(data))
        except Refused as error:
            if error.code not in PASSED_OVER:
                raise
            log.warning("backfill_not_taken", entry=one.entry, code=error.code)
            delivery.passed_over.add((ring, one.entry))
        else:
            self.delivered += isinstance(one, RingPiece)

    def _rate_bps(self) -> int:
        return self._pacer.rate_bps(self._uplinks(), self._clock.monotonic_ns())

    async def _paced(self, data: bytes) -> AsyncIterator[bytes]:
        """The piece, as slowly as live pictures need it."""
        stalled_s = 0.0
        for start in range(0, len(data), CHUNK_BYTES):
            await asyncio.sleep(self._pacer.delay_s(self._clock.monotonic_ns()))
            while (rate_bps := self._rate_bps()) == 0:
                stalled_s += PRESSED_S
                if stalled_s > GIVE_UP_S:
                    raise _pressed()
                await asyncio.sleep(PRESSED_S)
            chunk = data[start : start + CHUNK_BYTES]
            self._pacer.sent(len(chunk), rate_bps, self._clock.monotonic_ns())
            yield chunk


def _pressed() -> Conflict:
    return Conflict("live pictures need the path", code="pressed")
