"""The real clip with its burned-in text, over a real connection: what the server received is decoded."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from edge_agents.masks import write_profile
from edge_agents.sources.picture import planes_of
from tests.edge.support import decode_data
from tests.edge.test_masks_proof import BURNED_IN, clip_profile, seen_through, stroke_energy
from tests.edge.test_publisher import LARGE, both_encodings, running_feed
from tests.edge.whip_server import WhipServer

SIZES = {"f": (960, 540), "q": (640, 360)}


async def test_the_server_and_a_still_get_the_heart_but_no_letter(tmp_path: Path) -> None:
    (tmp_path / "masks.toml").write_text(write_profile(clip_profile()))
    settings = {**LARGE, "source": {"kind": "clip", "screen": False}, "masks": "masks.toml"}
    async with WhipServer.open() as server, running_feed(server, tmp_path, **settings) as feed:
        received = await both_encodings(server)
        held = [frame.captured.unix_us for frame in feed.stills.since(-1)]
        stills = [await feed.still(captured_us) for captured_us in held[-3:]]
        units = {rid: [unit.data for unit in received.streams[rid].units] for rid in SIZES}
    for rid, size in SIZES.items():
        pictures = [planes_of(picture).y for picture in decode_data(units[rid])]
        assert len(pictures) >= 10
        assert {(luma.shape[1], luma.shape[0]) for luma in pictures} == {size}
        assert max(int(luma[size[1] // 4 : size[1] * 3 // 4].max()) for luma in pictures) > 100
        for box in BURNED_IN:
            place = seen_through(box, size)
            assert max(stroke_energy(luma[place]) for luma in pictures) < 12
            assert max(int(luma[place].max()) for luma in pictures) <= 24
    for still in stills:
        grey = np.asarray(cv2.imdecode(np.frombuffer(still, np.uint8), cv2.IMREAD_GRAYSCALE))
        assert all(grey[seen_through(box, SIZES["f"])].max() <= 1 for box in BURNED_IN)
