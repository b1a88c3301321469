"""Pure: affine maps of the plane, and between the units a mark's motion is told and worked out in.

*Normalised* coordinates are those of marks: 0…1 of the picture's width and height. *Tracking pixels* are
those of the reduced grey picture that is tracked on; whole numbers are the middles of pixels.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
"""(n, 2), x before y."""
Matrix = NDArray[np.float64]
"""(2, 3): what `[x, y, 1]` is multiplied by."""
IDENTITY: Final[Matrix] = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


class Affine(NamedTuple):
    """x' = a·x + c·y + e, y' = b·x + d·y + f: the order of CSS and SVG `matrix(a, b, c, d, e, f)`."""

    a: float = 1.0
    b: float = 0.0
    c: float = 0.0
    d: float = 1.0
    e: float = 0.0
    f: float = 0.0

    def apply(self, points: Points) -> Points:
        """The points moved."""
        return apply(np.array([[self.a, self.c, self.e], [self.b, self.d, self.f]]), points)


def apply(matrix: Matrix, points: Points) -> Points:
    """The points moved."""
    moved: Points = points @ matrix[:, :2].T + matrix[:, 2]
    return moved


def compose(outer: Matrix, inner: Matrix) -> Matrix:
    """First `inner`, then `outer`. In Python's own numbers: for so few of them numpy is slower."""
    (a, c, e), (b, d, f) = outer.tolist()
    (p, r, t), (q, s, u) = inner.tolist()
    return np.array(
        [[a * p + c * q, a * r + c * s, a * t + c * u + e], [b * p + d * q, b * r + d * s, b * t + d * u + f]]
    )


def invert(matrix: Matrix) -> Matrix:
    """The way back. Raises `ZeroDivisionError` for a map that flattens."""
    (a, c, e), (b, d, f) = matrix.tolist()
    size = a * d - b * c
    return np.array(
        [[d / size, -c / size, (c * f - d * e) / size], [-b / size, a / size, (b * e - a * f) / size]]
    )


def shift(x: float, y: float) -> Matrix:
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y]])


def to_pixels(points: Points, width: int, height: int) -> Points:
    """Normalised → tracking pixels."""
    pixels: Points = points * (width, height) - 0.5
    return pixels


def normalised(matrix: Matrix, width: int, height: int) -> Affine:
    """A motion in tracking pixels → the same in normalised coordinates."""
    middle = np.array([0.5, 0.5])
    (a, c), (b, d) = matrix[:, :2]
    e, f = matrix[:, 2] + middle - matrix[:, :2] @ middle
    shape = width / height
    return Affine(float(a), float(b * shape), float(c / shape), float(d), float(e / width), float(f / height))


def is_plausible(matrix: Matrix, most: float) -> bool:
    """Whether nothing is stretched, squeezed or mirrored by more than the factor `most`."""
    (a, c, _), (b, d, _) = matrix.tolist()
    size = a * d - b * c
    squares = (a * a + b * b + c * c + d * d) / 2
    if not size > 0 or not squares < most * most * 2:
        return False
    largest = squares + max(0.0, squares * squares - size * size) ** 0.5
    return bool(largest <= most * most and size * size / largest >= 1 / (most * most))
