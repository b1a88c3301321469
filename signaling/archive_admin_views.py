"""Bodies and answers of what people decide about archives."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from archive.decisions import Decision, ExportDecision, HoldDecision, ReleaseDecision, ShredDecision
from archive.shred_request import Request
from core.archive_requests import ArchiveRequest
from core.messages import Model
from core.retention import RetentionClass
from signaling.fields import ClassName, RequestModel, Sentence, not_empty

Reason = Annotated[Sentence, AfterValidator(not_empty)]
HoldName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Form = Literal["tracks", "wall", "stills"]


class NewHold(RequestModel):
    """`hold`: its name, such as a case number; everybody who has the archive can read it, and the reason."""

    hold: HoldName
    reason: Reason


class NewArchiveRequest(RequestModel):
    """`hold` for `release`; `remove_objects` for `shred`; `form` for `export`."""

    kind: Literal["shred", "release", "export"]
    reason: Reason
    hold: HoldName | None = None
    remove_objects: bool = False
    form: Form = "tracks"

    @model_validator(mode="after")
    def _release_names_its_hold(self) -> Self:
        if (self.kind == "release") != (self.hold is not None):
            raise ValueError("hold belongs to release, and release needs it")
        return self

    def terms(self) -> dict[str, object]:
        """Those of the decision."""
        if self.kind == "release":
            return {"hold": self.hold}
        if self.kind == "shred":
            return {"objects": "removed" if self.remove_objects else "kept", "policy": None}
        return {"form": self.form}


class NewRetentionClass(RequestModel):
    """`days` after its end a consultation's archive is shredded."""

    name: ClassName
    days: Annotated[int, Field(ge=1, le=36_500)]
    remove_objects: bool = False


class SetRetention(RequestModel):
    """The class a consultation shall have."""

    name: ClassName


class ArchiveRequestView(Model):
    """What waits for a second person."""

    request_id: str
    consultation_id: str
    kind: str
    reason: str
    hold: str | None = None
    form: str | None = None
    remove_objects: bool | None = None
    requested_by: str
    requested_us: int


class DecisionView(Model):
    """One line of the archive's decisions. `approved_by`: ids of people, or their public keys."""

    decision: int
    kind: str
    at_us: int
    reason: str
    approved_by: list[str]
    hold: str | None = None
    form: str | None = None
    policy: str | None = None
    finished: bool = True


class RetentionClassView(Model):
    """`state`: `proposed` (waits for a second person), `active`, `retired` (another one took its place)."""

    class_id: str
    name: str
    days: int
    remove_objects: bool
    state: Literal["proposed", "active", "retired"]
    proposed_by: str
    approved_by: str | None = None


class Keeping(Model):
    """How long an archive is kept, and what was decided about it. `keep_until_us`: None: for ever."""

    retention_class: str
    keep_until_us: int | None = None
    holds: list[str]
    shredded: bool
    shredded_us: int | None = None
    decisions: list[DecisionView]
    requests: list[ArchiveRequestView]


def decision_view(decision: Decision, *, finished: bool = True) -> DecisionView:
    """What everybody who may see the archive may know."""
    held = decision.hold if isinstance(decision, HoldDecision | ReleaseDecision) else None
    return DecisionView(
        decision=decision.decision,
        kind=decision.kind,
        at_us=decision.at_us,
        reason=decision.reason,
        approved_by=[item.by for item in decision.approvals],
        hold=held,
        form=decision.form if isinstance(decision, ExportDecision) else None,
        policy=decision.policy if isinstance(decision, ShredDecision) else None,
        finished=finished,
    )


def request_view(stored: ArchiveRequest) -> ArchiveRequestView:
    """One that is stored."""
    terms = Request.from_json(stored.request.encode(), "the database").terms
    objects = terms.get("objects")
    return ArchiveRequestView(
        request_id=stored.request_id,
        consultation_id=stored.consultation_id,
        kind=stored.kind,
        reason=terms["reason"],
        hold=terms.get("hold"),
        form=terms.get("form"),
        remove_objects=None if objects is None else objects == "removed",
        requested_by=stored.requested_by,
        requested_us=stored.requested_us,
    )


def class_view(found: RetentionClass) -> RetentionClassView:
    """One class."""
    return RetentionClassView(
        class_id=found.class_id,
        name=found.name,
        days=found.days,
        remove_objects=found.remove_objects,
        state=found.state,
        proposed_by=found.proposed_by,
        approved_by=found.approved_by,
    )
