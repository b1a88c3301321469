"""REST: what a site does for its consultation: other organisations, devices, guests by invitation."""

from __future__ import annotations

from typing import Final

from core import consultations, devices, invitations, people
from signaling.access import DEVICE_PREFIX
from signaling.accounts import revoke
from signaling.api import Call, Operation
from signaling.device_admin import DeviceView, device_view
from signaling.views import (
    AttachDevice,
    CreatedInvitation,
    InvitationView,
    InviteOrganisation,
    NewInvitation,
    OrganisationView,
    invitation_view,
)


async def list_organisations(call: Call) -> list[OrganisationView]:
    """All of the installation's, for inviting them."""
    return _views(await people.list_organisations(call.context.database))


async def list_taking_part(call: Call) -> list[OrganisationView]:
    """The inviting one first."""
    wanted = call.consultation.consultation_id
    return _views(await people.organisations_of(call.context.database, wanted))


async def list_attached(call: Call) -> list[DeviceView]:
    """Those that may publish here: none once it is over."""
    found = await devices.attached_devices(call.context.database, call.consultation.consultation_id)
    return [
        device_view(call.context, one)
        for one in sorted(found.values(), key=lambda one: (one.name, one.device_id))
    ]


async def list_devices(call: Call) -> list[DeviceView]:
    """The caller's organisation's."""
    found = await devices.list_devices(call.context.database, call.caller.org)
    return [device_view(call.context, one) for one in found]


async def invite_organisation(call: Call, body: InviteOrganisation) -> None:
    """Its people may take part from now on."""
    wanted = call.consultation.consultation_id
    await consultations.invite_organisation(call.context.database, wanted, body.organisation_id)
    await call.context.audit(call.caller.sub, "invite_organisation", f"{wanted} {body.organisation_id}")


async def attach_device(call: Call, body: AttachDevice) -> None:
    """It may publish from now on."""
    wanted = call.consultation.consultation_id
    await devices.attach_device(call.context.database, wanted, body.device_id)
    await call.context.audit(call.caller.sub, "attach_device", f"{wanted} {body.device_id}")


async def detach_device(call: Call) -> None:
    """Its feeds end at once."""
    wanted, device_id = call.consultation.consultation_id, call.path("device_id")
    await devices.detach_device(call.context.database, wanted, device_id)
    await call.context.service.detach_device(wanted, DEVICE_PREFIX + device_id)
    await call.context.audit(call.caller.sub, "detach_device", f"{wanted} {device_id}")


async def create_invitation(call: Call, body: NewInvitation) -> CreatedInvitation:
    """A link for one guest. Its token is in the fragment, which no browser sends anywhere."""
    wanted = call.consultation.consultation_id
    invitation, token = await invitations.create_invitation(
        call.context.database,
        consultation_id=wanted,
        name=body.name,
        organisation=body.organisation,
        lobby=body.lobby,
        minutes=body.minutes,
        created_by=call.caller.sub,
    )
    await call.context.audit(call.caller.sub, "invite", f"{wanted} {invitation.invitation_id}")
    return CreatedInvitation(
        invitation_id=invitation.invitation_id,
        url=f"{call.request.scheme}://{call.request.host}/#/invite/{token}",
        expires_at_us=invitation.expires_us,
    )


async def list_invitations(call: Call) -> list[InvitationView]:
    """All of the consultation's, newest first."""
    found = await invitations.list_invitations(call.context.database, call.consultation.consultation_id)
    return [invitation_view(one) for one in found]


async def revoke_invitation(call: Call) -> None:
    """It lets nobody in any more; who came by it has to go."""
    wanted, invitation_id = call.consultation.consultation_id, call.path("invitation_id")
    guest_id = await invitations.revoke_invitation(call.context.database, wanted, invitation_id)
    if guest_id is not None:
        await revoke(call.context, guest_id)
    await call.context.audit(call.caller.sub, "revoke_invitation", f"{wanted} {invitation_id}")


def _views(found: list[people.Organisation]) -> list[OrganisationView]:
    return [OrganisationView(organisation_id=one.organisation_id, name=one.name) for one in found]


_PATH: Final = "/api/v1/consultations/{consultation_id}"
_OVER: Final = (409, "consultation_closed")
OPERATIONS: Final = (
    Operation(
        "GET",
        "/api/v1/organisations",
        list_organisations,
        name="list_organisations",
        summary="Organisations that can be invited",
        who=("specialist", "site", "admin"),
        tag="people",
        response=list[OrganisationView],
    ),
    Operation(
        "GET",
        "/api/v1/devices",
        list_devices,
        name="list_devices",
        summary="The caller's organisation's capture boxes, and how they are",
        who=("site", "admin"),
        tag="devices",
        response=list[DeviceView],
    ),
    Operation(
        "POST",
        f"{_PATH}/organisations",
        invite_organisation,
        name="invite_organisation",
        summary="Let another organisation's people take part; again changes nothing",
        who=("site",),
        scope="host",
        request=InviteOrganisation,
        status=204,
        codes=((404, "organisation_not_found"), _OVER),
    ),
    Operation(
        "GET",
        f"{_PATH}/organisations",
        list_taking_part,
        name="list_taking_part",
        summary="Organisations whose people take part, the inviting one first",
        who=("site",),
        scope="host",
        response=list[OrganisationView],
    ),
    Operation(
        "GET",
        f"{_PATH}/devices",
        list_attached,
        name="list_attached",
        summary="Devices that may publish here",
        who=("site",),
        scope="host",
        tag="devices",
        response=list[DeviceView],
    ),
    Operation(
        "POST",
        f"{_PATH}/devices",
        attach_device,
        name="attach_device",
        summary="Let a device of the site publish here; again changes nothing",
        who=("site",),
        scope="host",
        tag="devices",
        request=AttachDevice,
        status=204,
        codes=((404, "device_not_found"), _OVER, (409, "device_disabled"), (409, "device_revoked")),
    ),
    Operation(
        "DELETE",
        f"{_PATH}/devices/{{device_id}}",
        detach_device,
        name="detach_device",
        summary="A device publishes here no longer; its feeds end at once",
        who=("site",),
        scope="host",
        tag="devices",
        status=204,
        codes=((404, "device_not_found"),),
    ),
    Operation(
        "POST",
        f"{_PATH}/invitations",
        create_invitation,
        name="invite",
        summary="A link for one guest, shown this once",
        who=("site",),
        scope="host",
        tag="invitations",
        request=NewInvitation,
        response=CreatedInvitation,
        status=201,
        codes=(_OVER, (409, "too_many")),
    ),
    Operation(
        "GET",
        f"{_PATH}/invitations",
        list_invitations,
        name="list_invitations",
        summary="The consultation's invitations, newest first",
        who=("site",),
        scope="host",
        tag="invitations",
        response=list[InvitationView],
    ),
    Operation(
        "DELETE",
        f"{_PATH}/invitations/{{invitation_id}}",
        revoke_invitation,
        name="revoke_invitation",
        summary="An invitation lets nobody in any more; who came by it has to go",
        who=("site",),
        scope="host",
        tag="invitations",
        status=204,
        codes=((404, "invitation_not_found"),),
    ),
)
