"""edge.toml: what is right is read, what is wrong is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import ConfigError
from edge_agents.config import ClipSource, EdgeConfig, FileSource, load_config

GOOD = """
server = "http://127.0.0.1:8080/"
room = "demo"
token_file = "device.token"
tls_ca = "ca.pem"

[[feeds]]
name = "ultrasound"
source = { kind = "clip" }

[[feeds]]
name = "theatre"
profile = "theatre"
source = { kind = "file", path = "theatre.mp4" }
width = 1280
height = 720
fps = 25
bitrate_bps = 9_000_000
audio = "tone"
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "edge.toml"
    path.write_text(text)
    return path


def message_for(tmp_path: Path, old: str, new: str) -> str:
    assert old in GOOD
    with pytest.raises(ConfigError) as caught:
        load_config(written(tmp_path, GOOD.replace(old, new)))
    message = str(caught.value)
    assert message.startswith(str(tmp_path / "edge.toml"))
    assert "\n" not in message
    return message


def good(tmp_path: Path) -> EdgeConfig:
    return load_config(written(tmp_path, GOOD))


def test_defaults_are_full_hd_at_30_frames_and_4_5_mbit(tmp_path: Path) -> None:
    feed = good(tmp_path).feeds[0]
    assert (feed.width, feed.height, feed.fps, feed.bitrate_bps) == (1920, 1080, 30, 4_500_000)
    assert isinstance(feed.source, ClipSource)
    assert feed.audio == "none"


def test_relative_paths_begin_at_the_file(tmp_path: Path) -> None:
    config = good(tmp_path)
    assert config.token_file == tmp_path / "device.token"
    assert config.tls_ca == tmp_path / "ca.pem"
    source = config.feeds[1].source
    assert isinstance(source, FileSource)
    assert source.path == tmp_path / "theatre.mp4"


def test_the_ceiling_is_the_profiles_or_the_wish_when_that_is_more(tmp_path: Path) -> None:
    assert [feed.ceiling_bps for feed in good(tmp_path).feeds] == [8_000_000, 9_000_000]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("fps = 25", "fps = 0", ["feeds[1].fps", "1–60"]),
        ("fps = 25", "fsp = 25", ["feeds[1].fsp", "unknown key", "did you mean 'fps'", "bitrate_bps"]),
        ("width = 1280", "width = 1281", ["feeds[1].width", "even"]),
        ('room = "demo"', 'room = "Demo Room"', ["room", "lower-case"]),
        ('room = "demo"', "", ["room, token_file", "belong together", "enrolled"]),
        ('token_file = "device.token"', "", ["room, token_file", "belong together"]),
        ('tls_ca = "ca.pem"', "memory_mb = 300", ["memory_mb", "still_mb"]),
        ('tls_ca = "ca.pem"', "status_port = 70000", ["status_port", "127.0.0.1"]),
        ('"clip"', '"clap"', ["feeds[0].source", "'clap'", "'testcard'"]),
        ('path = "theatre.mp4"', 'pth = "x"', ["feeds[1].source.pth", "allowed: kind, path, loop"]),
        ('profile = "theatre"', 'profile = "x"', ["feeds[1].profile", "'endoscopy'"]),
        ('name = "theatre"', 'name = "ultrasound"', ["feeds", "own name"]),
        ("http://127.0.0.1:8080/", "127.0.0.1", ["server", "https://HOST"]),
        ("http://127.0.0.1:8080/", "http://me:pass@host/", ["server"]),
        ("fps = 25", "fps = ", ["not valid TOML"]),
    ],
)
def test_a_mistake_names_file_key_and_what_is_allowed(
    tmp_path: Path, old: str, new: str, expected: list[str]
) -> None:
    message = message_for(tmp_path, old, new)
    for part in expected:
        assert part in message


def test_every_mistake_is_named_at_once(tmp_path: Path) -> None:
    message = message_for(tmp_path, "fps = 25", 'fps = 900\nencoder = "x265"')
    assert "feeds[1].fps" in message
    assert "feeds[1].encoder" in message


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read"):
        load_config(tmp_path / "none.toml")


def test_a_camera_password_shows_in_no_message_and_no_repr(tmp_path: Path) -> None:
    camera = '{ kind = "rtsp", url = "rtsp://me:hunter2@cam/1" }'
    config = load_config(written(tmp_path, GOOD.replace('{ kind = "clip" }', camera)))
    assert "hunter2" not in repr(config)
    wrong = camera.replace("rtsp://me", "http://me")
    assert "hunter2" not in message_for(tmp_path, '{ kind = "clip" }', wrong)


def test_the_token_is_read_anew_each_time_and_must_be_one_token(tmp_path: Path) -> None:
    config = good(tmp_path)
    with pytest.raises(ConfigError, match=r"device\.token"):
        config.read_token()
    for text in ("one\n", "two"):
        config.token_file.write_text(text)
        assert config.read_token() == text.strip()
    for text in ("", "two words"):
        config.token_file.write_text(text)
        with pytest.raises(ConfigError, match="exactly one token"):
            config.read_token()
