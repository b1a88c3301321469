"""REST: what an administrator does with the organisation's capture boxes, and how the boxes are."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from core import devices, enrolments
from core.clock import NS_PER_S
from core.device_health import DeviceHealth, LogLevel, Trouble
from core.devices import Device, Enrolment
from core.enrolments import DEFAULT_MINUTES, MAX_MINUTES, EnrolmentCode
from core.errors import RemoteError
from core.ids import NAME_PATTERN
from core.messages import Identifier, Model, SetLogLevel
from core.qr import qr_svg
from signaling.access import DEVICE_PREFIX
from signaling.accounts import revoke
from signaling.api import Call, Operation
from signaling.boxes import WantedLog
from signaling.context import Context
from signaling.fields import Name, RequestModel

MAX_LOG_MINUTES: Final = 24 * 60


class NewDevice(RequestModel):
    name: Name = Field(examples=["Theatre 3"])
    feeds: list[Annotated[str, Field(pattern=NAME_PATTERN)]] = Field(min_length=1, max_length=16)


class NewCode(RequestModel):
    minutes: int = Field(default=DEFAULT_MINUTES, ge=1, le=MAX_MINUTES)


class DeviceCode(Model):
    """`code` is shown this once. `qr_svg`: a picture of `https://…/#CODE`; `edge enroll` takes that, too."""

    device_id: Identifier
    code: str
    expires_at_us: int
    qr_svg: str


class LogWish(RequestModel):
    level: LogLevel
    minutes: int = Field(default=60, ge=0, le=MAX_LOG_MINUTES, description="0: as configured, from now on")


class DeviceView(Model):
    """`enrolment`: whether its own key counts. `health`: what it said of itself last, at `health_at_us`.

    `troubles`: what somebody should look at.
    """

    device_id: Identifier
    name: str
    feeds: list[str]
    disabled: bool
    enrolment: Enrolment = "none"
    online: bool = False
    health: DeviceHealth | None = None
    health_at_us: int | None = None
    troubles: list[Trouble] = Field(default=[])


def device_view(context: Context, device: Device) -> DeviceView:
    """What the organisation's own people see of a box."""
    told, now_ns = context.boxes.told.get(device.device_id), context.clock.monotonic_ns()
    online = context.boxes.is_online(device.device_id, now_ns)
    return DeviceView(
        device_id=device.device_id,
        name=device.name,
        feeds=list(device.feeds),
        disabled=device.disabled,
        enrolment=device.enrolment,
        online=online,
        health=None if told is None else told.health,
        health_at_us=None if told is None else told.at_us,
        troubles=told.health.troubles if told is not None and online else [],
    )


async def add_device(call: Call, wanted: NewDevice) -> DeviceCode:
    """Registered, with the code by which the box enrols itself."""
    if len(set(wanted.feeds)) != len(wanted.feeds):
        raise RemoteError("every feed needs its own name", code="feeds_differ", status=422)
    made = await devices.create_device(
        call.context.database, organisation_id=call.caller.org, name=wanted.name, feeds=wanted.feeds
    )
    await call.context.audit(call.caller.sub, "device_add", made.device_id)
    return await _code(call, made.device_id, DEFAULT_MINUTES)


async def new_code(call: Call, wanted: NewCode) -> DeviceCode:
    """Another one; the one before is worth nothing from now on."""
    return await _code(call, call.path("device_id"), wanted.minutes)


async def revoke_device(call: Call) -> None:
    """Its streams and its seat end at once, and its key opens nothing."""
    context, device_id = call.context, call.path("device_id")
    await enrolments.revoke_key(context.database, device_id, call.caller.org)
    context.boxes.forget(device_id)
    await context.audit(call.caller.sub, "device_revoke", device_id)
    await revoke(context, DEVICE_PREFIX + device_id)


async def set_log_level(call: Call, wanted: LogWish) -> None:
    """Told at once if the box is in a room, else when it asks next."""
    context, device_id = call.context, call.path("device_id")
    await devices.own_device(context.database, device_id, call.caller.org)
    for_s = wanted.minutes * 60
    until_ns = context.clock.monotonic_ns() + for_s * NS_PER_S
    context.boxes.logs[device_id] = WantedLog(wanted.level, until_ns)
    for seat in list(context.service.attached.values()):
        if seat.member.subject == DEVICE_PREFIX + device_id:
            context.service.tell(seat.member, SetLogLevel(level=wanted.level, for_s=for_s))
    await context.audit(call.caller.sub, "device_log", f"{device_id} {wanted.level}")


async def _code(call: Call, device_id: str, minutes: int) -> DeviceCode:
    made: EnrolmentCode = await enrolments.create_code(
        call.context.database, device_id, organisation_id=call.caller.org, minutes=minutes
    )
    await call.context.audit(call.caller.sub, "device_code", device_id)
    return DeviceCode(
        device_id=device_id,
        code=made.code,
        expires_at_us=made.expires_us,
        qr_svg=qr_svg(f"{call.request.scheme}://{call.request.host}/#{made.code}"),
    )


_UNKNOWN: Final = (404, "device_not_found")
_DISABLED: Final = (409, "device_disabled")
_ONE: Final = "/api/v1/devices/{device_id}"
OPERATIONS: Final = (
    Operation(
        "POST",
        "/api/v1/devices",
        add_device,
        name="add_device",
        summary="Register a capture box of one's organisation; its one-time code is shown this once",
        who=("admin",),
        tag="devices",
        request=NewDevice,
        response=DeviceCode,
        status=201,
        codes=((422, "feeds_differ"),),
    ),
    Operation(
        "POST",
        f"{_ONE}/code",
        new_code,
        name="device_code",
        summary="Another one-time code for a capture box; the one before counts no more",
        who=("admin",),
        tag="devices",
        request=NewCode,
        response=DeviceCode,
        status=201,
        codes=(_UNKNOWN, _DISABLED),
    ),
    Operation(
        "POST",
        f"{_ONE}/revoke",
        revoke_device,
        name="device_revoke",
        summary="Declare a capture box's key void: its streams end at once; it can be enrolled anew",
        who=("admin",),
        tag="devices",
        status=204,
        codes=(_UNKNOWN,),
    ),
    Operation(
        "POST",
        f"{_ONE}/log-level",
        set_log_level,
        name="device_log",
        summary="What a capture box's log shows, for some minutes",
        who=("admin",),
        tag="devices",
        request=LogWish,
        status=204,
        codes=(_UNKNOWN,),
    ),
)
