"""Pure: the rings of the boxes of one consultation, as far as they have committed themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from archive import ring
from archive.chain import Head
from archive.ring import BufferKey, RingGeneration, RingHead, RingObject, RingOpen, RingPiece
from core.errors import ProtocolError

MAX_RINGS: Final = 16
"""Of one consultation: a box begins a new one only when its disk was damaged."""
MAX_ENTRIES: Final = 400_000
"""A hundred hours of two tracks."""


class RingInvalid(ProtocolError):
    """What a box says of its ring contradicts itself, its key, or what it said before."""

    code = "ring_invalid"


class ReceivedRing:
    """One ring of one box: the newest committed head, and the lines under it."""

    def __init__(self, ring_id: str, key: BufferKey, public_key: bytes) -> None:
        self.ring = ring_id
        self.objects: dict[int, RingObject] = {}
        """Those that committed lines name."""
        self._key, self._public = key, public_key
        self._promised: RingHead | None = None
        self._head = Head()
        self._inits: dict[tuple[str, int], RingGeneration] = {}

    @property
    def known(self) -> int:
        """How many lines are here."""
        return self._head.next_entry

    def commit(self, head: RingHead) -> bool:
        """The box says how far its ring goes; False when it said so before. Raises `RingInvalid`."""
        same = (head.consultation, head.device, head.ring) == (
            self._key.consultation,
            self._key.device,
            self.ring,
        )
        if not same or not ring.ring_head_holds(head, self._public) or head.entries > MAX_ENTRIES:
            raise RingInvalid("this is not a head of that box's ring")
        before = self._promised
        if before is not None and head.entries == before.entries and head.head != before.head:
            raise RingInvalid("the box has told another story before")
        if before is not None and head.entries <= before.entries:
            return False
        if before is not None and self.known < before.entries:
            return False  # first what was promised then
        self._promised = head
        return True

    def take_lines(self, first: int, lines: Sequence[bytes]) -> None:
        """Lines of the manifest. What goes beyond the committed head, or is here already, is passed over.
        All that is promised has to lead to the promised head. Raises `RingInvalid`.
        """
        promised = self._promised
        if promised is None or first > self.known:
            raise RingInvalid("lines that nothing was said of before")
        fresh = lines[self.known - first : promised.entries - first]
        head, found = self._head, list[ring.RingLine]()
        try:
            for line, message, after in ring.follow(fresh, self._head):
                self._check(line, message)
                found.append(line)
                head = after
        except ProtocolError as error:
            raise RingInvalid(str(error)) from None
        if head.next_entry == promised.entries and head.previous != promised.head:
            raise RingInvalid("the lines do not lead to the head that was committed")
        if found and found[0].entry == 0 and Head().after(fresh[0]).previous != self.ring:
            raise RingInvalid("this is another ring")
        self._head = head
        for line in found:
            self._keep(line)

    def committed(self, entry: int) -> RingObject | None:
        """The object that a line under the committed head names; None before all lines are here."""
        whole = self._promised is not None and self.known >= self._promised.entries
        return self.objects.get(entry) if whole else None

    def init_of(self, piece: RingPiece) -> RingGeneration | None:
        return self._inits.get((piece.track, piece.generation))

    def _check(self, line: ring.RingLine, message: bytes) -> None:
        if (line.consultation, line.device) != (self._key.consultation, self._key.device):
            raise RingInvalid("a line is of another box, or of another consultation")
        if isinstance(line, RingOpen) and line.public_key != self._key.public_key:
            raise RingInvalid("this ring is sealed to another key")
        if not ring.holds(self._public, line.signature, message):
            raise RingInvalid("a line is not signed by the box's key")

    def _keep(self, line: ring.RingLine) -> None:
        if isinstance(line, RingOpen):
            return
        self.objects[line.entry] = line
        if isinstance(line, RingGeneration):
            self._inits[line.track, line.generation] = line
