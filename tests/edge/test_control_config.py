"""`[feeds.control]`: off unless it is there, and wrong in no way that is not named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.errors import ConfigError
from edge_agents.config import EdgeConfig, parse_config

GADGET = {"backend": "usb_gadget", "keyboard": "/dev/hidg0", "pointer": "/dev/hidg1"}
RECORDING = {"backend": "recording", "file": "pressed.jsonl"}
BADGE = "ab" * 32


def parsed(tmp_path: Path, *controls: dict[str, Any] | None, **more: Any) -> EdgeConfig:
    feeds = [
        {"name": f"f{number}", "source": {"kind": "testcard"}}
        | ({} if control is None else {"control": control})
        for number, control in enumerate(controls)
    ]
    return parse_config({"server": "https://consult", "feeds": feeds} | more, tmp_path / "edge.toml")


def test_without_its_table_a_feed_cannot_be_controlled(tmp_path: Path) -> None:
    assert parsed(tmp_path, None).feeds[0].control is None


def test_a_gadget_is_confirmed_by_code_or_touch_and_lasts_a_quarter_of_an_hour(tmp_path: Path) -> None:
    control = parsed(tmp_path, GADGET).feeds[0].control
    assert control is not None
    assert (control.confirm, control.max_minutes) == (("code", "touch"), 15)
    assert control.devices == {"keyboard", "pointer"}


def test_relative_paths_begin_at_the_file(tmp_path: Path) -> None:
    control = parsed(tmp_path, RECORDING).feeds[0].control
    assert control is not None
    assert control.file == tmp_path / "pressed.jsonl"
    assert control.devices == {"keyboard", "pointer"}


def test_a_keyboard_alone_will_do(tmp_path: Path) -> None:
    control = parsed(tmp_path, {"backend": "usb_gadget", "keyboard": "/dev/hidg0"}).feeds[0].control
    assert control is not None
    assert control.devices == {"keyboard"}


@pytest.mark.parametrize(
    ("control", "expected"),
    [
        ({"backend": "ps2"}, ["feeds[0].control.backend", "'usb_gadget'"]),
        ({"backend": "usb_gadget"}, ["feeds[0].control", "keyboard or pointer"]),
        ({"backend": "recording"}, ["feeds[0].control", "needs file"]),
        (GADGET | {"file": "x"}, ["no file"]),
        (RECORDING | {"keyboard": "/dev/hidg0"}, ["neither keyboard"]),
        (GADGET | {"confirm": []}, ["feeds[0].control.confirm", "'badge'"]),
        (GADGET | {"confirm": ["shout"]}, ["feeds[0].control.confirm[0]", "'touch'"]),
        (GADGET | {"confirm": ["code", "code"]}, ["each way once"]),
        (GADGET | {"confirm": ["badge"]}, ["needs badges"]),
        (GADGET | {"badges": [BADGE]}, ["badges need 'badge'"]),
        (GADGET | {"confirm": ["badge"], "badges": ["Dr. Li"]}, ["feeds[0].control.badges[0]", "SHA-256"]),
        (GADGET | {"max_minutes": 16}, ["feeds[0].control.max_minutes", "1–15"]),
        (GADGET | {"keybord": "x"}, ["unknown key", "did you mean 'keyboard'"]),
    ],
)
def test_a_mistake_names_the_key_and_what_is_allowed(
    tmp_path: Path, control: dict[str, Any], expected: list[str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        parsed(tmp_path, control)
    for part in expected:
        assert part in str(caught.value)
    assert "Dr. Li" not in str(caught.value)


def test_two_feeds_do_not_share_a_keyboard(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="its own path"):
        parsed(tmp_path, GADGET, GADGET | {"pointer": "/dev/hidg3"})
    with pytest.raises(ConfigError, match="its own path"):
        parsed(tmp_path, GADGET | {"pointer": "/dev/hidg0"})


def test_control_needs_the_page_on_which_it_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="status_port"):
        parsed(tmp_path, GADGET, status_port=0)
