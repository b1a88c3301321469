"""Signed notes, checkpoints and cosignatures: the published examples, and what must be refused."""

from __future__ import annotations

import base64
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive import merkle
from archive.checkpoint import COSIGNATURE, Checkpoint, Note, VerifierKey, sign_checkpoint
from archive.keys import ArchiveSigner
from archive.witness import Witness, check_cosignature, cosign, cosignatures, message
from core.errors import Conflict, ProtocolError

PETER: Final = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETERS_NOTE: Final = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
"""The example of golang.org/x/mod/sumdb/note."""
EXAMPLE: Final = (
    "example.com/behind-the-sofa\n"
    "20852163\n"
    "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    "\n"
    "— example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "— witness.example.com/w1 "
    "jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
)
"""The example of c2sp.org/tlog-cosignature."""
KEY: Final = ArchiveSigner.generate()
OTHER: Final = ArchiveSigner.generate()
ORIGIN: Final = "example.org/log"
LOG: Final = VerifierKey.of(ORIGIN, KEY.public)


def checkpoint(size: int = 1, root: bytes = b"\7" * 32) -> Checkpoint:
    return Checkpoint(ORIGIN, size, root)


def test_the_published_note_is_read_and_its_signature_holds() -> None:
    peter, note = VerifierKey.parse(PETER), Note.parse(PETERS_NOTE)
    assert note.signed_by([peter]) == peter
    assert (note.spell(), peter.text) == (PETERS_NOTE, PETER)
    assert note.signed_by([LOG]) is None
    with pytest.raises(ProtocolError, match="wrong"):
        Note.parse(PETERS_NOTE.replace("problem is", "problem was")).signed_by([peter])


def test_the_published_checkpoint_is_read_and_spelled_the_same() -> None:
    note = Note.parse(EXAMPLE)
    found = Checkpoint.parse(note.text)
    assert (found.origin, found.size) == ("example.com/behind-the-sofa", 20852163)
    assert (found.text, note.spell()) == (note.text, EXAMPLE)
    assert int.from_bytes(note.signatures[1].data[:8], "big") == 1679315147
    assert message(note.text, 1679315147).startswith(b"cosignature/v1\ntime 1679315147\nexample.com/behind")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "text\n",
        "text\n\n",
        "text\n\n— name notbase64!\n",
        "text\n\n— name AAAA\n",
        "text\n\nname AAAAAAAA\n",
        "text\n\n— na me AAAAAAAA\n",
        "text\n\n— na+me AAAAAAAA\n",
        "te\txt\n\n— name AAAAAAAA\n",
        "text\n\n— name AAAAAAAA",
        "text\n\n— name AAAAAAB=\n",
        "text\ud800\n\n— name AAAAAAAA\n",
        "text\n\n" + "— name AAAAAAAA\n" * 65,
        "text\n" * 20_000 + "\n— name AAAAAAAA\n",
    ],
)
def test_what_is_not_a_note_is_refused(text: str) -> None:
    with pytest.raises(ProtocolError):
        Note.parse(text)


ROOT: Final = base64.b64encode(b"\7" * 32).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"{ORIGIN}\n1\n",
        f"\n1\n{ROOT}\n",
        f"{ORIGIN}\n01\n{ROOT}\n",
        f"{ORIGIN}\n-1\n{ROOT}\n",
        f"{ORIGIN}\n+1\n{ROOT}\n",
        f"{ORIGIN}\n1\n{ROOT}",
        f"{ORIGIN}\n1\n{ROOT[4:]}\n",
        f"{ORIGIN}\n1\n{ROOT}\n\nmore\n",
        f"{ORIGIN}\n9999999999999999\n{ROOT}\n",
        f"{ORIGIN}\n١\n{ROOT}\n",
    ],
)
def test_what_is_not_a_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(ProtocolError):
        Checkpoint.parse(text)


def test_extension_lines_are_read_over() -> None:
    assert Checkpoint.parse(f"{ORIGIN}\n5\n{ROOT}\nmore\n") == checkpoint(5)


@pytest.mark.parametrize(
    "text",
    [
        "",
        PETER.replace("c74f20a3", "c74f20a4"),
        PETER.replace("PeterNeumann", "Peter Neumann"),
        PETER[:-4],
        "name+00000000+AA==",
    ],
)
def test_what_is_not_a_verifier_key_is_refused(text: str) -> None:
    with pytest.raises(ProtocolError):
        VerifierKey.parse(text)


def test_a_known_keys_wrong_signature_spoils_the_note_and_an_unknown_ones_does_not() -> None:
    good = sign_checkpoint(checkpoint(), KEY)
    other = VerifierKey.of("other.example", OTHER.public)
    forged = good.signatures[0].__class__(other.name, other.key_id, b"\0" * 64)
    both = Note(good.text, (*good.signatures, forged))
    assert both.signed_by([LOG]) == LOG
    with pytest.raises(ProtocolError):
        both.signed_by([LOG, other])


def test_a_cosignature_says_who_and_when_and_binds_both() -> None:
    text = checkpoint().text
    line = cosign(text, "witness.example", OTHER, 1_700_000_000)
    witness = VerifierKey.of("witness.example", OTHER.public, COSIGNATURE)
    found = check_cosignature(text, line, witness)
    assert found is not None
    assert (found.witness, found.at_s) == ("witness.example", 1_700_000_000)
    later = line.__class__(line.name, line.key_id, (1_700_000_001).to_bytes(8, "big") + line.data[8:])
    assert check_cosignature(text, later, witness) is None
    assert check_cosignature(checkpoint(2).text, line, witness) is None
    assert check_cosignature(text, line, VerifierKey.of("witness.example", OTHER.public)) is None
    note = Note(text, (*sign_checkpoint(checkpoint(), KEY).signatures, line))
    assert cosignatures(Note.parse(note.spell()), [witness, LOG]) == [found]


def test_a_plain_signature_cannot_be_passed_off_as_a_cosignature() -> None:
    """The same key and name, but another type: another id, another message."""
    note = sign_checkpoint(checkpoint(), KEY)
    witness = VerifierKey.of(ORIGIN, KEY.public, COSIGNATURE)
    assert witness.key_id != LOG.key_id
    line = note.signatures[0].__class__(ORIGIN, witness.key_id, b"\0" * 8 + note.signatures[0].data)
    assert check_cosignature(note.text, line, witness) is None


def test_a_witness_follows_a_growing_log_and_refuses_a_fork() -> None:
    hashes = [merkle.leaf_hash(bytes([n])) for n in range(5)]
    trees = [Checkpoint(ORIGIN, size, merkle.root_of(hashes[:size])) for size in range(6)]
    witness = Witness("witness.example", OTHER, LOG)
    witness.cosign(sign_checkpoint(trees[1], KEY), [], 1)
    proof = [hashes[1]]  # of tree 1 in tree 2
    line = witness.cosign(sign_checkpoint(trees[2], KEY), proof, 2)
    assert check_cosignature(trees[2].text, line, witness.verifier) is not None
    fork = Checkpoint(ORIGIN, 3, b"\1" * 32)
    with pytest.raises(Conflict):
        witness.cosign(sign_checkpoint(fork, KEY), [hashes[2]], 3)
    with pytest.raises(Conflict):
        witness.cosign(sign_checkpoint(trees[1], KEY), [], 3)
    with pytest.raises(ProtocolError):
        witness.cosign(sign_checkpoint(trees[3], OTHER), [hashes[2]], 3)
    assert witness.seen == trees[2]


@given(st.text(max_size=300))
def test_a_note_either_reads_back_as_it_was_or_is_refused(text: str) -> None:
    try:
        assert Note.parse(text).spell() == text
    except ProtocolError:
        return
