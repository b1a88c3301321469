"""What the REST API takes and gives about consultations: its models, and how stored things become them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from core.consultations import Consultation, State
from core.invitations import Invitation, InvitationState
from core.masking import Sex
from core.messages import Identifier, Model
from signaling.fields import ClassName, Id, Line, Name, Prose, RequestModel, Sentence

MAX_MINUTES = 7 * 24 * 60


class Patient(RequestModel):
    """Who the consultation is about. The name is masked before anything is stored, and never sent back."""

    name: Name = Field(examples=["张三"])
    sex: Sex
    age: int = Field(ge=0, le=150, description="years")
    exam_number: Name = Field(examples=["US-20417"])


class NewConsultation(RequestModel):
    """Recording needs the patient's consent; not recording needs a reason."""

    patient: Patient
    specialty: Line = ""
    question: Prose = ""
    consent_consult: bool
    consent_record: bool
    record: bool
    record_reason: Sentence = ""
    retention_class: ClassName | Literal[""] = Field(
        default="", description="how long its archive is kept; empty: as usual"
    )
    devices: list[Id] = Field(default=[], max_length=32, description="the site's devices to attach")
    invited: list[Id] = Field(default=[], max_length=32, description="ids of organisations")


class NewInvitation(RequestModel):
    name: Name
    organisation: Line = ""
    lobby: bool = True
    minutes: int = Field(default=24 * 60, ge=1, le=MAX_MINUTES)


class Redeem(RequestModel):
    """`client_secret`: random, made by the client. With the same one it may redeem again for a minute.

    The answer may have been lost; nobody else can.
    """

    token: str = Field(min_length=1, max_length=200)
    name: Line | None = None
    client_secret: str | None = Field(default=None, min_length=32, max_length=200)


class InviteOrganisation(RequestModel):
    organisation_id: Id


class AttachDevice(RequestModel):
    device_id: Id


class ConsultationQuery(RequestModel):
    state: Literal["open", "closed"] | None = None


class RoomQuery(RequestModel):
    room: str = Field(description="the room's name, as in the token")


class ConsultationView(Model):
    """`host`: the caller may end it. `people`: how many are in the room now. `retention_class`: how long its
    archive is kept.
    """

    consultation_id: Identifier
    room: Identifier
    header: str
    specialty: str
    question: str
    site: str
    state: State
    record: bool
    consent_record: bool
    record_reason: str
    retention_class: str
    opened_at_us: int
    closed_at_us: int | None
    host: bool
    people: int


class RetentionChoice(Model):
    """`days` after its end an archive of that class is destroyed."""

    name: str
    days: int


class RetentionChoices(Model):
    """`usual`: of consultations for which none is chosen; if it is not among `classes`, they are kept until
    people decide.
    """

    usual: str
    classes: list[RetentionChoice]


class OrganisationView(Model):
    organisation_id: Identifier
    name: str


class CreatedInvitation(Model):
    """`url` is shown this once."""

    invitation_id: Identifier
    url: str
    expires_at_us: int


class InvitationView(Model):
    invitation_id: Identifier
    name: str
    organisation: str
    lobby: bool
    state: InvitationState
    expires_at_us: int


class Redeemed(Model):
    """`site`: the organisation that invites."""

    access_token: str
    expires_in: int
    refresh_token: str
    room: Identifier
    consultation_id: Identifier
    site: str


class Joined(Model):
    """A room token, for `expires_in` seconds."""

    token: str
    expires_in: int
    room: Identifier
    consultation_id: Identifier
    ws_url: str


def consultation_view(
    consultation: Consultation, *, host: bool, people: int, usual_class: str
) -> ConsultationView:
    """`usual_class`: of consultations that have none of their own."""
    return ConsultationView(
        consultation_id=consultation.consultation_id,
        room=consultation.room,
        header=consultation.header,
        specialty=consultation.specialty,
        question=consultation.question,
        site=consultation.site,
        state=consultation.state,
        record=consultation.record,
        consent_record=consultation.consent_record,
        record_reason=consultation.record_reason,
        retention_class=consultation.retention_class or usual_class,
        opened_at_us=consultation.opened_us,
        closed_at_us=consultation.closed_us,
        host=host,
        people=people,
    )


def invitation_view(invitation: Invitation) -> InvitationView:
    return InvitationView(
        invitation_id=invitation.invitation_id,
        name=invitation.name,
        organisation=invitation.organisation,
        lobby=invitation.lobby,
        state=invitation.state,
        expires_at_us=invitation.expires_us,
    )
