"""The log as a stranger reads it: standard library, `openssl`, docs/archive-format.md and nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

VECTORS: Final = Path(__file__).parents[1] / "vectors" / "log"
ROOT: Final = Path(__file__).parents[2]
GIVEN: Final[dict[str, Any]] = json.loads((VECTORS / "vectors.json").read_text())
ED25519_SPKI: Final = bytes.fromhex("302a300506032b6570032100")  # RFC 8410 §4


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def spell(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def root(hashes: list[bytes]) -> bytes:
    """RFC 6962 §2.1."""
    if len(hashes) <= 1:
        return hashes[0] if hashes else sha256(b"")
    left = 1
    while left * 2 < len(hashes):
        left *= 2
    return sha256(b"\x01" + root(hashes[:left]) + root(hashes[left:]))


def openssl_accepts(tmp_path: Path, public: bytes, message: bytes, signature: bytes) -> bool:
    body = base64.b64encode(ED25519_SPKI + public).decode()
    key = tmp_path / "public.pem"
    key.write_text(f"-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n")
    (tmp_path / "message").write_bytes(message)
    (tmp_path / "signature").write_bytes(signature)
    command = ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", key]
    command += ["-in", tmp_path / "message", "-sigfile", tmp_path / "signature"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def key_of(vkey: str) -> tuple[str, bytes, int, bytes]:
    """Name, id, type, key of `<name>+<id>+<base64>`."""
    name, key_id, encoded = vkey.split("+", 2)
    data = base64.b64decode(encoded)
    assert sha256(name.encode() + b"\n" + data)[:4].hex() == key_id
    return name, bytes.fromhex(key_id), data[0], data[1:]


def signatures(note: str) -> tuple[str, list[tuple[str, bytes, bytes]]]:
    """A note's text, and name, key id and signature of its lines."""
    text, _, lines = note.rpartition("\n\n")
    found = []
    for line in lines.splitlines():
        _dash, name, encoded = line.split(" ")
        data = base64.b64decode(encoded)
        found.append((name, data[:4], data[4:]))
    return text + "\n", found


def leaf_lines() -> list[bytes]:
    return (VECTORS / "entries.jsonl").read_bytes().splitlines()


def hashes() -> list[bytes]:
    return [sha256(b"\x00" + line) for line in leaf_lines()]


def records(kind: str) -> list[Any]:
    lines = (VECTORS / "checkpoints.jsonl").read_bytes().splitlines()
    parsed = [json.loads(line) for line in lines]
    assert [spell(item) for item in parsed] == lines
    return [item for item in parsed if item["kind"] == kind]


def test_leaves_are_canonical_and_hash_to_what_the_vectors_say() -> None:
    assert [spell(json.loads(line)) for line in leaf_lines()] == leaf_lines()
    assert [item.hex() for item in hashes()] == GIVEN["leaf_hashes"]
    assert [root(hashes()[:size]).hex() for size in range(len(hashes()) + 1)] == GIVEN["roots"]


def test_every_inclusion_proof_leads_to_its_root() -> None:
    """RFC 9162 §2.1.3.2, step by step."""
    for item in GIVEN["inclusion"]:
        position, last, node = item["index"], item["size"] - 1, hashes()[item["index"]]
        for sibling in map(base64.b64decode, item["proof"]):
            if position % 2 or position == last:
                node = sha256(b"\x01" + sibling + node)
                while not position % 2 and position:
                    position, last = position // 2, last // 2
            else:
                node = sha256(b"\x01" + node + sibling)
            position, last = position // 2, last // 2
        assert (last, node.hex()) == (0, GIVEN["roots"][item["size"]])


def test_every_consistency_proof_leads_to_both_roots() -> None:
    """RFC 9162 §2.1.4.2, step by step."""
    for item in GIVEN["consistency"]:
        first, second = item["from"], item["to"]
        proof = [base64.b64decode(text) for text in item["proof"]]
        if first in (0, second):
            assert proof == []
            continue
        if first & (first - 1) == 0:
            proof.insert(0, bytes.fromhex(GIVEN["roots"][first]))
        position, last = first - 1, second - 1
        while position % 2:
            position, last = position // 2, last // 2
        old = new = proof[0]
        for sibling in proof[1:]:
            if position % 2 or position == last:
                old, new = sha256(b"\x01" + sibling + old), sha256(b"\x01" + sibling + new)
                while not position % 2 and position:
                    position, last = position // 2, last // 2
            else:
                new = sha256(b"\x01" + new + sibling)
            position, last = position // 2, last // 2
        assert (old.hex(), new.hex()) == (GIVEN["roots"][first], GIVEN["roots"][second])


def test_every_checkpoint_is_signed_and_is_the_tree_of_its_size(tmp_path: Path) -> None:
    name, key_id, kind, public = key_of(GIVEN["log_key"])
    assert kind == 1
    assert (VECTORS / "trusted-logs.txt").read_text().split()[0] == GIVEN["log_key"]
    for record in records("checkpoint"):
        text, found = signatures(record["note"])
        origin, size, encoded = text.splitlines()
        assert origin == name
        assert base64.b64decode(encoded).hex() == GIVEN["roots"][int(size)]
        assert [item[:2] for item in found] == [(name, key_id)]
        assert openssl_accepts(tmp_path, public, text.encode(), found[0][2])


def test_the_cosignature_says_when_the_witness_saw_it(tmp_path: Path) -> None:
    name, key_id, kind, public = key_of(GIVEN["witness_key"])
    assert kind == 4
    text, found = signatures(GIVEN["checkpoint"])
    (record,) = records("cosignature")
    assert GIVEN["checkpoint"].endswith(record["line"])
    assert record["size"] == int(text.splitlines()[1])
    assert found[1][:2] == (name, key_id)
    at_s = int.from_bytes(found[1][2][:8], "big")
    message = f"cosignature/v1\ntime {at_s}\n{text}".encode()
    assert openssl_accepts(tmp_path, public, message, found[1][2][8:])


def test_the_head_is_signed_by_the_archives_signer(tmp_path: Path) -> None:
    told = json.loads((VECTORS / "heads.jsonl").read_text())
    head = told["head"]
    signature = bytes.fromhex(head.pop("signature"))
    assert head["signer"] == GIVEN["signer"]
    public = bytes.fromhex(head["signer"].removeprefix("ed25519:"))
    message = b"teleconsult-archive-head/1\n" + spell(head)
    assert openssl_accepts(tmp_path, public, message, signature)
    assert not openssl_accepts(tmp_path, public, message.replace(b"42", b"43"), signature)
    assert told["checkpoint"] == GIVEN["checkpoint"]


def test_when_nothing_was_recorded_follows_from_the_leaves() -> None:
    decided: dict[str, list[tuple[int, Any]]] = {}
    for number, leaf in enumerate(map(json.loads, leaf_lines())):
        if leaf["kind"] in ("open", "recording"):
            decided.setdefault(leaf["consultation"], []).append((number, leaf))
    found = {}
    for consultation, leaves in decided.items():
        stops = found[consultation] = list[dict[str, Any]]()
        for number, leaf in leaves[1:]:
            if not leaf["record"]:
                begun = {"begin_us": leaf["at_us"], "leaf": number, "by": leaf["by"]}
                stops.append(begun | {"end_us": None, "until_leaf": None})
            else:
                stops[-1] |= {"end_us": leaf["at_us"], "until_leaf": number}
    assert found == GIVEN["stops"]
    assert sum(map(len, found.values())) == 1


def test_keys_that_replace_one_another_each_sign_their_part(tmp_path: Path) -> None:
    rotated = VECTORS.with_name("log-rotated")
    given = json.loads((rotated / "vectors.json").read_text())
    leaves = [json.loads(line) for line in (rotated / "entries.jsonl").read_bytes().splitlines()]
    current, until = (rotated / "trusted-logs.txt").read_text().split()[0], list[int | None]()
    chain = [current]
    for number, leaf in enumerate(leaves):
        if leaf["kind"] == "key":
            assert leaf["replaces"] == chain[-1]
            chain.append(leaf["key"])
            until.append(number + 1)
    assert (chain, [*until, None]) == (given["keys"], given["signs_until"])
    sizes = []
    for line in (rotated / "checkpoints.jsonl").read_bytes().splitlines():
        text, ((name, key_id, signature),) = signatures(json.loads(line)["note"])
        size = int(text.splitlines()[1])
        sizes.append(size)
        vkey = chain[sum(1 for end in until if end is not None and size > end)]
        assert (name, key_id) == key_of(vkey)[:2]
        assert openssl_accepts(tmp_path, key_of(vkey)[3], text.encode(), signature)
    assert set(until) - {None} <= set(sizes), "the old key signs the checkpoint that ends with the leaf"


@pytest.mark.parametrize("name", ["log", "log-rotated"])
def test_the_script_makes_these_very_vectors(tmp_path: Path, name: str) -> None:
    command = [sys.executable, ROOT / "scripts" / "make_log_vectors.py", tmp_path / "log"]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    made = {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
    assert made == {path.name: path.read_bytes() for path in VECTORS.with_name(name).iterdir()}


@pytest.mark.parametrize("line", range(11))
def test_a_changed_leaf_changes_every_root_from_there_on(line: int) -> None:
    changed = hashes()
    changed[line] = sha256(b"\x00" + leaf_lines()[line] + b" ")
    roots = [root(changed[:size]).hex() for size in range(12)]
    assert [a == b for a, b in zip(roots, GIVEN["roots"], strict=True)] == [
        size <= line for size in range(12)
    ]
