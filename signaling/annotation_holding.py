"""Pure: nobody is told that their own operation is done before it is stored.

Everybody else sees it at once. Whoever did it gets what follows after it, in order, when it is stored.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from core.messages import AnnotationsChanged

MOST_HELD: Final = 2_000
"""For one person on one feed; then what comes is told at once."""

Who = TypeVar("Who")


@dataclass(slots=True)
class _Held(Generic[Who]):
    own_seq: int
    """Of the newest of their own that is not stored."""
    waiting: deque[tuple[int, Who, AnnotationsChanged]] = field(default_factory=deque)


class Holding(Generic[Who]):
    """`tell`: passes a message on to one seat."""

    def __init__(self, tell: Callable[[Who, AnnotationsChanged], None]) -> None:
        self._tell = tell
        self._held: dict[tuple[str, str], _Held[Who]] = {}
        """By document and person."""

    def did(self, document_id: str, person: str, seq: int) -> None:
        """That person did number `seq`, which is not stored yet."""
        held = self._held.setdefault((document_id, person), _Held(seq))
        held.own_seq = max(held.own_seq, seq)

    def told(self, who: Who, person: str, message: AnnotationsChanged) -> None:
        """Now, or when what that person did before it is stored."""
        held = self._held.get((message.document_id, person))
        if held is None:
            self._tell(who, message)
            return
        held.waiting.append((message.changes[-1].seq, who, message))
        if len(held.waiting) > MOST_HELD:
            self.stored(message.document_id, held.own_seq)

    def stored(self, document_id: str, seq: int) -> None:
        """Everything up to `seq` is; or will not be soon, and nobody waits longer."""
        for key, held in list(self._held.items()):
            if key[0] != document_id:
                continue
            is_done = held.own_seq <= seq
            if is_done:
                del self._held[key]
            while held.waiting and (is_done or held.waiting[0][0] <= seq):
                _, who, message = held.waiting.popleft()
                self._tell(who, message)
