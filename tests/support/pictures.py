"""Small real files for chats."""

from __future__ import annotations

import struct
import zlib


def png(width: int = 64, height: int = 48, rgb: tuple[int, int, int] = (200, 60, 60)) -> bytes:
    """A picture of one colour."""
    return _png(width, height, b"".join(b"\0" + bytes(rgb) * width for _ in range(height)))


def scan(width: int = 480, height: int = 360) -> bytes:
    """Something like a fan of an ultrasound picture."""
    rows = []
    for y in range(height):
        half = width * y // (2 * height)
        grey = [(y * 5 + abs(x - width // 2) * 3) % 97 for x in range(width)]
        inside = (value if abs(x - width // 2) < half else 0 for x, value in enumerate(grey))
        rows.append(b"\0" + b"".join(bytes((value, value, value)) for value in inside))
    return _png(width, height, b"".join(rows))


def _png(width: int, height: int, rows: bytes) -> bytes:
    """PNG (W3C), eight bits per colour."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack("!I", len(content)) + kind + content + struct.pack("!I", zlib.crc32(kind + content))
        )

    header = struct.pack("!IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
