"""What a thief who has taken over a process could read: its memory, environment, open files and data."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import pyrage
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

BLOCK_BYTES: Final = 8 << 20
OVERLAP_BYTES: Final = 256
_IDENTITY: Final = re.compile(rb"AGE-SECRET-KEY-(?:PQ-)?1[02-9AC-HJ-NP-Z]{50,100}", re.IGNORECASE)
_BECH32: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def reachable(pid: int, folders: Sequence[Path]) -> Iterator[tuple[str, bytes]]:
    """(where, bytes) of everything, in blocks that overlap."""
    process = Path(f"/proc/{pid}")
    yield from _memory(process)
    for name in ("environ", "cmdline"):
        yield name, (process / name).read_bytes()
    for link in (process / "fd").iterdir():
        target = link.resolve()
        if target.is_file():
            yield f"open file {target}", target.read_bytes()
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                yield str(path), path.read_bytes()


def _memory(process: Path) -> Iterator[tuple[str, bytes]]:
    """Every readable region (proc(5)), but for device memory and what the kernel keeps for itself."""
    with (process / "mem").open("rb", buffering=0) as memory:
        for line in (process / "maps").read_text().splitlines():
            span, mode, *_ = line.split()
            if mode[0] == "r" and not line.endswith(("[vvar]", "[vsyscall]", "[vvar_vclock]")):
                first, last = (int(part, 16) for part in span.split("-"))
                for begin in range(first, last, BLOCK_BYTES - OVERLAP_BYTES):
                    memory.seek(begin)
                    try:
                        yield f"memory {line}", memory.read(min(BLOCK_BYTES, last - begin))
                    except OSError:
                        break  # unmapped meanwhile, or a file shorter than its mapping


def identities_in(data: bytes) -> set[str]:
    """Age secret keys as their files write them."""
    return {found.decode().upper() for found in _IDENTITY.findall(data)}


def raw_secret(identity: str) -> bytes:
    """The 32 bytes of an X25519 identity (Bech32, BIP 173)."""
    symbols = [_BECH32.index(letter) for letter in identity.lower().rpartition("1")[2]][:-6]
    value = 0
    for symbol in symbols:
        value = value << 5 | symbol
    return (value >> (5 * len(symbols) - 256)).to_bytes(32, "big")


def object_keys(secret: bytes, sealed: bytes) -> tuple[bytes, bytes]:
    """File key and payload key of one age file (https://age-encryption.org/v1)."""
    header, _, rest = sealed.partition(b"\n---")
    lines = header.split(b"\n")
    at = next(index for index, line in enumerate(lines) if line.startswith(b"-> X25519 "))
    share, body = _base64(lines[at].split()[2]), _base64(lines[at + 1])
    private = X25519PrivateKey.from_private_bytes(secret)
    own = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    shared = private.exchange(X25519PublicKey.from_public_bytes(share))
    wrap = HKDF(SHA256(), 32, share + own, b"age-encryption.org/v1/X25519").derive(shared)
    file_key = ChaCha20Poly1305(wrap).decrypt(bytes(12), body, None)
    nonce = rest.partition(b"\n")[2][:16]
    return file_key, HKDF(SHA256(), 32, nonce, b"payload").derive(file_key)


def _base64(text: bytes) -> bytes:
    return base64.b64decode(text + b"=" * (-len(text) % 4))


def opens(identity: str, sealed: bytes) -> bool:
    """True when this secret key decrypts that file."""
    try:
        pyrage.decrypt(sealed, [pyrage.x25519.Identity.from_str(identity)])
    except (pyrage.DecryptError, pyrage.IdentityError):
        return False
    return True


def writings(secret: bytes) -> tuple[bytes, ...]:
    """How a key may lie about: as it is, and as texts."""
    return secret, secret.hex().encode(), secret.hex().upper().encode(), base64.b64encode(secret).rstrip(b"=")
