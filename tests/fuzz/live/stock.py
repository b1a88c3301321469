"""What attackers send: the corpus, changed anew every time. Seeded."""

from __future__ import annotations

import random
from collections.abc import Sequence

from tests.fuzz import records
from tests.fuzz.corpus_files import saved
from tests.fuzz.mutation import mutated
from tests.fuzz.targets import TARGETS
from tests.support.hostile import hostile_datagram

DATAGRAMS = ("stun", "rtp", "srtp", "rtcp", "framing")
STREAMS = ("payload_h264", "payload_vp8", "payload_vp9", "payload_av1", "payload_opus")
MAX_DATAGRAM_BYTES = 1_400


class Stock:
    """Inputs of one attacker."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self._known = {name: list(saved(name).values()) for name in TARGETS}
        self._payloads = [
            piece
            for name in STREAMS
            for data in self._known[name]
            for _, piece in records.split(data)
            if piece
        ]

    def of(self, name: str) -> bytes:
        """A changed input of that target."""
        return mutated(self._known[name], self.chance)

    def text(self, name: str) -> str:
        """The same as text."""
        return self.of(name).decode("utf-8", "replace")

    def datagram(self) -> bytes:
        """What a stranger sends to the media port."""
        if self.chance.random() < 0.2:
            return hostile_datagram(self.chance)
        return self.of(self.chance.choice(DATAGRAMS))[:MAX_DATAGRAM_BYTES]

    def payload(self) -> bytes:
        """A picture's packet, changed or not."""
        if self.chance.random() < 0.3:
            return self.chance.choice(self._payloads)[:MAX_DATAGRAM_BYTES]
        return mutated(self._payloads, self.chance)[:MAX_DATAGRAM_BYTES]

    def pick(self, choices: Sequence[int]) -> int:
        """One of them."""
        return self.chance.choice(choices)
