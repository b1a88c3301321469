"""Pure: what people decided about an archive later: `decisions.jsonl`, a chain beside the manifest.

A hold, its release, shredding, re-wrapping the key for other custodians, an export. Each line says who
approved it and is signed: by the archive's own signer for what people did through the service (it knows who
they are), or by one of them, with a personal signature of each. `docs/archive-format.md` has every field.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from typing import Annotated, Any, Final, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from archive import canonical, layout
from archive.chain import MAX_LINE_BYTES, SIGNER_PREFIX, SigningKey
from archive.entries import SIGNER_PATTERN, Count, Custodian, Digest, Microseconds, OpenEntry, Signature
from archive.faults import ArchiveFault, Verdict
from core.errors import ProtocolError

LINE_DOMAIN: Final = b"teleconsult-archive-decision/1\n"
APPROVAL_DOMAIN: Final = b"teleconsult-archive-approval/1\n"
TWO_PEOPLE: Final = 2
Kind = Literal["hold", "release", "shred", "rewrap", "export"]
PEOPLE_NEEDED: Final[dict[str, int]] = {"hold": 1, "release": 2, "shred": 2, "rewrap": 2, "export": 2}
HoldName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Why = Annotated[str, Field(min_length=1, max_length=500)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Approval(_Strict):
    """One person's word. `by`: the service's id of them, or their key; `signature`: over `approved_bytes`."""

    by: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_:.-]{0,99}$")
    at_us: Microseconds
    key: str | None = Field(pattern=SIGNER_PATTERN)
    signature: Signature | None


class _Decision(_Strict):
    consultation: str = Field(pattern=layout.CONSULTATION_PATTERN)
    decision: Count
    previous: Digest
    at_us: Microseconds
    request: str = Field(pattern=r"^[0-9a-f]{32}$")
    reason: Why
    approvals: list[Approval] = Field(min_length=1, max_length=8)
    signer: str = Field(pattern=SIGNER_PATTERN)
    signature: Signature


class HoldDecision(_Decision):
    """Nothing may be shredded while it stands."""

    kind: Literal["hold"]
    hold: HoldName


class ReleaseDecision(_Decision):
    kind: Literal["release"]
    hold: HoldName


class ShredDecision(_Decision):
    """`session.key.age` is destroyed. `policy`: the retention class that says so; its two people approved."""

    kind: Literal["shred"]
    objects: Literal["kept", "removed"]
    policy: str | None = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")


class RewrapDecision(_Decision):
    """The same secret key, wrapped to other custodians."""

    kind: Literal["rewrap"]
    recipients: list[Custodian] = Field(min_length=2, max_length=64)
    replaces_sha256: Digest
    session_key_sha256: Digest


class ExportDecision(_Decision):
    """Pictures and sound may be taken out, within a day."""

    kind: Literal["export"]
    form: Literal["tracks", "wall", "stills"]


Decision = HoldDecision | ReleaseDecision | ShredDecision | RewrapDecision | ExportDecision
_adapter: Final[TypeAdapter[Decision]] = TypeAdapter(Annotated[Decision, Field(discriminator="kind")])
_NOT_TERMS: Final = frozenset({"decision", "previous", "at_us", "approvals", "signer", "signature"})


def anchor_of(first_line: bytes) -> str:
    """What binds decisions to one archive: SHA-256 of its manifest's line 0, its newline included."""
    return hashlib.sha256(first_line).hexdigest()


def approved_bytes(terms: dict[str, Any], anchor: str, by: str, at_us: int) -> bytes:
    """What a person signs: all of a decision that does not depend on when and after what it takes effect."""
    return APPROVAL_DOMAIN + canonical.encode({**terms, "anchor": anchor, "by": by, "approved_us": at_us})


def terms_of(decision: Decision) -> dict[str, Any]:
    """The part of a decision its people approved."""
    fields: dict[str, Any] = decision.model_dump()
    return {key: value for key, value in fields.items() if key not in _NOT_TERMS}


def approve(terms: dict[str, Any], anchor: str, key: SigningKey, at_us: int) -> Approval:
    """A person's approval, signed with their key."""
    signature = key.sign(approved_bytes(terms, anchor, key.public, at_us)).hex()
    return Approval(by=key.public, at_us=at_us, key=key.public, signature=signature)


def approval_holds(approval: Approval, terms: dict[str, Any], anchor: str) -> bool:
    """True when the key it names has signed it."""
    if approval.key is None or approval.signature is None:
        return False
    message = approved_bytes(terms, anchor, approval.by, approval.at_us)
    return _signed(approval.key, approval.signature, message)


def people_of(approvals: Iterable[Approval]) -> int:
    """How many different people: neither a name nor a key counts twice."""
    listed = list(approvals)
    return min(len({item.by for item in listed}), len({item.key or item.by for item in listed}))


def seal_decision(
    terms: dict[str, Any],
    approvals: list[Approval],
    number: int,
    previous: str,
    at_us: int,
    signer: SigningKey,
) -> tuple[Decision, bytes]:
    """Number, chain and sign; returns the decision and its line. Raises `ProtocolError`."""
    fields = {
        **terms,
        "decision": number,
        "previous": previous,
        "at_us": at_us,
        "approvals": [item.model_dump() for item in approvals],
        "signer": signer.public,
    }
    fields["signature"] = signer.sign(LINE_DOMAIN + canonical.encode(fields)).hex()
    return parse_decision(fields), canonical.encode(fields) + b"\n"


def parse_decision(fields: Any) -> Decision:
    """Fields → decision. Raises `ProtocolError` naming the first field that is wrong."""
    try:
        return _adapter.validate_python(fields)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in problem["loc"]) or "decision"
        raise ProtocolError(f"{where}: {problem['msg']}") from None


class Ledger:
    """Feed it every line of `decisions.jsonl` in order; it says what stands now.

    `signers`: the archive's own; `people`: keys of registered people. None: read without checking signatures.
    """

    def __init__(
        self,
        first_line: bytes,
        opened: OpenEntry,
        signers: Collection[str] | None = None,
        people: Collection[str] = (),
    ) -> None:
        self.anchor = anchor_of(first_line)
        self.decisions: list[Decision] = []
        self.previous = self.anchor
        self.wrappings = [opened.session_key_sha256]
        """Of `session.key.age`, the original first; all hold the same secret."""
        self.recipients = list(opened.recipients)
        self.holds: dict[str, HoldDecision] = {}
        self.shredded: ShredDecision | None = None
        self.unknown_person: str | None = None
        """Who approved something with a key that nobody vouches for."""
        self._consultation = opened.consultation
        self._signers, self._people = signers, people

    @property
    def session_key_sha256(self) -> str:
        """Of the file as it should be now."""
        return self.wrappings[-1]

    def feed(self, line: bytes) -> Decision:
        """Check one whole line. Raises `ArchiveFault` (altered)."""
        if not line.endswith(b"\n") or len(line) > MAX_LINE_BYTES:
            raise self._altered("its line is too long")
        try:
            fields = canonical.decode(line[:-1])
            decision = parse_decision(fields)
        except ProtocolError as error:
            raise self._altered(f"its line cannot be read: {error}") from None
        self._check_position(decision)
        if self._signers is not None:
            del fields["signature"]
            self._check_signed(decision, LINE_DOMAIN + canonical.encode(fields), self._signers)
        if people_of(decision.approvals) < PEOPLE_NEEDED[decision.kind]:
            raise self._altered("too few people approved it")
        self._apply(decision)
        self.decisions.append(decision)
        self.previous = hashlib.sha256(line).hexdigest()
        return decision

    def check_next(self, kind: Kind, terms: dict[str, Any]) -> None:
        """Raises `ProtocolError` with the reason when such a decision cannot be made now."""
        if self.shredded is not None:
            raise ProtocolError("this archive has been shredded")
        if kind == "shred" and self.holds:
            raise ProtocolError(f"the hold {min(self.holds)} stands: release it first")
        if kind == "hold" and terms["hold"] in self.holds:
            raise ProtocolError(f"there is a hold {terms['hold']} already")
        if kind == "release" and terms["hold"] not in self.holds:
            raise ProtocolError(f"there is no hold {terms['hold']}")
        if kind == "rewrap" and terms["replaces_sha256"] != self.session_key_sha256:
            raise ProtocolError("the key was wrapped anew since this was asked for: ask again")

    def _check_position(self, decision: Decision) -> None:
        if decision.decision != len(self.decisions):
            raise self._altered(f"decision {decision.decision} stands in its place")
        if decision.previous != self.previous:
            raise self._altered("it does not follow the line before it")
        if decision.consultation != self._consultation:
            raise self._altered("it belongs to another consultation")

    def _check_signed(self, decision: Decision, message: bytes, signers: Collection[str]) -> None:
        if not _signed(decision.signer, decision.signature, message):
            raise self._altered("its signature is wrong")
        terms = terms_of(decision)
        for approval in decision.approvals:
            if approval.key is not None and not approval_holds(approval, terms, self.anchor):
                raise self._altered(f"the approval of {approval.by} is not theirs")
        if decision.signer in signers:
            return  # people signed in; the service vouches for who they are
        keys = [approval.key for approval in decision.approvals]
        if decision.signer not in keys or None in keys:
            raise self._altered("it is signed by nobody who may")
        strangers = [key for key in keys if key is not None and key not in self._people]
        self.unknown_person = self.unknown_person or next(iter(strangers), None)

    def _apply(self, decision: Decision) -> None:
        try:
            self.check_next(decision.kind, terms_of(decision))
        except ProtocolError as error:
            raise self._altered(f"it could not be made: {error}") from None
        if isinstance(decision, HoldDecision):
            self.holds[decision.hold] = decision
        elif isinstance(decision, ReleaseDecision):
            del self.holds[decision.hold]
        elif isinstance(decision, ShredDecision):
            self.shredded = decision
        elif isinstance(decision, RewrapDecision):
            self.wrappings.append(decision.session_key_sha256)
            self.recipients = list(decision.recipients)

    def _altered(self, reason: str) -> ArchiveFault:
        text = f"decision {len(self.decisions)}: {reason}"
        return ArchiveFault(Verdict.ALTERED, 0, text, object_path=layout.DECISIONS)


def read_ledger(ledger: Ledger, lines: Iterable[bytes]) -> Ledger:
    """Feed all whole lines; the part of one that a crash left is no decision. Raises `ArchiveFault`."""
    for line in lines:
        if not line.endswith(b"\n") and len(line) <= MAX_LINE_BYTES:
            break
        ledger.feed(line)
    return ledger


def _signed(key: str, signature: str, message: bytes) -> bool:
    public = bytes.fromhex(key.removeprefix(SIGNER_PREFIX))
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(bytes.fromhex(signature), message)
    except (InvalidSignature, ValueError):
        return False
    return True
