"""RFC 6962 hashing against the public Certificate Transparency vectors, and against its own definition."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive import merkle

LEAVES: Final = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
"""Inputs of certificate-transparency's Merkle tree tests."""
ROOTS: Final = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
PATHS: Final = {
    (0, 1): [],
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (1, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
CONSISTENCY: Final = {
    (1, 1): [],
    (1, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}


def stored(leaves: list[bytes]) -> merkle.Hashes:
    """All complete subtrees, as a store keeps them."""
    kept: dict[tuple[int, int], bytes] = {}
    tree = merkle.CompactRange()
    for index, leaf in enumerate(leaves):
        kept[0, index] = merkle.leaf_hash(leaf)
        for level, node in enumerate(tree.append(kept[0, index]), 1):
            kept[level, index >> level] = node
    return lambda level, index: kept[level, index]


def defined_root(leaves: list[bytes]) -> bytes:
    """MTH, as RFC 6962 §2.1 defines it."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    left = 1
    while left * 2 < len(leaves):
        left *= 2
    return hashlib.sha256(b"\x01" + defined_root(leaves[:left]) + defined_root(leaves[left:])).digest()


def unhex(proof: list[str]) -> list[bytes]:
    return [bytes.fromhex(item) for item in proof]


@pytest.mark.parametrize("size", range(9))
def test_roots_are_those_of_the_public_vectors(size: int) -> None:
    assert merkle.root_of(map(merkle.leaf_hash, LEAVES[:size])).hex() == ROOTS[size]
    assert merkle.root_at(size, stored(LEAVES)).hex() == ROOTS[size]


@pytest.mark.parametrize(("index", "size"), PATHS)
def test_inclusion_proofs_are_those_of_the_public_vectors(index: int, size: int) -> None:
    proof = merkle.inclusion_proof(index, size, stored(LEAVES))
    assert proof == unhex(PATHS[index, size])
    hashed, root = merkle.leaf_hash(LEAVES[index]), bytes.fromhex(ROOTS[size])
    assert merkle.verify_inclusion(hashed, index, size, proof, root)


@pytest.mark.parametrize(("first", "second"), CONSISTENCY)
def test_consistency_proofs_are_those_of_the_public_vectors(first: int, second: int) -> None:
    proof = merkle.consistency_proof(first, second, stored(LEAVES))
    assert proof == unhex(CONSISTENCY[first, second])
    roots = bytes.fromhex(ROOTS[first]), bytes.fromhex(ROOTS[second])
    assert merkle.verify_consistency(first, second, *roots, proof)


some_leaves = st.lists(st.binary(max_size=6), max_size=70)


@given(some_leaves)
def test_a_growing_tree_has_the_root_that_the_definition_gives(leaves: list[bytes]) -> None:
    tree = merkle.CompactRange()
    for size, leaf in enumerate(leaves):
        assert tree.root() == defined_root(leaves[:size])
        tree.append(merkle.leaf_hash(leaf))
    assert (tree.size, tree.root()) == (len(leaves), defined_root(leaves))


@given(some_leaves.filter(bool), st.data())
def test_every_leaf_can_be_proved_and_nothing_else(leaves: list[bytes], data: st.DataObject) -> None:
    size = data.draw(st.integers(1, len(leaves)))
    index = data.draw(st.integers(0, size - 1))
    root, hashed = defined_root(leaves[:size]), merkle.leaf_hash(leaves[index])
    proof = merkle.inclusion_proof(index, size, stored(leaves))
    assert merkle.verify_inclusion(hashed, index, size, proof, root)
    assert not merkle.verify_inclusion(merkle.leaf_hash(leaves[index] + b"!"), index, size, proof, root)
    assert not merkle.verify_inclusion(hashed, index, size, [*proof, b"\0" * 32], root)
    assert not merkle.verify_inclusion(hashed, index, size, proof, b"\1" * 32)
    if proof:
        assert not merkle.verify_inclusion(hashed, index, size, proof[:-1], root)
        assert not merkle.verify_inclusion(hashed, index, size, damaged(proof, data.draw), root)
    for other in {0, size - 1, data.draw(st.integers(0, size))} - {index}:
        if other >= size or leaves[other] != leaves[index]:
            assert not merkle.verify_inclusion(hashed, other, size, proof, root)


@given(some_leaves, st.data())
def test_a_tree_that_only_grew_can_prove_it_and_a_changed_one_cannot(
    leaves: list[bytes], data: st.DataObject
) -> None:
    second = data.draw(st.integers(0, len(leaves)))
    first = data.draw(st.integers(0, second))
    proof = merkle.consistency_proof(first, second, stored(leaves))
    old, new = defined_root(leaves[:first]), defined_root(leaves[:second])
    assert merkle.verify_consistency(first, second, old, new, proof)
    assert not merkle.verify_consistency(second + 1, second, old, new, proof)
    assert not merkle.verify_consistency(first, second, b"\1" * 32, new, proof)
    assert not merkle.verify_consistency(first, second, old, new, [*proof, b"\0" * 32])
    if proof:
        assert not merkle.verify_consistency(first, second, old, b"\1" * 32, proof)
        assert not merkle.verify_consistency(first, second, old, new, proof[:-1])
        assert not merkle.verify_consistency(first, second, old, new, damaged(proof, data.draw))


def damaged(proof: list[bytes], draw: Callable[[st.SearchStrategy[int]], int]) -> list[bytes]:
    """One bit of one hash is another."""
    where, bit = draw(st.integers(0, len(proof) - 1)), draw(st.integers(0, 255))
    changed = bytearray(proof[where])
    changed[bit // 8] ^= 1 << bit % 8
    return [*proof[:where], bytes(changed), *proof[where + 1 :]]


def test_there_is_no_proof_of_what_is_not_there() -> None:
    hashes = stored(LEAVES)
    for index, size in ((8, 8), (-1, 8), (0, 0)):
        with pytest.raises(ValueError, match="no such leaf"):
            merkle.inclusion_proof(index, size, hashes)
    with pytest.raises(ValueError, match="larger"):
        merkle.consistency_proof(5, 4, hashes)
    assert not merkle.verify_inclusion(b"", 3, 3, [], b"")
