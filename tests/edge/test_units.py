"""The box's units let it at its devices."""

from __future__ import annotations

from pathlib import Path

import pytest

DEPLOY = Path(__file__).parents[2] / "deploy"
SHUTS_OUT = {"PrivateDevices", "DevicePolicy", "DeviceAllow", "ProtectClock"}
"""ProtectClock= is DeviceAllow=char-rtc on systemd 249, and that closes everything else."""


@pytest.mark.parametrize("unit", ["teleconsult-edge.service", "teleconsult-gadget.service"])
def test_a_unit_shuts_no_device_out(unit: str) -> None:
    names = {line.partition("=")[0] for line in (DEPLOY / unit).read_text().splitlines()}
    assert "ExecStart" in names
    assert not names & SHUTS_OUT
