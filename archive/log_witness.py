"""A partner's witness: fetches a log's newest checkpoint, checks that it only grew, cosigns it, keeps it."""

from __future__ import annotations

import base64
import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from archive import store
from archive.checkpoint import COSIGNATURE, ED25519, Checkpoint, Note, VerifierKey
from archive.keys import ArchiveSigner
from archive.log_keys import ensure_log_key, parse_keys
from archive.witness import Witness
from core.errors import ConfigError, ProtocolError, Unavailable

WITHIN_S: Final = 20.0
MAX_ANSWER_BYTES: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Seen:
    """What was cosigned: `size` leaves, of which `before` were seen the last time."""

    verifier: VerifierKey
    size: int
    before: int

    def fields(self) -> dict[str, Any]:
        return {"witness": self.verifier.text, "size": self.size, "before": self.before}


class LogClient:
    """The log's public calls. Raises `Unavailable`, `ProtocolError`."""

    def __init__(self, url: str, ca: Path | None = None) -> None:
        if not url.startswith(("http://", "https://")):
            raise ConfigError(f"{url[:200]} is not http(s)://…")
        self._url = url.rstrip("/") + "/api/v1/log/"
        try:
            self._tls = ssl.create_default_context(cafile=None if ca is None else str(ca))
        except (OSError, ssl.SSLError):
            raise ConfigError(f"{ca} is not a PEM certificate") from None

    def checkpoint(self) -> Note:
        return Note.parse(self._call("checkpoint").decode("utf-8", "replace"))

    def consistency(self, first: int, second: int) -> list[bytes]:
        try:
            answer = json.loads(self._call(f"consistency?from={first}&to={second}"))
            return [base64.b64decode(item, validate=True) for item in answer["proof"]]
        except (ValueError, KeyError, TypeError):
            raise ProtocolError("the log's proof cannot be read") from None

    def cosigned(self, note: Note) -> None:
        self._call("cosignatures", json.dumps({"checkpoint": note.spell()}).encode())

    def _call(self, path: str, body: bytes | None = None) -> bytes:
        request = urllib.request.Request(self._url + path, data=body)  # noqa: S310 - http(s) only, see above
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=WITHIN_S, context=self._tls) as answer:  # noqa: S310 - as above
                data: bytes = answer.read(MAX_ANSWER_BYTES + 1)
        except urllib.error.HTTPError as error:
            raise Unavailable(f"{self._url}{path} answers {error.code}: {_problem(error)}") from None
        except OSError as error:
            raise Unavailable(f"{self._url} does not answer ({type(error).__name__})") from None
        if len(data) > MAX_ANSWER_BYTES:
            raise ProtocolError("the log's answer is too long")
        return data


def load_witness_key(path: Path, name: str) -> tuple[ArchiveSigner, VerifierKey]:
    """The witness's key, made first if there is none, and its public half. Raises `ConfigError`."""
    key = ensure_log_key(path)
    try:
        return key, VerifierKey.of(name, key.public, COSIGNATURE)
    except ProtocolError as error:
        raise ConfigError(f"--name: {error}") from None


def observe(client: LogClient, log_keys: Sequence[str], name: str, key: ArchiveSigner, state: Path) -> Seen:
    """Look once. `state` holds what was cosigned last, durably before anybody hears of the new one.

    Raises `ConfigError`, `Unavailable`, `ProtocolError` for what the log has not signed, `Conflict` when it
    does not continue what was seen before.
    """
    logs = [item.key for value in log_keys for item in parse_keys(value, "--log-key", ED25519)]
    note = client.checkpoint()
    log = note.signed_by(logs)
    if log is None:
        raise ProtocolError("the log's checkpoint is not signed by --log-key")
    seen, checkpoint = _read_state(state, logs), Checkpoint.parse(note.text)
    witness = Witness(name, key, log, seen)
    grown = seen is not None and 0 < seen.size < checkpoint.size
    proof = client.consistency(seen.size, checkpoint.size) if seen is not None and grown else []
    line = witness.cosign(note, proof, int(time.time()))
    signed = Note(note.text, (*note.signatures, line))
    try:
        store.write_whole(state, signed.spell().encode())
    except OSError as error:
        raise ConfigError(f"{state}: cannot be written: {error.strerror}") from None
    client.cosigned(Note(note.text, (line,)))
    return Seen(witness.verifier, checkpoint.size, 0 if seen is None else seen.size)


def _read_state(state: Path, logs: Sequence[VerifierKey]) -> Checkpoint | None:
    try:
        text = state.read_text(encoding="utf-8")
        note = Note.parse(text)
        if note.signed_by(logs) is None:
            raise ProtocolError("another log's")
        return Checkpoint.parse(note.text)
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, ProtocolError) as error:
        raise ConfigError(f"{state} is not what this witness cosigned last: {error}") from None


def _problem(error: urllib.error.HTTPError) -> str:
    """The problem document's code."""
    try:
        return str(json.loads(error.read(4096)).get("code", ""))
    except (ValueError, AttributeError, OSError):
        return error.reason
