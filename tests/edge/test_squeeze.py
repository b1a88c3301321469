"""The box, real libx264 and a real worker with a link between them that is squeezed; see `bench.squeeze`."""

from __future__ import annotations

from bench.squeeze import Phase, drawn, report, squeeze

PICTURE = {
    "profile": "ultrasound",
    "source": {"kind": "testcard"},
    "width": 1280,
    "height": 720,
    "bitrate_bps": 9_000_000,
}
PHASES = (Phase(8_000_000, 7, 3), Phase(1_500_000, 8, 2), Phase(8_000_000, 9, 5))
MAX_FREEZE_S = 1.5
USED = 0.3
"""By any machine. A sender that is not run for 100 ms looks like a full link: the 80 % and the recovery
within 5 s are held in simulated time (`test_squeeze_simulated`) and measured by `python -m bench.squeeze`.
"""


async def test_a_squeezed_uplink_is_used_and_the_picture_never_stands_still() -> None:
    result = await squeeze(PICTURE, PHASES)
    said = report(result)
    _, narrow, wide = result.phases
    assert max(narrow.freeze_s, narrow.freeze_settled_s, wide.freeze_s) <= MAX_FREEZE_S, said
    assert all(phase.used >= USED for phase in result.phases), said
    assert drawn(result, "Squeezed & <let go>").count("<polyline") == 7
