"""SDP: sessions, fragments, and what negotiation makes of them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any

from core.errors import ProtocolError
from rtp.negotiation import (
    answer_publish,
    answer_subscribe,
    answer_view,
    apply_answer,
    offer_publish,
    offer_subscribe,
    offer_view,
    read_view_answer,
    remote_transport,
    track_mids,
)
from rtp.sdp import Session, parse_fragment, parse_sdp, serialize_fragment
from tests.rtp.offers import CLIENT, SERVER, track


def text_of(data: bytes) -> str:
    """As the service reads a body: what is not UTF-8 does not get so far."""
    return data.decode("utf-8", "replace")


def sdp(data: bytes) -> None:
    """What was parsed is written so that it is parsed to the same."""
    with suppress(ProtocolError):
        session = parse_sdp(text_of(data))
        written = session.serialize()
        assert parse_sdp(written) == session, "the description changed when it was written and read again"
        for media in session.media:
            session.ice_of(media)
            session.fingerprints_of(media)
            session.direction_of(media)


def fragment(data: bytes) -> None:
    """The same of `application/trickle-ice-sdpfrag`."""
    with suppress(ProtocolError):
        found = parse_fragment(text_of(data))
        again = parse_fragment(serialize_fragment(found))
        assert (again.candidates, again.end_of_candidates) == (found.candidates, found.end_of_candidates)
        assert again.ice is None or again.ice == found.ice


def tracks() -> list[Any]:
    return [track("v", "VP8", ssrc=10), track("h", "H264", ssrc=20), track("a", "opus", ssrc=30)]


@cache
def our_offers() -> tuple[Session, Session, Session]:
    """To a subscriber, to a server, to a WHEP server."""
    subscribe = offer_subscribe(None, SERVER, tracks(), version=1)
    return subscribe, offer_publish(CLIENT, tracks()), offer_view(CLIENT)


def negotiation(data: bytes) -> None:
    """Any description as anybody's offer and as the answer to each of ours."""
    try:
        session = parse_sdp(text_of(data))
    except ProtocolError:
        return
    with suppress(ProtocolError):
        remote_transport(session)
    _answers(session)
    subscribe, publish, view = our_offers()
    for offer in (subscribe, publish):
        _allow(lambda offer=offer: apply_answer(offer, session))
    _allow(lambda: read_view_answer(view, session))
    _allow(lambda: track_mids(session))


def _answers(session: Session) -> None:
    for answer in (
        _allow(lambda: answer_publish(session, SERVER)[0]),
        _allow(lambda: answer_view(session, SERVER, tracks()).answer),
        _allow(lambda: answer_subscribe(session, CLIENT)[0]),
    ):
        if answer is not None:
            assert len(answer.media) == len(session.media), "an answer has every m-line of its offer"
            assert parse_sdp(answer.serialize()).media == answer.media


def _allow(negotiate: Callable[[], Any]) -> Any:
    """Its result; None when it refused."""
    try:
        return negotiate()
    except ProtocolError:
        return None
