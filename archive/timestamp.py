"""Time stamps of checkpoints by somebody else's clock (RFC 3161): asking for one, and checking it offline."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from rfc3161_client import (
    HashAlgorithm,
    TimeStampRequest,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from core.errors import ConfigError, ProtocolError

REQUEST_TYPE: Final = "application/timestamp-query"
RESPONSE_TYPE: Final = "application/timestamp-reply"
OTHER_TEXT: Final = "other_text"
MAX_RESPONSE_BYTES: Final = 128 * 1024


class Question:
    """A request for the stamp of one text. `der`: what is sent."""

    def __init__(self, text: str) -> None:
        self._text = text.encode()
        builder = TimestampRequestBuilder().data(self._text).hash_algorithm(HashAlgorithm.SHA256)
        self._request: TimeStampRequest = builder.nonce(nonce=True).cert_request(cert_request=True).build()
        self.der: bytes = self._request.as_bytes()

    def accepts(self, der: bytes) -> int:
        """When the answer says it was (seconds since 1970). Raises `ProtocolError` when it answers something
        else. Whose signature it is, a verifier decides.
        """
        response = _decode(der)
        info = response.tst_info
        if info.nonce != self._request.nonce:
            raise ProtocolError("the time stamp answers another question")
        if info.message_imprint.message != self._request.message_imprint.message:
            raise ProtocolError("the time stamp is of something else")
        return _seconds(response)


class StampVerifier:
    """`roots`: certificates of the authorities to trust."""

    def __init__(self, roots: Sequence[x509.Certificate]) -> None:
        builder = VerifierBuilder()
        for root in roots:
            builder = builder.add_root_certificate(root)
        self._verifier = builder.build()

    def check(self, der: bytes, text: str) -> int:
        """When `text` existed at the latest (seconds since 1970). Raises `ProtocolError`, with the code
        `OTHER_TEXT` when it is a stamp, but not of this.
        """
        response = _decode(der)
        if response.tst_info.message_imprint.message != hashlib.sha256(text.encode()).digest():
            raise ProtocolError("the time stamp is of something else", code=OTHER_TEXT)
        try:
            self._verifier.verify_message(response, text.encode())
        except (VerificationError, ValueError) as error:
            raise ProtocolError(f"the time stamp does not hold: {error}") from None
        return _seconds(response)


def read_certificates(paths: Sequence[Path]) -> list[x509.Certificate]:
    """PEM files, of one certificate or several. Raises `ConfigError`."""
    found: list[x509.Certificate] = []
    for path in paths:
        try:
            found += x509.load_pem_x509_certificates(path.read_bytes())
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
        except ValueError:
            raise ConfigError(f"{path} is not a PEM certificate") from None
    return found


def _decode(der: bytes) -> TimeStampResponse:
    if len(der) > MAX_RESPONSE_BYTES:
        raise ProtocolError("the time stamp is too long")
    try:
        response = decode_timestamp_response(der)
        granted = response.status == 0
    except ValueError:
        raise ProtocolError("not a time stamp") from None
    if not granted:
        raise ProtocolError("the authority gave no time stamp")
    return response


def _seconds(response: TimeStampResponse) -> int:
    at: datetime = response.tst_info.gen_time
    return int(at.replace(tzinfo=at.tzinfo or UTC).timestamp())
