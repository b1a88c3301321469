"""REST: holds, shredding, exports and how long archives are kept. What cannot be undone takes two people.

Before anything is done it is a leaf of the archive's log; what was decided is a line beside the manifest,
signed with the archive's key, and an entry of the trail.
"""

from __future__ import annotations

import asyncio
from typing import Final

from archive.shred_request import Request
from core import archive_requests, retention
from core.archive_requests import ArchiveRequest
from core.errors import Conflict, TeleconsultError
from core.retention import US_PER_DAY
from signaling.access import Caller
from signaling.api import Call, Operation
from signaling.archive_admin_views import (
    ArchiveRequestView,
    DecisionView,
    Keeping,
    NewArchiveRequest,
    NewHold,
    NewRetentionClass,
    RetentionClassView,
    SetRetention,
    class_view,
    decision_view,
    request_view,
)
from signaling.archive_keeper import PROBLEMS, Carried, Keeper

KEEPERS: Final[tuple[Caller, ...]] = ("auditor", "admin")
_ONE: Final = "/api/v1/archives/{consultation_id}"
_REQUEST: Final = _ONE + "/requests/{request_id}"
_CLASSES: Final = "/api/v1/retention-classes"
_LOG: Final = (503, "log_unavailable")


def keeper_of(call: Call) -> Keeper:
    """With the service's settings."""
    return Keeper(call.context.settings, call.context.clock)


async def keeping(call: Call) -> Keeping:
    """How long it is kept, and everything that was decided about it."""
    wanted, database = call.consultation.consultation_id, call.context.database
    ledger = await asyncio.to_thread(keeper_of(call).ledger, wanted)
    default = call.context.settings.retention_class
    organisation, name = await retention.class_of(database, wanted, default)
    kept = await retention.active_class(database, organisation, name)
    closed_us = call.consultation.closed_us
    until = None if kept is None or closed_us is None else closed_us + kept.days * US_PER_DAY
    waiting = await archive_requests.open_requests(database, consultation_id=wanted)
    return Keeping(
        retention_class=name,
        keep_until_us=until,
        holds=sorted(ledger.holds),
        shredded=ledger.shredded is not None,
        shredded_us=await retention.shredded_us(database, wanted),
        decisions=[decision_view(item) for item in ledger.decisions],
        requests=[request_view(item) for item in waiting],
    )


async def put_hold(call: Call, body: NewHold) -> DecisionView:
    """From now on nobody can shred it. One person is enough."""
    wanted, by = call.consultation.consultation_id, call.caller.sub
    keeper = keeper_of(call)
    request = await asyncio.to_thread(keeper.ask, wanted, "hold", body.reason, hold=body.hold)
    request.add_signed_in(by, call.context.database.now_us())
    await call.context.log.access(kind="hold", by=by, consultation=wanted)
    carried = await asyncio.to_thread(keeper.decide, wanted, request)
    await call.context.audit(by, "archive_hold", wanted)
    return decision_view(carried.decision, finished=carried.finished)


async def ask(call: Call, body: NewArchiveRequest) -> ArchiveRequestView:
    """Nothing happens until another person approves it."""
    wanted, by = call.consultation.consultation_id, call.caller.sub
    request = await asyncio.to_thread(keeper_of(call).ask, wanted, body.kind, body.reason, **body.terms())
    stored = await archive_requests.add_request(
        call.context.database, wanted, body.kind, request.to_json(), by
    )
    await call.context.audit(by, f"archive_{body.kind}_asked", f"{wanted} {stored.request_id}")
    return request_view(stored)


async def approve(call: Call) -> DecisionView:
    """Another person approves it: it is done."""
    wanted, by, database = call.consultation.consultation_id, call.caller.sub, call.context.database
    stored = await archive_requests.claim_request(database, wanted, call.path("request_id"), by)
    try:
        carried = await _decide(call, stored)
    except TeleconsultError:
        await archive_requests.end_request(database, stored.request_id, "open")
        raise
    await archive_requests.end_request(database, stored.request_id, "done")
    if stored.kind == "shred" and carried.finished:
        await retention.set_shredded(database, wanted)
    await call.context.audit(by, f"archive_{stored.kind}", f"{wanted} {stored.requested_by}")
    return decision_view(carried.decision, finished=carried.finished)


async def _decide(call: Call, stored: ArchiveRequest) -> Carried:
    """First the log, then the deed."""
    assert stored.approved_by is not None
    assert stored.approved_us is not None
    request = Request.from_json(stored.request.encode(), "the database")
    request.add_signed_in(stored.requested_by, stored.requested_us)
    request.add_signed_in(stored.approved_by, stored.approved_us)
    await call.context.log.access(
        kind=stored.kind,
        by=stored.requested_by,
        second=stored.approved_by,
        consultation=stored.consultation_id,
    )
    return await asyncio.to_thread(keeper_of(call).decide, stored.consultation_id, request)


async def withdraw(call: Call) -> None:
    """It cannot be approved any more."""
    wanted, request_id = call.consultation.consultation_id, call.path("request_id")
    await archive_requests.withdraw_request(call.context.database, wanted, request_id)
    await call.context.audit(call.caller.sub, "archive_request_withdrawn", f"{wanted} {request_id}")


async def list_requests(call: Call) -> list[ArchiveRequestView]:
    """The organisation's that wait for a second person."""
    found = await archive_requests.open_requests(call.context.database, organisation_id=call.caller.org)
    return [request_view(item) for item in found]


async def set_retention(call: Call, body: SetRetention) -> None:
    """Another class, if it keeps the archive at least as long: shortening is shredding, which takes two."""
    wanted, database = call.consultation.consultation_id, call.context.database
    organisation, name = await retention.class_of(database, wanted, call.context.settings.retention_class)
    present = await retention.active_class(database, organisation, name)
    future = await retention.active_class(database, organisation, body.name)
    if future is None:
        raise Conflict("two people have to define this class first", code="class_not_active")
    if present is None or future.days < present.days:
        raise Conflict("this would shorten its time: shred it with two people", code="retention_shorter")
    await retention.set_class(database, wanted, body.name)
    await call.context.audit(call.caller.sub, "retention_set", f"{wanted} {body.name}")


async def list_classes(call: Call) -> list[RetentionClassView]:
    """The organisation's, by name; the newest of each first."""
    found = await retention.list_classes(call.context.database, call.caller.org)
    return [class_view(item) for item in found]


async def propose_class(call: Call, body: NewRetentionClass) -> RetentionClassView:
    """It has no effect until another person approves it."""
    by, org = call.caller.sub, call.caller.org
    made = await retention.propose_class(
        call.context.database, org, body.name, body.days, body.remove_objects, by
    )
    await call.context.audit(by, "retention_class_proposed", f"{made.class_id} {made.name} {made.days}")
    return class_view(made)


async def approve_class(call: Call) -> RetentionClassView:
    """It counts from now on: for everything that has this class, also what is closed already."""
    by, database = call.caller.sub, call.context.database
    made = await retention.approve_class(database, call.caller.org, call.path("class_id"), by)
    await call.context.audit(by, "retention_class_approved", f"{made.class_id} {made.name} {made.days}")
    return class_view(made)


_CLAIMED: Final = (
    (404, "request_not_found"),
    (403, "same_person"),
    (409, "request_decided"),
    (409, "request_expired"),
)
OPERATIONS: Final = (
    Operation(
        "GET",
        f"{_ONE}/keeping",
        keeping,
        name="archive_keeping",
        summary="How long an archive is kept, its holds, decisions and requests",
        who=KEEPERS,
        tag="archive",
        scope="own",
        response=Keeping,
        codes=PROBLEMS,
    ),
    Operation(
        "POST",
        f"{_ONE}/holds",
        put_hold,
        name="archive_hold",
        summary="Legal hold: while it stands the archive cannot be shredded",
        who=KEEPERS,
        tag="archive",
        scope="own",
        request=NewHold,
        response=DecisionView,
        status=201,
        codes=(*PROBLEMS, _LOG),
    ),
    Operation(
        "POST",
        f"{_ONE}/requests",
        ask,
        name="archive_ask",
        summary="Ask for shredding, for the release of a hold, or for an export; another person approves it",
        who=KEEPERS,
        tag="archive",
        scope="own",
        request=NewArchiveRequest,
        response=ArchiveRequestView,
        status=201,
        codes=PROBLEMS,
    ),
    Operation(
        "POST",
        f"{_REQUEST}/approve",
        approve,
        name="archive_approve",
        summary="Approve what another person asked for: it is done",
        who=KEEPERS,
        tag="archive",
        scope="own",
        response=DecisionView,
        codes=(*PROBLEMS, *_CLAIMED, _LOG),
    ),
    Operation(
        "DELETE",
        _REQUEST,
        withdraw,
        name="archive_withdraw",
        summary="End a request that nobody has approved",
        who=KEEPERS,
        tag="archive",
        scope="own",
        status=204,
        codes=((404, "request_not_found"), (409, "request_decided")),
    ),
    Operation(
        "GET",
        "/api/v1/archive-requests",
        list_requests,
        name="list_archive_requests",
        summary="What waits for a second person",
        who=KEEPERS,
        tag="archive",
        response=list[ArchiveRequestView],
    ),
    Operation(
        "POST",
        f"{_ONE}/retention",
        set_retention,
        name="set_retention",
        summary="Keep an archive longer: another retention class",
        who=KEEPERS,
        tag="archive",
        scope="own",
        request=SetRetention,
        status=204,
        codes=((409, "class_not_active"), (409, "retention_shorter")),
    ),
    Operation(
        "GET",
        _CLASSES,
        list_classes,
        name="list_retention_classes",
        summary="The organisation's retention classes",
        who=KEEPERS,
        tag="archive",
        response=list[RetentionClassView],
    ),
    Operation(
        "POST",
        _CLASSES,
        propose_class,
        name="propose_retention_class",
        summary="Propose a retention class; another person approves it",
        who=KEEPERS,
        tag="archive",
        request=NewRetentionClass,
        response=RetentionClassView,
        status=201,
    ),
    Operation(
        "POST",
        _CLASSES + "/{class_id}/approve",
        approve_class,
        name="approve_retention_class",
        summary="Approve a retention class that another person proposed",
        who=KEEPERS,
        tag="archive",
        response=RetentionClassView,
        codes=((404, "class_not_found"), (403, "same_person"), (409, "class_decided")),
    ),
)
