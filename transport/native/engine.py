"""Loads `engine.c` as built, and gives it OpenSSL's AES-GCM."""

from __future__ import annotations

import ctypes
import ssl
from array import array
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Final

import structlog

LIBRARY: Final = Path(__file__).with_name("_engine.so")
VERSION: Final = 2
"""Of the interface; another one is not used."""
CONTROL_BYTES: Final = 64
_ADDRESS_WORDS: Final = 16
_FUNCTIONS: Final = (
    "EVP_CIPHER_CTX_new",
    "EVP_CIPHER_CTX_free",
    "EVP_aes_128_gcm",
    "EVP_aes_256_gcm",
    "EVP_CipherInit_ex",
    "EVP_CipherUpdate",
    "EVP_CipherFinal_ex",
    "EVP_CIPHER_CTX_ctrl",
)
"""In the order of `tc_openssl`."""

_log = structlog.get_logger()


class PathHead(ctypes.Structure):
    """`tc_path`."""

    _fields_ = (
        ("address", ctypes.c_uint64 * _ADDRESS_WORDS),
        ("address_bytes", ctypes.c_uint32),
        ("max_segment", ctypes.c_uint32),
        ("control_bytes", ctypes.c_uint32),
        ("control", ctypes.c_uint8 * CONTROL_BYTES),
    )


class Totals(ctypes.Structure):
    """`tc_totals`: what came of the jobs since it was zeroed."""

    _fields_ = tuple(
        (name, ctypes.c_uint64)
        for name in ("datagrams", "calls", "dropped_full", "send_errors", "fallbacks", "failed")
    )


class BatchHead(ctypes.Structure):
    """`tc_batch`."""

    _fields_ = (
        ("headers", ctypes.c_char_p),
        ("payloads", ctypes.c_char_p),
        ("header_at", ctypes.c_void_p),
        ("payload_at", ctypes.c_void_p),
        ("number_at", ctypes.c_void_p),
        ("count", ctypes.c_uint32),
    )


class Engine:
    """The library's functions. Made once per process (`load_engine`)."""

    def __init__(self, library: ctypes.CDLL, crypto: ctypes.CDLL) -> None:
        """Raises `OSError` for a library of another version, `AttributeError` where a function is missing."""
        library.tc_version.restype = ctypes.c_int
        if library.tc_version() != VERSION:
            raise OSError("built from other sources")
        pointers = [ctypes.cast(getattr(crypto, name), ctypes.c_void_p).value or 0 for name in _FUNCTIONS]
        table = (ctypes.c_void_p * len(pointers))(*pointers)
        library.tc_init(ctypes.byref(table))
        self._crypto = crypto
        self._cipher_new = library.tc_cipher_new
        self._cipher_new.restype = ctypes.c_void_p
        self._cipher_new.argtypes = (ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_int)
        self.cipher_free = library.tc_cipher_free
        self.cipher_free.restype = None
        self.cipher_free.argtypes = (ctypes.c_void_p,)
        self.run = library.tc_run
        self.run.restype = None
        self.run.argtypes = (
            ctypes.c_int,
            ctypes.c_void_p,
            ctypes.c_uint32,
            ctypes.c_int,
            ctypes.POINTER(Totals),
        )
        self.open = library.tc_open
        self.open.restype = ctypes.c_uint32
        self.open.argtypes = (
            ctypes.c_void_p,
            ctypes.c_char_p,
            ctypes.c_uint32,
            ctypes.c_uint32,
            ctypes.c_uint32,
            ctypes.c_uint64,
            ctypes.c_void_p,
            ctypes.c_void_p,
        )

    def cipher(self, key: bytes, salt: bytes, *, encrypts: bool) -> int:
        """AES-GCM with this key, to be given back to `cipher_free`. Raises `ValueError` where OpenSSL
        refuses.
        """
        made = self._cipher_new(key, len(key), salt, int(encrypts))
        if not made:
            raise ValueError("OpenSSL has no such cipher")
        return int(made)


class NativeCipher:
    """One direction's AES-GCM (RFC 7714) in the engine; `handle` is good as long as this object lives."""

    __slots__ = ("__weakref__", "_engine", "handle")

    def __init__(self, engine: Engine, key: bytes, salt: bytes, *, encrypts: bool) -> None:
        self._engine = engine
        self.handle = engine.cipher(key, salt, encrypts=encrypts)

    def __del__(self) -> None:
        handle, self.handle = getattr(self, "handle", 0), 0
        if handle:
            self._engine.cipher_free(handle)


class NativeBatch:
    """`tc_batch` with what it points to: header templates (sequence number and SSRC of no meaning, timestamp
    the source's), payloads, and where the transport-wide numbers stand (`None`: without).
    """

    __slots__ = ("_head", "_keep", "address")

    def __init__(
        self, headers: Sequence[bytes], payloads: Sequence[bytes], number_at: Sequence[int] | None
    ) -> None:
        places = array("h", number_at if number_at is not None else [-1] * len(headers))
        header_at, payload_at = array("I", _ends(headers)), array("I", _ends(payloads))
        head = BatchHead(b"".join(headers), b"".join(payloads))
        head.header_at = header_at.buffer_info()[0]
        head.payload_at = payload_at.buffer_info()[0]
        head.number_at = places.buffer_info()[0]
        head.count = len(headers)
        self._head = head
        self._keep = (places, header_at, payload_at)
        self.address = ctypes.addressof(head)


def _ends(parts: Sequence[bytes]) -> Iterator[int]:
    end = 0
    yield 0
    for part in parts:
        end += len(part)
        yield end


@cache
def load_engine() -> Engine | None:
    """The engine; None where it was not built or cannot be used."""
    if not LIBRARY.exists():
        _log.info("engine.absent", hint="scripts/build-engine makes the media server cheaper")
        return None
    try:
        found = Engine(ctypes.CDLL(str(LIBRARY)), _crypto())
    except (OSError, AttributeError) as error:
        _log.warning("engine.unusable", error=str(error))
        return None
    return found


def _crypto() -> ctypes.CDLL:
    """The OpenSSL that Python's own `ssl` uses, or the system's. Raises `OSError`."""
    major = ssl.OPENSSL_VERSION_INFO[0]
    names = [f"libcrypto.so.{major}", "libcrypto.so.3", "libcrypto.so"]
    for name in names:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    raise OSError("no libcrypto to be found")
