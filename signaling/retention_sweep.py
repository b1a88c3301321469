"""Regularly: shreds archives whose time is over, finishes what could not be carried out, logs what was
decided without the service.

A retention class was defined by two people; shredding by it is their recorded decision.
"""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from archive.shred_request import Request
from core import retention
from core.errors import ConfigError, Conflict, NotFound, TeleconsultError
from core.retention import Expired
from signaling.archive_keeper import Keeper
from signaling.context import Context

SWEEP_S: Final = 3_600.0
SERVICE: Final = "service:signaling"

log = structlog.get_logger()


async def sweep(context: Context) -> list[str]:
    """One pass; which consultations it shredded. One that fails does not stop the rest."""
    keeper = Keeper(context.settings, context.clock)
    done = []
    for one in await retention.expired(context.database, context.settings.retention_class):
        try:
            if await _shred(context, keeper, one):
                done.append(one.consultation_id)
        except NotFound:
            continue  # it was never recorded, or is archived by another machine
        except TeleconsultError as error:
            log.error("retention.not_shredded", consultation=one.consultation_id, reason=str(error))
    for consultation in await retention.not_shredded(context.database):
        try:
            await _catch_up(context, keeper, consultation)
        except NotFound:
            continue
        except TeleconsultError as error:
            log.error("retention.not_caught_up", consultation=consultation, reason=str(error))
    return done


async def keep_sweeping(context: Context, pause_s: float = SWEEP_S) -> None:
    """Until cancelled."""
    while True:
        try:
            await sweep(context)
        except Exception:
            log.exception("retention.sweep_failed")
        await asyncio.sleep(pause_s)


async def _shred(context: Context, keeper: Keeper, expired: Expired) -> bool:
    """False while a hold stands, or when it is done already."""
    wanted, kept = expired.consultation_id, expired.retention
    ledger = await asyncio.to_thread(keeper.ledger, wanted)
    if ledger.shredded is not None:
        return False
    if ledger.holds:
        log.info("retention.held", consultation=wanted, holds=len(ledger.holds))
        return False
    assert kept.approved_by is not None
    assert kept.approved_us is not None
    objects = "removed" if kept.remove_objects else "kept"
    reason = f"retention class {kept.name}: {kept.days} days"
    request: Request = await asyncio.to_thread(
        keeper.ask, wanted, "shred", reason, objects=objects, policy=kept.name
    )
    request.add_signed_in(kept.proposed_by, kept.proposed_us)
    request.add_signed_in(kept.approved_by, kept.approved_us)
    await context.log.access(
        kind="shred", by=kept.proposed_by, second=kept.approved_by, consultation=wanted, detail=kept.name
    )
    carried = await asyncio.to_thread(keeper.decide, wanted, request)
    if carried.finished:
        await retention.set_shredded(context.database, wanted)
    await context.audit(SERVICE, "retention_shredded", f"{wanted} {kept.class_id}")
    return True


async def _catch_up(context: Context, keeper: Keeper, consultation: str) -> None:
    """Decisions made at the archive itself come into the log; what is shredded is so everywhere."""
    ledger = await asyncio.to_thread(keeper.ledger, consultation)
    known = await retention.decisions_logged(context.database, consultation)
    own = await asyncio.to_thread(_own_key, keeper)
    for decision in ledger.decisions[known:]:
        if decision.signer != own:
            people = [item.by for item in decision.approvals] + [None]
            await context.log.access(
                kind=decision.kind,
                by=str(people[0]),
                second=people[1],
                consultation=consultation,
                detail="offline",
            )
            await context.audit(str(people[0]), f"archive_{decision.kind}_offline", consultation)
        await retention.set_decisions_logged(context.database, consultation, decision.decision + 1)
    if ledger.shredded is not None:
        await asyncio.to_thread(keeper.finish, consultation)
        await retention.set_shredded(context.database, consultation)


def _own_key(keeper: Keeper) -> str:
    """Raises `Conflict` where there is none: without it nothing is decided here, either."""
    try:
        return keeper.signer()
    except ConfigError as error:
        raise Conflict(str(error), code="archive_conflict") from None
