"""Who has begun to replay what: on record, durably, before anything is handed out."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from core.clock import NS_PER_S, NS_PER_US
from core.ids import new_id
from signaling.api import Call
from signaling.archive_api_views import Replay

REPLAY_LASTS_S: Final = 12 * 3600
"""After that, going on is another replay."""
KEPT_REPLAYS: Final = 4096

_Viewing = tuple[str, str]
"""Sign-in and consultation."""


class Replays:
    """Those begun in this process. One that is forgotten is only put on record once more."""

    def __init__(self) -> None:
        self._begun_ns: OrderedDict[_Viewing, int] = OrderedDict()

    async def begin(self, call: Call) -> Replay:
        """Put on record, in the archive's log too, that the caller begins to replay the consultation.

        Raises `Unavailable`: then nothing is handed out.
        """
        clock, claims = call.context.clock, call.caller
        replay_id, target = new_id("rp"), call.consultation.consultation_id
        await call.context.log.access(kind="replay", by=claims.sub, consultation=target)
        await call.context.audit(claims.sub, "replay", f"{target} {replay_id}")
        self._begun_ns[_viewing(call)] = clock.monotonic_ns()
        self._begun_ns.move_to_end(_viewing(call))
        while len(self._begun_ns) > KEPT_REPLAYS:
            self._begun_ns.popitem(last=False)
        return Replay(replay_id=replay_id, began_at_us=clock.unix_ns() // NS_PER_US)

    async def ensure(self, call: Call) -> None:
        """Whoever fetches without having begun has begun now: there is no way round the record."""
        begun_ns = self._begun_ns.get(_viewing(call))
        now_ns = call.context.clock.monotonic_ns()
        if begun_ns is None or now_ns - begun_ns > REPLAY_LASTS_S * NS_PER_S:
            await self.begin(call)


def _viewing(call: Call) -> _Viewing:
    return (call.caller.sid or call.caller.sub, call.consultation.consultation_id)
