"""`edge mask`: text is found, a profile written with a picture to look at, and a profile checked."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from core.errors import ConfigError
from edge_agents.cli import app
from edge_agents.mask_samples import sample_feed, sample_file
from edge_agents.mask_suggest import suggest, text_boxes, uncovered
from edge_agents.masks import MAX_MASKS, Box, load_profile
from edge_agents.sources.builtin import builtin_clip_path
from tests.edge.test_masks import profile_of
from tests.edge.test_masks_proof import BURNED_IN
from tests.edge.test_sources import feed

Image = NDArray[np.uint8]


def moving_tissue(width: int, height: int, count: int) -> list[Image]:
    """Soft noise that is another one in every picture, as bright as text."""
    dice = np.random.default_rng(7)
    noise = dice.normal(90, 60, (count, height, width)).clip(0, 255).astype(np.uint8)
    soft = [np.asarray(cv2.GaussianBlur(picture, (0, 0), 1.5)) for picture in noise]
    return [np.repeat(picture[..., None], 3, axis=2).astype(np.uint8) for picture in soft]


def with_text(pictures: list[Image], colour: tuple[int, int, int], scale: float) -> tuple[list[Image], Box]:
    (across, up), below = cv2.getTextSize("WANG SAN 1957-03-02", cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    for picture in pictures:
        cv2.putText(picture, "WANG SAN 1957-03-02", (40, 60), cv2.FONT_HERSHEY_SIMPLEX, scale, colour, 1)
    return pictures, Box(40, 60 - up + 2, 40 + across - 2, 60 + below - 4)


@pytest.mark.parametrize("colour", [(255, 255, 255), (0, 220, 255), (0, 0, 0)])
@pytest.mark.parametrize("scale", [0.5, 0.8])
def test_a_name_over_moving_tissue_is_covered_and_the_tissue_is_not(
    colour: tuple[int, int, int], scale: float
) -> None:
    pictures, place = with_text(moving_tissue(640, 360, 12), colour, scale)
    profile = suggest(pictures)
    assert profile is not None
    assert uncovered([place], profile, (640, 360)) == []
    masked = sum(mask.width * mask.height for mask in profile.masks)
    assert masked < 2.5 * (place.right - place.left + 10) * (place.bottom - place.top + 10)


def test_no_text_no_suggestion() -> None:
    assert suggest(moving_tissue(640, 360, 12)) is None


def test_the_real_clips_text_is_found_and_the_heart_left_alone() -> None:
    images = sample_file(builtin_clip_path()).images
    profile = suggest(images)
    assert profile is not None
    assert (profile.reference.width, profile.reference.height) == (320, 240)
    covered = np.zeros((240, 320), bool)
    for box in profile.boxes(320, 240):
        covered[box.top : box.bottom, box.left : box.right] = True
    bright = np.max([image.max(axis=2) for image in images], axis=0) > 90
    for x, y, width, height in BURNED_IN:
        place = (slice(y, y + height), slice(x, x + width))
        assert covered[place][bright[place]].mean() > 0.97, (x, y)
    assert covered[60:200, 60:250].mean() == 0


def test_there_are_never_more_masks_than_a_profile_may_have() -> None:
    picture = np.zeros((720, 1280, 3), np.uint8)
    for y in range(20, 700, 60):
        for x in range(10, 1200, 120):
            cv2.putText(picture, "No", (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255, 255, 255), 1)
    boxes = text_boxes([picture])
    assert len(boxes) == MAX_MASKS


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["mask", *map(str, arguments)])
    if isinstance(result.exception, ConfigError):
        raise result.exception
    return result.exit_code, result.output


def test_a_technician_suggests_looks_and_checks(tmp_path: Path) -> None:
    profile, picture = tmp_path / "m.toml", tmp_path / "m.png"
    code, said = run("--suggest", "--sample", builtin_clip_path(), "--profile", profile)
    assert code == 0, said
    assert "Look at it" in said
    shown = np.asarray(cv2.imread(str(picture)))
    assert shown.shape == (480, 320, 3)
    for box in load_profile(profile).boxes(320, 240):
        assert shown[240 + box.top : 240 + box.bottom, box.left : box.right].max() == 0
    code, said = run("--check", "--sample", builtin_clip_path(), "--profile", profile)
    assert (code, "no text seen outside" in said) == (0, True)
    with pytest.raises(ConfigError, match="--force"):
        run("--suggest", "--sample", builtin_clip_path(), "--profile", profile)


def test_a_check_names_what_is_not_covered_what_does_not_fit_and_what_is_broken(tmp_path: Path) -> None:
    from edge_agents.masks import write_profile

    profile = tmp_path / "m.toml"
    profile.write_text(write_profile(profile_of(320, 240, (0, 0, 62, 34))))
    code, said = run("--check", "--sample", builtin_clip_path(), "--profile", profile)
    assert (code, "may be text, not covered" in said) == (1, True)
    profile.write_text(write_profile(profile_of(1920, 1080, (0, 0, 62, 34))))
    code, said = run("--check", "--sample", builtin_clip_path(), "--profile", profile)
    assert (code, "does not fit: the device sends 320 × 240" in said) == (1, True)
    assert run("--check", "--profile", profile)[0] == 0
    profile.write_text("nonsense")
    with pytest.raises(ConfigError, match="not valid TOML"):
        run("--check", "--profile", profile)


def test_a_sample_can_be_a_picture_or_a_feed_and_says_when_there_is_none(tmp_path: Path) -> None:
    path = tmp_path / "shot.png"
    cv2.imwrite(str(path), np.zeros((90, 160, 3), np.uint8))
    assert sample_file(path).size == (160, 90)
    assert len(sample_feed(feed({"kind": "testcard"}, fps=60)).images) >= 10
    path.write_bytes(b"no picture")
    with pytest.raises(ConfigError, match="no picture can be read"):
        sample_file(path)
