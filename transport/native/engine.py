"""Loads `engine.c` as built, and gives it OpenSSL's AES-GCM."""

from __future__ import annotations

import ctypes
import ssl
import struct
from functools import cache
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import structlog

from transport.native.layout import lay_out

LIBRARY: Final = Path(__file__).with_name("_engine.so")
VERSION: Final = 5
"""Of the interface; another one is not used."""
CONTROL_BYTES: Final = 64
_ADDRESS_WORDS: Final = 16
_TOTALS: Final = struct.Struct("@6Q")
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


class Totals:
    """`tc_totals`: what came of the latest jobs."""

    __slots__ = ("_memory", "address")

    def __init__(self) -> None:
        self._memory = bytearray(_TOTALS.size)
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))

    def read(self) -> tuple[int, ...]:
        """(datagrams, calls, dropped, errors, fallbacks, not sealed)."""
        return _TOTALS.unpack(self._memory)


class Engine:
    """The library's functions. Made once per process (`load_engine`)."""

    def __init__(self, library: ctypes.CDLL, crypto: ctypes.CDLL, module: ModuleType | None = None) -> None:
        """`module`: the same library as Python's own kind of module, whose calls cost less than those of
        ctypes.

        Raises `OSError` for a library of another version, `AttributeError` where a function is missing.
        """
        library.tc_version.restype = ctypes.c_int
        if library.tc_version() != VERSION:
            raise OSError("built from other sources")
        pointers = [ctypes.cast(getattr(crypto, name), ctypes.c_void_p).value or 0 for name in _FUNCTIONS]
        table = (ctypes.c_void_p * len(pointers))(*pointers)
        library.tc_init(ctypes.byref(table))
        self._crypto = crypto
        pointer, number, size = ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32
        self._cipher_new = _declared(
            library.tc_cipher_new, pointer, ctypes.c_char_p, number, ctypes.c_char_p, number
        )
        self.cipher_free = _declared(library.tc_cipher_free, None, pointer)
        self.run = _declared(library.tc_run, None, number, pointer, size, number, pointer)
        self.open = _declared(
            library.tc_open, size, pointer, pointer, size, size, size, ctypes.c_uint64, pointer, pointer
        )
        self.receive = _declared(library.tc_receive, number, number, pointer, size, pointer, size)
        self.lay_out: Any = lay_out
        if module is not None:
            self.run, self.open, self.receive = module.run, module.open, module.receive
            self.lay_out = module.lay_out

    def cipher(self, key: bytes, salt: bytes, *, encrypts: bool) -> int:
        """AES-GCM with this key, to be given back to `cipher_free`. Raises `ValueError` where OpenSSL
        refuses.
        """
        made = self._cipher_new(key, len(key), salt, int(encrypts))
        if not made:
            raise ValueError("OpenSSL has no such cipher")
        return int(made)


def _declared(function: Any, result: type[Any] | None, *arguments: type[Any]) -> Any:
    """A function of the library with its types."""
    function.restype, function.argtypes = result, arguments
    return function


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


@cache
def load_engine() -> Engine | None:
    """The engine; None where it was not built or cannot be used."""
    if not LIBRARY.exists():
        _log.info("engine.absent", hint="scripts/build-engine makes the media server cheaper")
        return None
    try:
        found = Engine(ctypes.CDLL(str(LIBRARY)), _crypto(), _module())
    except (OSError, AttributeError) as error:
        _log.warning("engine.unusable", error=str(error))
        return None
    return found


def _module() -> ModuleType | None:
    """The library, imported; None where it was built without Python's headers."""
    loader = ExtensionFileLoader("_engine", str(LIBRARY))
    spec = spec_from_file_location("_engine", LIBRARY, loader=loader)
    if spec is None:
        return None
    try:
        module = module_from_spec(spec)
    except ImportError:
        return None
    loader.exec_module(module)
    return module


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
