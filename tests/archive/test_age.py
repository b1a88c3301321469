"""What is encrypted here is opened by the age library and the age tool, and by nobody else."""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path

import pyrage
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.age import CHUNK_BYTES, Secrets, X25519Recipient, encrypt

IDENTITY = pyrage.x25519.Identity.generate()
RECIPIENT = X25519Recipient.parse(str(IDENTITY.to_public()))
TAG_BYTES = 16
EDGES = [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES, 3 * CHUNK_BYTES + 17]


def sealed(data: bytes) -> bytes:
    return bytes(encrypt(data, RECIPIENT))


@given(st.binary(max_size=300), st.sampled_from(EDGES))
def test_the_library_opens_it_whatever_its_size(data: bytes, padding: int) -> None:
    data += bytes(padding)
    assert pyrage.decrypt(sealed(data), [IDENTITY]) == data


@pytest.mark.parametrize("size", EDGES)
def test_the_tool_opens_it(size: int, tmp_path: Path) -> None:
    key, data = tmp_path / "key", bytes(range(256)) * (size // 256 + 1)
    key.write_text(str(IDENTITY))
    opened = subprocess.run(["age", "-d", "-i", key], input=sealed(data[:size]), capture_output=True)
    assert opened.stderr == b""
    assert opened.stdout == data[:size]


def test_nobody_else_opens_it_and_no_changed_byte_goes_unnoticed() -> None:
    file = sealed(b"what was seen")
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt(file, [pyrage.x25519.Identity.generate()])
    for position in range(len(file)):
        changed = file[:position] + bytes([file[position] ^ 1]) + file[position + 1 :]
        with pytest.raises(pyrage.DecryptError):
            pyrage.decrypt(changed, [IDENTITY])


def test_a_file_cut_at_a_block_is_noticed() -> None:
    file = sealed(bytes(3 * CHUNK_BYTES))
    for cut in range(3):
        with pytest.raises(pyrage.DecryptError):
            pyrage.decrypt(file[: len(file) - (3 - cut) * (CHUNK_BYTES + TAG_BYTES)], [IDENTITY])


def test_no_two_files_share_a_byte_of_key_material() -> None:
    first, second = sealed(b"the same"), sealed(b"the same")
    assert first.split(b"\n")[1:3] != second.split(b"\n")[1:3]
    assert first[-40:-24] != second[-40:-24], "the nonce"
    assert first[-24:] != second[-24:]


@given(st.binary(min_size=32, max_size=32))
def test_every_recipient_is_read_as_the_library_reads_it(seed: bytes) -> None:
    identity = pyrage.x25519.Identity.generate()
    recipient = X25519Recipient.parse(str(identity.to_public()))
    assert pyrage.decrypt(bytes(encrypt(seed, recipient)), [identity]) == seed


@pytest.mark.parametrize(
    "text", ["", "age1", "age1qqqq", "AGE1" + "q" * 58, "ssh-ed25519 AAAA", "age1" + "b" * 58]
)
def test_what_is_no_recipient_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an X25519 recipient"):
        X25519Recipient.parse(text)


@pytest.mark.parametrize("fails", [False, True])
def test_every_secret_is_zeros_afterwards_even_if_something_failed(fails: bool) -> None:
    with contextlib.suppress(KeyError), Secrets() as secrets:
        kept = [secrets.keep(os.urandom(16))]
        kept += [secrets.derive(kept[0], b"salt", b"one"), secrets.derive(kept[0], b"", b"other")]
        assert len(set(kept)) == 3
        if fails:
            raise KeyError
    assert [len(secret) for secret in kept] == [16, 32, 32]
    assert not any(any(secret) for secret in kept)


def test_nothing_that_encrypting_derived_is_left_in_what_it_held(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[bytes] = []
    keep = Secrets.keep

    def watched(self: Secrets, secret: bytes) -> bytes:
        held.append(secret)
        return keep(self, secret)

    monkeypatch.setattr(Secrets, "keep", watched)
    file = sealed(b"what was seen")
    assert pyrage.decrypt(file, [IDENTITY]) == b"what was seen"
    assert len(held) == 8, "file key, shared secret, and three derived keys with what is between"
    assert not any(any(secret) for secret in held)


def test_keys_are_derived_as_rfc_5869_says() -> None:
    """Its test case 1."""
    with Secrets() as secrets:
        found = secrets.derive(b"\x0b" * 22, bytes(range(13)), bytes(range(0xF0, 0xFA)))
        assert found.hex().startswith("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf")
