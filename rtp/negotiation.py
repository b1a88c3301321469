"""Offer/answer as pure functions on `Session`s (RFC 3264, RFC 8829). Transports come in as `LocalTransport`.

| who | function |
|---|---|
| server, publisher offered (WHIP, browser) | `answer_publish` |
| server, viewer offered (WHEP) | `answer_view` |
| server offers its tracks | `offer_subscribe`, `track_mids`, `apply_answer` |
| Python publisher (edge) | `offer_publish`, `apply_answer` |
| Python subscriber (recorder) | `answer_subscribe` |
| Python WHEP viewer | `offer_view`, `read_view_answer` |

`remote_transport` reads the other end's ICE and DTLS parameters from its offer or answer, and our DTLS role
(who answers with `answer_subscribe` says `prefer="client"`).
"""

from rtp.negotiation_common import remote_transport
from rtp.negotiation_receive import answer_publish, answer_subscribe, offer_view, read_view_answer
from rtp.negotiation_send import apply_answer, offer_publish, offer_subscribe, track_mids
from rtp.negotiation_types import (
    AcceptedMedia,
    AppliedAnswer,
    DtlsRole,
    LocalTransport,
    NegotiatedMedia,
    OutgoingTrack,
    ReceivedMedia,
    RemoteTransport,
    ViewAnswer,
)
from rtp.negotiation_view import answer_view

__all__ = [
    "AcceptedMedia",
    "AppliedAnswer",
    "DtlsRole",
    "LocalTransport",
    "NegotiatedMedia",
    "OutgoingTrack",
    "ReceivedMedia",
    "RemoteTransport",
    "ViewAnswer",
    "answer_publish",
    "answer_subscribe",
    "answer_view",
    "apply_answer",
    "offer_publish",
    "offer_subscribe",
    "offer_view",
    "read_view_answer",
    "remote_transport",
    "track_mids",
]
