"""Pure: answers one consumer's NACKs: by RTX from the producer's history, or with the ciphertext sent before.

Nonce rule: a number is sealed once. With RTX a resend is a new packet of the RTX stream; without, only the
stored ciphertext may go out again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from core.clock import NS_PER_MS, NS_PER_S
from rtp.congestion import PacketClass
from rtp.history import PacketHistory
from rtp.negotiation import AcceptedMedia
from rtp.rewrite import StreamRewriter
from rtp.srtp import SrtpSender
from sfu.downlink import Downlink
from sfu.headers import (
    PADDING_BYTES,
    HeaderPlan,
    Prepared,
    PreparedBatch,
    numbered_headers,
    plain_headers,
)
from sfu.paced import OVERHEAD_BYTES, Held, Sender
from sfu.picture_numbers import PictureNumbers

if TYPE_CHECKING:
    from sfu.producer import Producer

CIPHERTEXT_NS: Final = 1 * NS_PER_S
CIPHERTEXT_MAX_PACKETS: Final = 1024
MIN_INTERVAL_NS: Final = 15 * NS_PER_MS
"""Between two resends of one packet, or most of a round trip: the last one may still be under way."""
MAX_REMEMBERED: Final = 2048
PADDING_PACKET_BYTES: Final = PADDING_BYTES + OVERHEAD_BYTES
MAX_PADDING_PACKETS: Final = 200
"""At once: more than any probe asks for within a tick."""
_RETRY_PART: Final = 0.8


class Resender:
    """Belongs to one consumer; `rewriter`, `link` and `plan` are the consumer's."""

    __slots__ = (
        "_ciphertext",
        "_has_rtx",
        "_link",
        "_media",
        "_numbers",
        "_owner",
        "_plan",
        "_producer",
        "_resent",
        "_rewriter",
        "_rtx_sequence",
    )

    def __init__(
        self,
        owner: Sender,
        producer: Producer,
        media: AcceptedMedia,
        rewriter: StreamRewriter,
        link: Downlink,
        plan: HeaderPlan,
        first_rtx_sequence: int,
        numbers: PictureNumbers | None = None,
    ) -> None:
        self._owner = owner
        self._producer = producer
        self._media = media
        self._rewriter = rewriter
        self._numbers = numbers
        self._link = link
        self._plan = plan
        self._rtx_sequence = first_rtx_sequence & 0xFFFF
        self._resent: dict[int, int] = {}
        self._ciphertext: PacketHistory[bytes] | None = None
        self._has_rtx = media.rtx_payload_type is not None and media.rtx_ssrc is not None
        if not self._has_rtx and "nack" in media.feedback:
            self._ciphertext = PacketHistory(CIPHERTEXT_NS, CIPHERTEXT_MAX_PACKETS)

    @property
    def keeps_ciphertext(self) -> bool:
        """True when what is sent has to be handed to `keep`."""
        return self._ciphertext is not None

    def keep(self, datagrams: Iterable[bytes], now_ns: int) -> None:
        """Remember sealed packets, for a subscriber without RTX."""
        assert self._ciphertext is not None
        for datagram in datagrams:
            self._ciphertext.put(datagram[2] << 8 | datagram[3], datagram, now_ns)

    def forget(self) -> None:
        """What was sent so far is not sent again."""
        if self._ciphertext is not None:
            self._ciphertext.clear()

    def on_nack(self, lost: Sequence[int], now_ns: int) -> None:
        """Put answers into the link's outbox; numbers too old, or asked for too often, are passed over."""
        link = self._link
        sealer = link.sealer
        if sealer is None:
            return
        link.counters.nacked += len(lost)
        for number in lost:
            if self._answer(number, now_ns, sealer):
                link.counters.resent += 1
            else:
                link.counters.refused += 1

    def _answer(self, number: int, now_ns: int, sealer: SrtpSender) -> bool:
        budget = self._link.budget
        if budget is not None and not (budget.repairs_fit and self._rewriter.is_since_switch(number)):
            return False  # what lies before a switch to another layer nobody needs any more
        interval_ns = max(MIN_INTERVAL_NS, int((self._link.rtt.rtt_ns or 0) * _RETRY_PART))
        if now_ns - self._resent.get(number, -interval_ns) < interval_ns:
            return False
        if not self._link.resends.take(now_ns):  # looking it up is most of the work
            return False
        original = self._original(number)
        datagram = None if self._ciphertext is None else self._ciphertext.get(number)
        if datagram is not None:
            self._link.sealed([datagram], (len(datagram),), len(datagram), False, now_ns)
        elif original is not None:
            self._retransmit(number, original, now_ns, sealer)
        else:
            return False
        self._note(number, now_ns)
        return True

    def _note(self, number: int, now_ns: int) -> None:
        self._resent.pop(number, None)
        self._resent[number] = now_ns
        if len(self._resent) > MAX_REMEMBERED:
            del self._resent[next(iter(self._resent))]

    def _original(self, number: int) -> Prepared | None:
        """What to send again by RTX, with its outgoing timestamp; None without RTX."""
        origin = self._rewriter.origin_of(number) if self._has_rtx else None
        layer = None if origin is None else self._producer.layer_of(origin[0])
        if origin is None or layer is None:
            return None
        packet = layer.history.get(origin[1])
        if packet is None:
            return None
        item = self._plan.prepare(packet)
        item = item.placed(item.sequence_number, (packet.timestamp + origin[2]) & 0xFFFFFFFF)
        if self._numbers is None:
            return item
        return item.with_payload(self._numbers.resent(item.payload, number))

    def _retransmit(self, number: int, original: Prepared, now_ns: int, sealer: SrtpSender) -> None:
        payload = number.to_bytes(2, "big") + original.payload
        item = original.placed(self._take_number(), original.timestamp).with_payload(payload)
        budget, size_bytes = self._link.budget, len(payload) + OVERHEAD_BYTES
        if budget is None or budget.passes(size_bytes, PacketClass.REPAIR, now_ns):
            self._seal(item, now_ns, sealer)
        elif budget.pacer is not None:
            media, owner = self._media, self._owner
            batch = PreparedBatch([item], self._plan.key.number_id is not None)
            terms = media.rtx_payload_type or 0, media.rtx_ssrc or 0
            held = Held(owner, owner.epoch, *terms, batch, 0, 1, (0, 0), now_ns, False)
            budget.pacer.push(held, size_bytes, PacketClass.REPAIR, now_ns)

    def _take_number(self) -> int:
        number = self._rtx_sequence
        self._rtx_sequence = (number + 1) & 0xFFFF
        return number

    def _seal(self, item: Prepared, now_ns: int, sealer: SrtpSender) -> None:
        """A packet of the RTX stream."""
        media, link = self._media, self._link
        numbered = self._plan.key.number_id is not None
        payload_type, ssrc = media.rtx_payload_type or 0, media.rtx_ssrc or 0
        if numbered:
            headers = numbered_headers([item], payload_type, ssrc, 0, 0, link.next_number)
        else:
            headers = plain_headers([item], payload_type, ssrc, 0, 0)
        sealed = sealer.seal(headers[0], item.payload)
        link.sealed([sealed], (len(sealed),), len(sealed), numbered, now_ns)

    def pad(self, size_bytes: int, timestamp: int, now_ns: int) -> bool:
        """About so much padding, on the RTX stream: it costs no number that the viewer would miss.

        False without RTX, and while something waits for its turn: numbers must go out in their order.
        """
        link, sealer = self._link, self._link.sealer
        waits = link.budget is not None and link.budget.pacer is not None and link.budget.pacer.queued_bytes
        if not self._has_rtx or sealer is None or waits:
            return False
        for _ in range(min(MAX_PADDING_PACKETS, -(-size_bytes // PADDING_PACKET_BYTES))):
            self._seal(self._plan.padding(self._take_number(), timestamp), now_ns, sealer)
            link.counters.padding += 1
        return True
