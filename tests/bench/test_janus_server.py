"""Janus for the benchmark: its configuration, and one short real run beside nothing of the machine's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.janus import Load, local_address, measure
from bench.janus_api import JanusClient, JanusRefused
from bench.janus_server import find_libraries, janus, write_configuration


@pytest.fixture
def libraries(tmp_path: Path) -> Path:
    return tmp_path / "libraries"


def test_the_configuration_is_all_in_its_own_directory(tmp_path: Path, libraries: Path) -> None:
    place = tmp_path / "janus"
    place.mkdir()
    api = write_configuration(place, "192.0.2.7", libraries)
    main = (place / "janus.jcfg").read_text()
    assert api.parent == place
    assert 'ice_enforce_list = "192.0.2.7"' in main
    assert "rtp_port_range" in main
    for line in (line for line in main.splitlines() if "folder" in line):
        assert str(place) in line


def test_only_the_video_room_and_a_unix_socket_are_loaded(tmp_path: Path, libraries: Path) -> None:
    place = tmp_path / "janus"
    place.mkdir()
    api = write_configuration(place, "192.0.2.7", libraries)
    assert [path.name for path in (place / "plugins").iterdir()] == ["libjanus_videoroom.so"]
    assert [path.name for path in (place / "transports").iterdir()] == ["libjanus_websockets.so"]
    assert not list((place / "nothing").iterdir())
    websockets = (place / "janus.transport.websockets.jcfg").read_text()
    assert f'ws_unix = "{api}"' in websockets
    assert "admin_ws = false" in websockets
    assert "port" not in websockets


def test_media_settings_stay_as_janus_has_them(tmp_path: Path, libraries: Path) -> None:
    place = tmp_path / "janus"
    place.mkdir()
    write_configuration(place, "192.0.2.7", libraries)
    text = "".join(path.read_text() for path in place.glob("*.jcfg"))
    for setting in ("nack", "twcc", "transport_wide", "event_loops", "dtls", "ice_lite", "bitrate", "debug"):
        assert setting not in text
    assert 'videocodec = "h264"' in text


def test_the_installed_libraries_are_found() -> None:
    assert (find_libraries() / "transports" / "libjanus_websockets.so").exists()


async def test_what_janus_refuses_is_said_in_its_words(tmp_path: Path) -> None:
    async with janus(str(tmp_path), local_address()) as (_, api):
        client = await JanusClient.open(api)
        try:
            with pytest.raises(JanusRefused, match="positive integer"):
                await client.subscribe("nobody", ["-1"])
        finally:
            await client.close()


async def test_a_short_run_through_janus_delivers_every_packet_sealed_alike() -> None:
    load = Load(seconds=1.0, bitrate_bps=1_000_000, warm_up_s=0.4)
    run = await measure("janus", 2, 1, load, local_address())
    assert run.loss_percent == 0
    assert run.delivered_per_s > 1.8 * run.sent_per_s > 100
    assert run.srtp_profile == "SRTP_AEAD_AES_256_GCM"
    assert run.verified_packets > 0
    assert run.rejected_packets == 0
    assert run.viewer_feedback > 0
    assert run.publisher_feedback > 0
    assert 0 < run.cpu_us_per_packet < 10_000
    assert 0 < run.transit_p50_us < 1_000_000
