"""Pure: a machine-readable time code painted into a picture, readable again after H.264 and scaling.

Layout, complete enough to write a reader in any language. All lengths are fractions of the picture's width W,
so the strip is found at any scale as long as the whole picture was scaled (never cropped or padded):

* The strip is a grid of 48 columns × 2 rows of square blocks at the picture's top left. A block is W/48 wide
  and high (40 px at W = 1920, 13⅓ px at W = 640). Block (row r, column c) covers x from c·W/48 to (c+1)·W/48
  and y from r·W/48 to (r+1)·W/48. Edges that are not whole pixels are rounded to the nearest one.
* A white block (luma 235) is 1, a black block (luma 16) is 0; chroma is neutral.
* Bits are read row by row, left to right; numbers have their most significant bit first:
  bits 0–15 sync pattern 0xEB90 (8 ones, 8 zeros); bits 16–79 capture time, microseconds since 1970-01-01 UTC
  (64 bits, unsigned); bits 80–95 CRC-16/IBM-3740 ("CCITT-FALSE": polynomial 0x1021, start 0xFFFF, nothing
  reflected, no final xor; check("123456789") = 0x29B1) of the 8 bytes of the time, big-endian.
* So row 0 = sync + upper 32 bits of the time, row 1 = lower 32 bits + CRC.

To read: average each block over its middle half in both directions (from ¼ to ¾). `white` is the mean of the
eight sync blocks that must be 1, `black` of the eight that must be 0; refuse when white − black < 48 of 255.
A block is 1 when it is brighter than (white + black) / 2. Refuse when sync or CRC does not fit.
"""

from __future__ import annotations

import binascii
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

COLUMNS: Final = 48
ROWS: Final = 2
SYNC: Final = 0xEB90
SYNC_BITS: Final = 16
TIME_BITS: Final = 64
CRC_BITS: Final = 16
WHITE: Final = 235
BLACK: Final = 16
MIN_CONTRAST: Final = 48
MIN_WIDTH_PX: Final = 192
"""Below 4 px per block the middle half of a block is no longer its own."""

Picture = NDArray[Any]


def strip_height(width_px: int) -> int:
    """Pixels from the top of a picture of this width that belong to the time code."""
    return _edges(width_px, ROWS)[-1]


def encode(capture_time_us: int, luma: NDArray[np.uint8]) -> None:
    """Paint the time code into `luma`, a writable Y plane (height, width); the rest of the plane stays.

    Raises ValueError when the plane is too small or the time does not fit 64 bits.
    """
    height, width = luma.shape
    if width < MIN_WIDTH_PX or height < strip_height(width):
        raise ValueError(f"a {width}x{height} picture is too small for a time code")
    if not 0 <= capture_time_us < 1 << TIME_BITS:
        raise ValueError("capture time does not fit 64 bits")
    levels = np.where(_bits(capture_time_us), WHITE, BLACK).astype(np.uint8).reshape(ROWS, COLUMNS)
    columns, rows = _edges(width, COLUMNS), _edges(width, ROWS)
    for row in range(ROWS):
        luma[rows[row] : rows[row + 1], :width] = np.repeat(levels[row], np.diff(columns))


def decode(picture: Picture) -> int | None:
    """Read the capture time (Unix µs) from `picture`: luma (height, width) or colour (height, width, 3 or 4).

    None when there is no readable time code: too small, too little contrast, wrong sync or checksum.
    """
    luma = picture if picture.ndim == 2 else picture[..., :3].mean(axis=2)
    height, width = luma.shape
    if width < MIN_WIDTH_PX or height < strip_height(width):
        return None
    levels = _block_means(luma, width)
    bits = _threshold(levels)
    if bits is None:
        return None
    return _number(bits)


def _block_means(luma: Picture, width: int) -> NDArray[np.float64]:
    block = width / COLUMNS
    levels = np.empty(ROWS * COLUMNS)
    for index in range(ROWS * COLUMNS):
        row, column = divmod(index, COLUMNS)
        top, left = _middle(row, block), _middle(column, block)
        levels[index] = luma[top, left].mean()
    return levels


def _middle(index: int, block: float) -> slice:
    first = round((index + 0.25) * block)
    return slice(first, max(first + 1, round((index + 0.75) * block)))


def _threshold(levels: NDArray[np.float64]) -> NDArray[np.bool_] | None:
    ones = _SYNC_ONES
    white, black = levels[:SYNC_BITS][ones].mean(), levels[:SYNC_BITS][~ones].mean()
    if white - black < MIN_CONTRAST:
        return None
    bits: NDArray[np.bool_] = levels > (white + black) / 2
    return bits if np.array_equal(bits[:SYNC_BITS], ones) else None


def _number(bits: NDArray[np.bool_]) -> int | None:
    packed = np.packbits(bits[SYNC_BITS:]).tobytes()
    time, crc = packed[: TIME_BITS // 8], packed[TIME_BITS // 8 :]
    if binascii.crc_hqx(time, 0xFFFF) != int.from_bytes(crc, "big"):
        return None
    return int.from_bytes(time, "big")


def _bits(capture_time_us: int) -> NDArray[np.bool_]:
    time = capture_time_us.to_bytes(TIME_BITS // 8, "big")
    crc = binascii.crc_hqx(time, 0xFFFF)
    whole = SYNC.to_bytes(2, "big") + time + crc.to_bytes(2, "big")
    return np.unpackbits(np.frombuffer(whole, np.uint8)).astype(np.bool_)


def _edges(width: int, count: int) -> list[int]:
    return [round(index * width / COLUMNS) for index in range(count + 1)]


_SYNC_ONES: Final = np.unpackbits(np.frombuffer(SYNC.to_bytes(2, "big"), np.uint8)).astype(np.bool_)
