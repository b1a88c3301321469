"""REST: an invitation's token becomes a guest's sign-in, once."""

from __future__ import annotations

import hashlib
from typing import Final

from core import consultations, invitations, people, sessions
from core.errors import NotFound, TeleconsultError
from signaling.accounts import issue_tokens
from signaling.api import Call, Operation
from signaling.sign_in import Throttle
from signaling.views import Redeem, Redeemed

DISPLAY: Final = "~site"
"""Behind the token of a link for the display beside a box: the web client shows it the on-site page."""


class Guests:
    """Handlers of people without an account."""

    def __init__(self, throttle: Throttle) -> None:
        self._throttle = throttle

    async def redeem(self, call: Call, wanted: Redeem) -> Redeemed:
        """The link counts once; who lost the answer may ask again for a minute.

        Who lost the way back asks the site for a new one.
        """
        context = call.context
        token = wanted.token.removesuffix(DISPLAY)
        link = hashlib.sha256(token.encode()).hexdigest()[:16]
        attempt = self._throttle.begin(context, call.request, f"invitation {link}")
        try:
            guest_id = await invitations.redeem_invitation(
                context.database, token, wanted.name, wanted.client_secret
            )
        except TeleconsultError as error:
            if context.may_note_stranger():
                await context.audit("unknown", "redeem", "", error.code)
            raise
        self._throttle.admitted(attempt)
        guest = await people.find_user(context.database, user_id=guest_id)
        assert guest is not None
        assert guest.guest_of is not None
        consultation = await consultations.find_consultation(context.database, guest.guest_of)
        if consultation is None:
            raise NotFound("there is no such consultation", code="consultation_not_found")
        session = await sessions.start_session(context.database, guest_id)
        await context.audit(guest_id, "redeem", consultation.consultation_id)
        tokens = issue_tokens(context, guest, session)
        return Redeemed(
            access_token=tokens.access_token,
            expires_in=tokens.expires_in,
            refresh_token=tokens.refresh_token,
            room=consultation.room,
            consultation_id=consultation.consultation_id,
            site=consultation.site,
        )


def operations(throttle: Throttle) -> tuple[Operation, ...]:
    """The declaration, with a handler that shares `throttle`."""
    return (
        Operation(
            "POST",
            "/api/v1/invitations/redeem",
            Guests(throttle).redeem,
            name="redeem",
            summary="Exchange an invitation's token, once, for a guest's sign-in",
            who="anyone",
            tag="invitations",
            request=Redeem,
            response=Redeemed,
            codes=(
                (404, "invitation_unknown"),
                (410, "invitation_used"),
                (410, "invitation_expired"),
                (410, "invitation_revoked"),
                (429, "too_many_attempts"),
            ),
        ),
    )
