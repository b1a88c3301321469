"""Pure: the page that replays an archive without any service: one HTML file, made and signed here.

Nothing in it loads anything: script, styles and worker stand in the page, and its Content-Security-Policy
allows these alone, by their hashes. The signature is Ed25519 over the file's bytes as they are, so that
standard tools check it; nothing else that this key signs begins as a page does.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from archive.chain import SIGNER_PREFIX, SigningKey
from archive.faults import Verdict
from core.errors import ProtocolError

FORMAT: Final = "teleconsult-replay-page/1"
SIGNATURE_BYTES: Final = 64
SIGNATURE_SUFFIX: Final = ".sig"
MAX_PAGE_BYTES: Final = 64 * 1024 * 1024
_FIRST_LINES: Final = re.compile(
    rb"<!doctype html>\n<!-- " + FORMAT.encode() + rb" (ed25519:[0-9a-f]{64}) -->\n"
)
_ENDS_ITS_ELEMENT: Final = re.compile(r"</(?:script|style)|<!--", re.IGNORECASE)
_POLICY: Final = (
    "default-src 'none'; script-src '{script}'; style-src '{style}'; worker-src blob:; media-src blob:; "
    "img-src data:; connect-src 'none'; base-uri 'none'; form-action 'none'"
)
_PAGE: Final = """\
<!doctype html>
<!-- {format} {signer} -->
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="dark">
<meta name="referrer" content="no-referrer">
<title>Teleconsult</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
<div id="root"></div>
<noscript>This page needs JavaScript. 本页面需要启用 JavaScript。</noscript>
<script type="application/json" id="baked">{baked}</script>
<script type="text/plain" id="worker">{worker}</script>
<script>{script}</script>
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the web client's build makes of the page."""

    script: str
    style: str
    worker: str


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a consultation's manifest stood: how many entries, and the SHA-256 of the last one's line."""

    consultation: str
    entries: int
    head: str


@dataclass(frozen=True, slots=True)
class Trusted:
    """Public keys that the page trusts: of archives' signers, of people who decide, of logs and witnesses."""

    signers: Sequence[str]
    people: Sequence[str] = ()
    logs: Sequence[str] = ()
    witnesses: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class PageCheck:
    """What a page's signature says. `signer`: the key the page names; None: it is no replay page."""

    sha256: str
    signer: str | None
    verdict: Verdict
    reason: str

    def fields(self) -> dict[str, Any]:
        return {
            "sha256": self.sha256,
            "signer": self.signer,
            "verdict": self.verdict.name.lower(),
            "reason": self.reason,
            "exit_code": int(self.verdict),
        }


def make_page(parts: Parts, signer: str, trusted: Trusted, marks: Sequence[Mark]) -> bytes:
    """The page's bytes; the same for the same input. `signer`: whose signature it will bear. Raises
    `ProtocolError` when a part cannot stand in a page.
    """
    for text in (parts.script, parts.style, parts.worker):
        if _ENDS_ITS_ELEMENT.search(text) or "\r" in text:
            raise ProtocolError("a part of the page cannot stand in it: build the web client anew")
    baked = {
        "signer": signer,
        **{kind: sorted(set(keys)) for kind, keys in asdict(trusted).items()},
        "made_for": [asdict(mark) for mark in sorted(marks, key=lambda mark: mark.consultation)],
    }
    policy = _POLICY.format(script=_source(parts.script), style=_source(parts.style))
    return _PAGE.format(
        format=FORMAT,
        signer=signer,
        policy=policy,
        style=parts.style,
        baked=_inert(baked),
        worker=parts.worker,
        script=parts.script,
    ).encode()


def sign_page(page: bytes, key: SigningKey) -> bytes:
    """The detached signature, 64 bytes (RFC 8032). Raises `ProtocolError` for what is no page of that key."""
    if signer_of(page) != key.public:
        raise ProtocolError("this page names another signer")
    return key.sign(page)


def signer_of(page: bytes) -> str | None:
    """The key that a page names as its signer; None for what is no replay page."""
    found = _FIRST_LINES.match(page)
    return None if found is None else found.group(1).decode()


def check_page(page: bytes, signature: bytes | None, trusted: Collection[str]) -> PageCheck:
    """Whether a trusted key signed exactly these bytes. `signature`: None when there is none."""
    signer = signer_of(page)
    verdict, reason = _judge(page, signer, signature, trusted)
    return PageCheck(hashlib.sha256(page).hexdigest(), signer, verdict, reason)


def _judge(
    page: bytes, signer: str | None, signature: bytes | None, trusted: Collection[str]
) -> tuple[Verdict, str]:
    if signer is None:
        return Verdict.ALTERED, "this is no replay page, or its first lines were changed"
    if signature is None:
        return Verdict.MISSING, "its signature is missing"
    if not _holds(signer, signature, page):
        return Verdict.ALTERED, "the signature is not of this file"
    if signer not in trusted:
        return Verdict.UNVERIFIABLE, f"signed by {signer}, which is not trusted: give the key with --signer"
    return Verdict.INTACT, f"signed by {signer}"


def _holds(signer: str, signature: bytes, page: bytes) -> bool:
    public = bytes.fromhex(signer.removeprefix(SIGNER_PREFIX))
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, page)
    except (InvalidSignature, ValueError):
        return False
    return True


def _source(text: str) -> str:
    """A hash as Content Security Policy Level 3 wants it."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _inert(value: Any) -> str:
    """JSON that cannot end the element it stands in."""
    text = json.dumps(value, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return text.replace("<", "\\u003c")
