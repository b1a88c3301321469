"""Write `src/replay/fixtures/archive.json` with the project's own archive writer, for the unit tests.

Run from the project's root: `python web_client/scripts/make-replay-fixture.py`. Keys are made anew each time,
so the file changes as a whole; nothing in it protects anything.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import pyrage

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from archive.chain import Head  # noqa: E402 - the project's root comes first
from archive.checkpoint import COSIGNATURE, Checkpoint, VerifierKey, sign_checkpoint  # noqa: E402
from archive.decisions import Approval, anchor_of, approve, seal_decision  # noqa: E402
from archive.keys import ArchiveSigner  # noqa: E402
from archive.log_entries import make_leaf  # noqa: E402
from archive.log_heads import sign_head  # noqa: E402
from archive.log_store import LogStore  # noqa: E402
from archive.witness import cosign  # noqa: E402
from signaling.archive_api_log import _prove  # noqa: E402
from tests.archive.support import EPOCH_US, keys, write  # noqa: E402

TARGET = ROOT / "web_client" / "src" / "replay" / "fixtures" / "archive.json"
DECIDED_US = EPOCH_US + 86_400_000_000
PEOPLE = (ArchiveSigner.generate(), ArchiveSigner.generate())
NEW_CUSTODIAN = pyrage.x25519.Identity.generate()


def contents(folder: Path) -> dict[str, str]:
    """Every file of a consultation's folder, base64."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): base64.b64encode(path.read_bytes()).decode() for path in files}


def decide(folder: Path, approvals_by_key: bool, **terms: Any) -> None:
    """One decision: by the service for two who were signed in, or by two people with their own keys."""
    manifest = (folder / "manifest.jsonl").read_bytes()
    anchor = anchor_of(manifest[: manifest.index(b"\n") + 1])
    terms = {"consultation": folder.name, "request": "ab" * 16, "reason": "time is up", **terms}
    if approvals_by_key:
        approvals = [approve(terms, anchor, one, DECIDED_US - 1) for one in PEOPLE]
    else:
        approvals = [Approval(by=by, at_us=DECIDED_US - 1, key=None, signature=None) for by in ("u_1", "u_2")]
    signer = PEOPLE[0] if approvals_by_key else keys().signer
    _, line = seal_decision(terms, approvals, 0, anchor, DECIDED_US, signer)
    (folder / "decisions.jsonl").write_bytes(line)


def shredded(root: Path) -> Path:
    folder = write(root, "c_shredded")
    decide(folder, False, kind="shred", objects="kept", policy="short")
    (folder / "session.key.age").unlink()
    return folder


def rewrapped(root: Path) -> Path:
    folder = write(root, "c_rewrapped")
    file = folder / "session.key.age"
    old = file.read_bytes()
    secret = pyrage.decrypt(old, [keys().identities[0]])
    kept = keys().recipients[1]
    new = NEW_CUSTODIAN.to_public()
    wrapped = pyrage.encrypt(secret, [new, keys().identities[1].to_public()])
    recipients = [
        {"custodian": "Chen", "recipient": str(new), "offline": False},
        {"custodian": kept.custodian, "recipient": kept.recipient, "offline": True},
    ]
    hashes = {
        "replaces_sha256": hashlib.sha256(old).hexdigest(),
        "session_key_sha256": hashlib.sha256(wrapped).hexdigest(),
    }
    decide(folder, True, kind="rewrap", recipients=recipients, **hashes)
    file.write_bytes(wrapped)
    return folder


def heads_of(folder: Path) -> list[Head]:
    """After each line."""
    found = [Head()]
    for line in (folder / "manifest.jsonl").read_bytes().splitlines(keepends=True):
        found.append(found[-1].after(line))
    return found


def log_of(root: Path, closed: Path) -> dict[str, Any]:
    """A log that knows the closed archive, as the service tells it; a witness; what a browser kept."""
    key, witness = ArchiveSigner.generate(), ArchiveSigner.generate()
    store = LogStore.open(root / "log", "archive.example.org/log", key)
    heads, name = heads_of(closed), closed.name
    middle, last = heads[5], heads[-1]
    at = EPOCH_US

    def add(kind: str, **fields: Any) -> None:
        store.append([make_leaf({"kind": kind, "consultation": name, "at_us": at, **fields})])

    other = {"access": "join", "by": "u_9", "second": None, "detail": ""}
    add("access", **other)
    add("open", organisation="o_1", by="u_1", record=True, reason="patient_agreed")
    add("access", **other)
    add("head", entries=middle.next_entry, head=middle.previous, final=False)
    old = store.published()
    kept = {
        "head": sign_head(name, middle, at, False, keys().signer).model_dump(mode="json"),
        "checkpoint": old,
        "at_us": at,
    }
    add("close", entries=last.next_entry, head=last.previous, state="final")
    add("access", **{**other, "access": "hold"})
    add("access", **other)
    store.publish()
    present = store.present
    verifier = VerifierKey.of("witness.example.net/w1", witness.public, COSIGNATURE)
    store.add_cosignature(present, cosign(present.text, verifier.name, witness, 1_760_000_000))
    checkpoint, leaves = _prove(store, [1, 3, 4, 5])
    old_size = Checkpoint.parse(old.partition("\n\n")[0] + "\n").size
    proof = [base64.b64encode(item).decode() for item in store.consistency(old_size, present.size)]
    forged = Checkpoint(present.origin, old_size, bytes(32))
    found = {
        "keys": {"log": store.verifier.text, "witnesses": [verifier.text]},
        "logged": {
            "checkpoint": checkpoint,
            "since_us": at,
            "leaves": [one.model_dump(mode="json") for one in leaves],
        },
        "kept": json.dumps(kept),
        "consistency": proof,
        "forked": json.dumps({"head": None, "checkpoint": signed(forged, key), "at_us": at}),
        "ahead": json.dumps(
            {"head": None, "checkpoint": signed(Checkpoint(present.origin, 99, bytes(32)), key), "at_us": at}
        ),
    }
    store.close()
    return found


def signed(checkpoint: Checkpoint, key: ArchiveSigner) -> str:
    return sign_checkpoint(checkpoint, key).spell()


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        closed = write(root, "c_closed")
        fixture = {
            "signer": keys().signer.public,
            "people": [one.public for one in PEOPLE],
            "identity": str(keys().identities[0]),
            "newIdentity": str(NEW_CUSTODIAN),
            "closed": contents(closed),
            "open": contents(write(root, "c_open", close=False)),
            "shredded": contents(shredded(root)),
            "rewrapped": contents(rewrapped(root)),
            "log": log_of(root, closed),
        }
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(json.dumps(fixture, indent=1) + "\n")


main()
