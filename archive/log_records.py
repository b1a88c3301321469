"""Pure: the lines of `log/checkpoints.jsonl`: what the log signed, and what others said about it."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from archive import canonical
from archive.checkpoint import MAX_NOTE_BYTES, MAX_SIZE
from core.errors import ProtocolError

ENTRIES: Final = "entries.jsonl"
"""The leaves, one a line."""
CHECKPOINTS: Final = "checkpoints.jsonl"
HASHES: Final = "hashes.cache"
"""Derived from the entries, made anew at every start; no reader needs it."""
FOLDER: Final = "log"
"""In the archive's root."""
TRUSTED_LOGS: Final = "trusted-logs.txt"
"""Beside `trusted-signers.txt`."""
MAX_RECORD_BYTES: Final = 256 * 1024

Size = Annotated[int, Field(ge=0, le=MAX_SIZE)]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class CheckpointRecord(_Record):
    """A checkpoint as it was signed."""

    kind: Literal["checkpoint"]
    note: str = Field(max_length=MAX_NOTE_BYTES)


class CosignatureRecord(_Record):
    """A witness's signature line for the checkpoint of that size."""

    kind: Literal["cosignature"]
    size: Size
    line: str = Field(max_length=1000)


class TimestampRecord(_Record):
    """An RFC 3161 response over the text of the checkpoint of that size; `token`: base64 of its DER."""

    kind: Literal["timestamp"]
    size: Size
    token: str = Field(max_length=MAX_RECORD_BYTES)

    @property
    def der(self) -> bytes:
        """Raises `ProtocolError`."""
        try:
            return base64.b64decode(self.token, validate=True)
        except (binascii.Error, ValueError):
            raise ProtocolError("a time stamp is not base64") from None


Record = CheckpointRecord | CosignatureRecord | TimestampRecord
_adapter: Final[TypeAdapter[Record]] = TypeAdapter(Annotated[Record, Field(discriminator="kind")])


def parse_record(line: bytes) -> Record:
    """A line without its newline. Raises `ProtocolError`."""
    if len(line) > MAX_RECORD_BYTES:
        raise ProtocolError("a line is longer than it may be")
    value: Any = canonical.decode(line)
    try:
        return _adapter.validate_python(value)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise ProtocolError(f"{problem['msg']}") from None


def spell_record(record: Record) -> bytes:
    """With its newline."""
    return canonical.encode(record.model_dump(mode="json")) + b"\n"
