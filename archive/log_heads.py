"""Pure: a manifest's head, signed by its recorder: what clients keep, so that nobody can shorten an archive
unnoticed.
"""

from __future__ import annotations

from typing import Any, Final

from pydantic import ValidationError

from archive import canonical
from archive.chain import SIGNER_PREFIX, Head, SigningKey
from archive.checkpoint import ED25519, VerifierKey
from core.errors import ProtocolError
from core.messages import SignedHead

DOMAIN: Final = b"teleconsult-archive-head/1\n"
"""Before what is signed: no other signature of the key can be passed off as a head's."""


def sign_head(consultation: str, head: Head, at_us: int, final: bool, signer: SigningKey) -> SignedHead:
    """Where a manifest stands now, by the key that signs its lines."""
    fields = {
        "kind": "head",
        "consultation": consultation,
        "entries": head.next_entry,
        "head": head.previous,
        "at_us": at_us,
        "final": final,
        "signer": signer.public,
    }
    return parse_head({**fields, "signature": signer.sign(DOMAIN + canonical.encode(fields)).hex()})


def parse_head(fields: Any) -> SignedHead:
    """Raises `ProtocolError`. The signature is not checked."""
    try:
        return SignedHead.model_validate(fields, strict=True)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise ProtocolError(f"head: {problem['msg']}") from None


def head_holds(head: SignedHead) -> bool:
    """True when the key it names signed it."""
    fields = head.model_dump(mode="json", exclude={"signature"})
    key = VerifierKey("head", ED25519, bytes.fromhex(head.signer.removeprefix(SIGNER_PREFIX)))
    return key.accepts(DOMAIN + canonical.encode(fields), bytes.fromhex(head.signature))
