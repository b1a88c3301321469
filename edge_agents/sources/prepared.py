"""The one way out of a source: what the masks leave of each picture, in the feed's size and colours."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from edge_agents.masks import MaskProfile
from edge_agents.sources.base import CapturedFrame, RawSource
from edge_agents.sources.fit import Fitter
from edge_agents.sources.mask_painting import MaskPainter


class PreparedSource:
    """Masks, then scales: an encoder, the ring of stills and everything else begin after this."""

    def __init__(self, source: RawSource, masks: MaskProfile | None, width: int, height: int) -> None:
        self._source = source
        self._painter = None if masks is None else MaskPainter(masks)
        self._fitter = Fitter(width, height)

    def frames(self, stop: threading.Event) -> Iterator[CapturedFrame]:
        """As the source's. Raises `MaskMismatch` before a picture gets out that the masks do not fit."""
        for raw in self._source.frames(stop):
            picture = raw.picture
            size = (picture.width, picture.height)
            if self._painter is not None:
                picture = self._painter.apply(picture)
            yield CapturedFrame(self._fitter.fit(picture), raw.captured, size)
