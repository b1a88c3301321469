"""What one person asks for and another approves: a file that may travel by any way, because it is signed.

It holds no secret: of a re-wrapped key, only the wrapped form.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from archive.decisions import (
    PEOPLE_NEEDED,
    Approval,
    Kind,
    Ledger,
    approval_holds,
    approve,
    people_of,
    seal_decision,
)
from archive.keys import ArchiveSigner
from core.errors import ConfigError, ProtocolError

MAX_FILE_BYTES: Final = 1 << 20
_FORMAT: Final = "teleconsult-archive-request/1"


@dataclass
class Request:
    """`terms`: what is to be decided; `anchor`: about which archive; `wrapped`: a re-wrapped key's file."""

    terms: dict[str, Any]
    anchor: str
    approvals: list[Approval] = field(default_factory=list)
    wrapped: bytes | None = None

    @property
    def kind(self) -> Kind:
        kind: Kind = self.terms["kind"]
        return kind

    @property
    def complete(self) -> bool:
        return people_of(self.approvals) >= PEOPLE_NEEDED[self.kind]

    def add(self, key: ArchiveSigner, at_us: int) -> None:
        """A person approves with their key. Raises `ConfigError` when they have done so before."""
        if any(item.key == key.public for item in self.approvals):
            raise ConfigError("this person has approved it already: it takes another one")
        self.approvals.append(approve(self.terms, self.anchor, key, at_us))

    def add_signed_in(self, by: str, at_us: int) -> None:
        """Somebody approves through the service, which knows who they are."""
        self.approvals.append(Approval(by=by, at_us=at_us, key=None, signature=None))

    def check_people(self, people: Collection[str]) -> None:
        """Every approval is the word of somebody registered. Raises `ConfigError`."""
        for item in self.approvals:
            if not approval_holds(item, self.terms, self.anchor):
                raise ConfigError(f"the approval of {item.by} is not theirs: ask again")
            if item.key not in people:
                raise ConfigError(
                    f"{item.key} is not a registered person: add the key to the setting archive_people, "
                    "to trusted-people.txt in the archive's root, or give it with --person"
                )
        if not self.complete:
            raise ConfigError("it takes two different people")

    def to_json(self) -> str:
        fields = {
            "format": _FORMAT,
            "terms": self.terms,
            "anchor": self.anchor,
            "approvals": [item.model_dump() for item in self.approvals],
            "session_key_age": None if self.wrapped is None else base64.b64encode(self.wrapped).decode(),
        }
        return json.dumps(fields, ensure_ascii=False, indent=1) + "\n"

    @classmethod
    def from_json(cls, data: bytes, where: str) -> Request:
        """Raises `ConfigError`: it may come from anybody."""
        wrong = ConfigError(f"{where} is not a request made by `teleconsult archive … --request`")
        try:
            fields = json.loads(data)
            if fields["format"] != _FORMAT:
                raise wrong
            approvals = [Approval.model_validate(item) for item in fields["approvals"]]
            encoded = fields["session_key_age"]
            wrapped = None if encoded is None else base64.b64decode(encoded, validate=True)
            request = cls(fields["terms"], fields["anchor"], approvals, wrapped)
            request.check_shape()
        except (ValueError, KeyError, TypeError, ValidationError, binascii.Error, ProtocolError):
            raise wrong from None
        return request

    def check_shape(self) -> None:
        """Raises `ProtocolError` (also for values of a wrong type) when no decision could come of it."""
        stand_in = Approval(by="x", at_us=0, key=None, signature=None)
        seal_decision(self.terms, [stand_in], 0, "0" * 64, 0, ArchiveSigner.generate())
        if (self.kind == "rewrap") != (self.wrapped is not None):
            raise ProtocolError("a re-wrapped key belongs to a rewrap")
        digest = hashlib.sha256(self.wrapped or b"").hexdigest()
        if self.wrapped is not None and digest != self.terms["session_key_sha256"]:
            raise ProtocolError("the re-wrapped key is another one")


def new_request(ledger: Ledger, kind: Kind, consultation: str, reason: str, **more: Any) -> Request:
    """Ask for a decision. Raises `ConfigError` with the reason when it cannot be made now."""
    wrapped = more.pop("wrapped", None)
    terms = {
        "kind": kind,
        "consultation": consultation,
        "request": secrets.token_hex(16),
        "reason": reason,
        **more,
    }
    request = Request(terms, ledger.anchor, wrapped=wrapped)
    try:
        request.check_shape()
        ledger.check_next(kind, terms)
    except ProtocolError as error:
        raise ConfigError(str(error)) from None
    return request


def read_request(path: Path) -> Request:
    """Raises `ConfigError`."""
    try:
        with path.open("rb") as file:
            return Request.from_json(file.read(MAX_FILE_BYTES), str(path))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None


def describe(request: Request) -> str:
    """One line for the person who is asked."""
    terms = request.terms
    detail = {
        "hold": lambda: f" ({terms['hold']})",
        "release": lambda: f" ({terms['hold']})",
        "shred": lambda: f" (pictures and sound {terms['objects']})",
        "rewrap": lambda: " for " + ", ".join(item["custodian"] for item in terms["recipients"]),
        "export": lambda: f" ({terms['form']})",
    }[request.kind]()
    return f"{request.kind} of {terms['consultation']}{detail}: {terms['reason']}"
