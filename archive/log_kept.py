"""Pure: what others kept: files of checkpoints and heads, as boxes, browsers and partner organisations
write them.

A file is either one signed note, or lines of JSON as the room's `archive_head` messages say it. Evidence
counts only when the log, or the archive's signer, has signed it: nobody can accuse with a file of their own
making.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from archive.checkpoint import Checkpoint, Note
from archive.log_heads import head_holds, parse_head
from archive.log_keyring import Keyring
from core.errors import ProtocolError
from core.messages import SignedHead

MAX_LINE_BYTES: Final = 256 * 1024


@dataclass(slots=True)
class Kept:
    """One file's evidence. `unusable`: lines, from 1, that prove nothing, and why."""

    source: str
    checkpoints: dict[int, set[bytes]] = field(default_factory=dict)
    """Size → roots the log signed for it (more than one: it signed a fork)."""
    heads: list[SignedHead] = field(default_factory=list)
    unusable: list[tuple[int, str]] = field(default_factory=list)
    foreign: int = 0
    """Checkpoints of other logs."""

    @property
    def newest_size(self) -> int:
        return max(self.checkpoints, default=0)


class KeptReader:
    """`logs`: keys of the log; `signers`: trusted ones of the archive (`ed25519:…`)."""

    def __init__(self, logs: Keyring, signers: Sequence[str]) -> None:
        self._logs, self._signers = logs, frozenset(signers)

    def read(self, source: str, lines: Iterable[bytes]) -> Kept:
        """Never raises for what the file holds."""
        kept, rest = Kept(source), iter(lines)
        first = next(rest, b"")
        if not first.lstrip().startswith(b"{"):
            rest = iter([first + b"".join(rest)])
            first = b""
        for number, line in enumerate(itertools.chain([first] if first else [], rest), 1):
            try:
                self._read(kept, line)
            except (ProtocolError, UnicodeDecodeError) as error:
                kept.unusable.append((number, str(error)))
        return kept

    def _read(self, kept: Kept, line: bytes) -> None:
        if len(line) > MAX_LINE_BYTES:
            raise ProtocolError("longer than a line may be")
        if not line.lstrip().startswith(b"{"):
            self._note(kept, line.decode("utf-8"))
            return
        fields = _json(line)
        checkpoint, head = fields.get("checkpoint"), fields.get("head")
        if isinstance(checkpoint, str):
            self._note(kept, checkpoint)
        if head is not None:
            self._head(kept, head)

    def _note(self, kept: Kept, text: str) -> None:
        note = Note.parse(text)
        checkpoint = Checkpoint.parse(note.text)
        if checkpoint.origin not in self._logs.names:
            kept.foreign += 1
            return
        if self._logs.signer(note, checkpoint.size) is None:
            raise ProtocolError("no trusted log has signed this checkpoint")
        kept.checkpoints.setdefault(checkpoint.size, set()).add(checkpoint.root)

    def _head(self, kept: Kept, fields: Any) -> None:
        head = parse_head(fields)
        if head.signer not in self._signers or not head_holds(head):
            raise ProtocolError("no trusted signer has signed this head")
        kept.heads.append(head)


def _json(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        raise ProtocolError("not JSON") from None
    if not isinstance(value, dict):
        raise ProtocolError("not an object")
    return value
