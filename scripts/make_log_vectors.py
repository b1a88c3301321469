"""Makes the test vectors of the archive's log: `python scripts/make_log_vectors.py tests/vectors/log`.

Everything is fixed, keys too, so it writes the same bytes each time (Ed25519 signs deterministically). The
keys are for these vectors only.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from archive import merkle
from archive.chain import Head
from archive.checkpoint import COSIGNATURE, VerifierKey
from archive.keys import ArchiveSigner
from archive.log_book import LogBook
from archive.log_entries import Leaf, make_leaf, spell_leaf
from archive.log_heads import sign_head
from archive.log_records import HASHES, TRUSTED_LOGS
from archive.log_store import LogStore
from archive.witness import cosign
from core.messages import ArchiveHead

ORIGIN: Final = "archive.example.org/log"
WITNESS: Final = "witness.example.net/w1"
AT_US: Final = 1_760_000_000_000_000
CONSULTATION: Final = "c_01k9zzzzzzzzzzzzzzzzzzzzzz"
SILENT: Final = "c_01k9zzzzzzzzzzzzzzzzzzzzz0"
HEADS: Final = [hashlib.sha256(f"line {number}".encode()).hexdigest() for number in range(3)]


def key(name: str) -> ArchiveSigner:
    """A key that anybody can make again."""
    seed = hashlib.sha256(f"teleconsult test vectors: {name}".encode()).digest()
    return ArchiveSigner(Ed25519PrivateKey.from_private_bytes(seed))


def leaves() -> list[Leaf]:
    """One of every kind and state."""
    about = {"consultation": CONSULTATION}
    rows: list[dict[str, Any]] = [
        {
            "kind": "open",
            **about,
            "organisation": "o_1",
            "by": "u_1",
            "record": True,
            "reason": "patient_agreed",
        },
        {"kind": "head", **about, "entries": 1, "head": HEADS[0], "final": False},
        {
            "kind": "access",
            **about,
            "access": "join",
            "by": "u_2",
            "second": None,
            "detail": "specialist",
        },
        {"kind": "recording", **about, "by": "u_1", "record": False, "reason": "site_decided"},
        {"kind": "recording", **about, "by": "u_1", "record": True, "reason": "site_decided"},
        {
            "kind": "open",
            "consultation": SILENT,
            "organisation": "o_1",
            "by": "u_1",
            "record": False,
            "reason": "patient_declined",
        },
        {"kind": "close", "consultation": SILENT, "entries": 0, "head": None, "state": "unrecorded"},
        {"kind": "close", **about, "entries": 40, "head": HEADS[1], "state": "provisional"},
        {"kind": "addendum", **about, "entries": 42, "head": HEADS[2], "reason": "late_close"},
        {
            "kind": "access",
            "consultation": None,
            "access": "denied",
            "by": "u_3",
            "second": None,
            "detail": "replay.role_may_not",
        },
        {
            "kind": "access",
            **about,
            "access": "shred",
            "by": "u_4",
            "second": "u_5",
            "detail": "thirty_years",
        },
    ]
    return [make_leaf({"at_us": AT_US + 1_000_000 * number, **row}) for number, row in enumerate(rows)]


def make(folder: Path) -> None:
    """Write everything into `folder`, replacing what is there."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    log, witness, signer = key("log"), key("witness"), key("archive signer")
    store, all_leaves = LogStore.open(folder, ORIGIN, log), leaves()
    for batch in (all_leaves[:3], all_leaves[3:4], all_leaves[4:]):
        store.append(batch)
        store.publish()
    seen = store.present
    store.add_cosignature(seen, cosign(seen.text, WITNESS, witness, 1_760_000_100))
    published = store.published()
    _write(folder, "vectors.json", vectors(store, all_leaves, published))
    store.close()
    (folder / HASHES).unlink()
    head = sign_head(CONSULTATION, Head(42, HEADS[2]), AT_US, True, signer)
    told = ArchiveHead(head=head, checkpoint=published, at_us=AT_US)
    (folder / "heads.jsonl").write_text(
        json.dumps(told.model_dump(mode="json", exclude={"type"}), ensure_ascii=False) + "\n"
    )
    (folder / TRUSTED_LOGS).write_text(f"{VerifierKey.of(ORIGIN, log.public).text}  # for these vectors\n")


def vectors(store: LogStore, all_leaves: list[Leaf], published: str) -> dict[str, Any]:
    """What a verifier must come to."""
    size, book = store.size, LogBook()
    for leaf in all_leaves:
        book.add(leaf)
    return {
        "log_key": VerifierKey.of(ORIGIN, key("log").public).text,
        "witness_key": VerifierKey.of(WITNESS, key("witness").public, COSIGNATURE).text,
        "signer": key("archive signer").public,
        "leaf_hashes": [merkle.leaf_hash(spell_leaf(leaf)).hex() for leaf in all_leaves],
        "roots": [store.root_at(count).hex() for count in range(size + 1)],
        "inclusion": [
            {"index": index, "size": count, "proof": _b64(store.inclusion(index, count))}
            for count in range(1, size + 1)
            for index in range(count)
        ],
        "consistency": [
            {"from": first, "to": second, "proof": _b64(store.consistency(first, second))}
            for second in range(size + 1)
            for first in range(second + 1)
        ],
        "checkpoint": published,
        "stops": {name: [asdict(stop) for stop in record.stops()] for name, record in book.records.items()},
    }


def make_rotated(folder: Path) -> None:
    """Another small log, whose key is replaced twice. Only its first key is listed beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    keys = [key(f"log {number}") for number in range(3)]
    verifiers = [VerifierKey.of(ORIGIN, one.public) for one in keys]
    for number, one in enumerate(keys):
        store = LogStore.open(folder, ORIGIN, one)
        looked = {"kind": "access", "access": "join", "by": "u_1", "second": None}
        at_us = AT_US + 1_000_000 * number
        store.append([make_leaf({**looked, "at_us": at_us, "consultation": None, "detail": "specialist"})])
        store.publish()
        if number + 1 < len(keys):
            store.replace_key(verifiers[number + 1], at_us + 1)
        store.close()
    (folder / HASHES).unlink()
    (folder / TRUSTED_LOGS).write_text(f"{verifiers[0].text}  # for these vectors\n")
    _write(folder, "vectors.json", {"keys": [one.text for one in verifiers], "signs_until": [2, 4, None]})


def _b64(hashes: list[bytes]) -> list[str]:
    return [base64.b64encode(item).decode() for item in hashes]


def _write(folder: Path, name: str, value: Any) -> None:
    (folder / name).write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    make(Path(sys.argv[1]))
    make_rotated(Path(sys.argv[1] + "-rotated"))
