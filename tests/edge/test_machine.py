"""What is read of the machine, where it can be read."""

from __future__ import annotations

from pathlib import Path

from edge_agents.machine import disk_free_bytes, resident_bytes, temperature_c


def sensor(sys: Path, name: str, text: str) -> None:
    path = sys / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_the_hottest_sensor_counts_whatever_kind_it_is(tmp_path: Path) -> None:
    sensor(tmp_path, "thermal/thermal_zone0/temp", "41500\n")
    sensor(tmp_path, "hwmon/hwmon2/temp1_input", "63250\n")
    assert temperature_c(tmp_path) == 63.25


def test_sensors_that_say_nonsense_are_passed_over(tmp_path: Path) -> None:
    sensor(tmp_path, "thermal/thermal_zone0/temp", "n/a")
    sensor(tmp_path, "thermal/thermal_zone1/temp", "-274000")
    sensor(tmp_path, "hwmon/hwmon0/temp1_input", "999999999")
    assert temperature_c(tmp_path) is None
    sensor(tmp_path, "thermal/thermal_zone2/temp", "39000")
    assert temperature_c(tmp_path) == 39


def test_a_machine_without_sensors_says_so(tmp_path: Path) -> None:
    assert temperature_c(tmp_path / "none") is None


def test_memory_and_disk_are_read(tmp_path: Path) -> None:
    status = tmp_path / "status"
    status.write_text("Name:\tx\nVmRSS:\t    2048 kB\n")
    assert resident_bytes(status) == 2 << 20
    assert resident_bytes(tmp_path / "none") == 0
    assert resident_bytes() > 0
    assert (disk_free_bytes(tmp_path) or 0) > 0
    assert disk_free_bytes(tmp_path / "none") is None
