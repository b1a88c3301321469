"""Profiles of privacy masks: read, checked, scaled outwards, and painted in every form pictures come in."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ConfigError
from edge_agents.config import load_config
from edge_agents.masks import Mask, MaskProfile, Reference, load_profile, parse_profile, write_profile
from edge_agents.sources.mask_painting import MaskMismatch, MaskPainter
from edge_agents.sources.picture import planes_of

PROFILE = """
device = "scanner"
reference = { width = 1920, height = 1080 }
[[masks]]
x = 101
y = 51
width = 333
height = 77
note = "name"
"""
FORMATS = ("yuv420p", "yuvj422p", "yuv444p", "nv12", "gray", "yuyv422", "uyvy422", "gbrp", "bgr24", "bgr0")
CONVERTED = ("yuv422p10le", "rgb565le", "yuv411p", "gbrp10le")


def profile_of(width: int, height: int, *rectangles: tuple[int, int, int, int]) -> MaskProfile:
    masks = tuple(Mask(x=x, y=y, width=w, height=h) for x, y, w, h in rectangles)
    return MaskProfile(reference=Reference(width=width, height=height), masks=masks)


@st.composite
def profiles(draw: st.DrawFn) -> MaskProfile:
    width, height = draw(st.integers(16, 4096)), draw(st.integers(16, 2160))
    rectangles = []
    for _ in range(draw(st.integers(1, 4))):
        x, y = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
        rectangles.append((x, y, draw(st.integers(1, width - x)), draw(st.integers(1, height - y))))
    return profile_of(width, height, *rectangles)


@given(profiles(), st.integers(16, 4096), st.integers(16, 2160))
def test_a_scaled_rectangle_covers_every_pixel_it_touches_and_is_at_most_a_cell_larger(
    profile: MaskProfile, width: int, height: int
) -> None:
    for mask, box in zip(profile.masks, profile.boxes(width, height), strict=True):
        edges = (
            (box.left, box.right, mask.x, mask.width, width, profile.reference.width),
            (box.top, box.bottom, mask.y, mask.height, height, profile.reference.height),
        )
        for low, high, begin, length, size, reference in edges:
            assert 0 <= low < high <= size
            assert low * reference <= begin * size
            assert high * reference >= min((begin + length) * size, size * reference)
            assert low % 2 == 0
            assert high % 2 == 0 or high == size
            assert begin * size - low * reference < 2 * reference
            assert high * reference - (begin + length) * size < 2 * reference


@given(profiles())
def test_a_written_profile_is_read_back_as_it_was(profile: MaskProfile) -> None:
    import tomllib

    text = write_profile(profile.model_copy(update={"device": 'a "quoted" \\ name\n次'}))
    read = parse_profile(tomllib.loads(text), "x")
    assert (read.masks, read.reference) == (profile.masks, profile.reference)
    assert read.device == 'a "quoted" \\ name 次'


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("reference = {", "not valid TOML"),
        ("reference = { width = 1920, height = 1080 }", "masks: Field required"),
        ("reference = { width = 1920, height = 1080 }\nmasks = []", "at least 1 item"),
        (PROFILE.replace("x = 101", "x = 1900"), "mask 1 reaches beyond"),
        (PROFILE.replace("height = 77", "hight = 77"), "Extra inputs"),
        (PROFILE.replace("x = 101", "x = -1"), "greater than or equal to 0"),
    ],
)
def test_a_profile_that_cannot_be_used_says_where_and_why(tmp_path: Path, text: str, wrong: str) -> None:
    path = tmp_path / "masks.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=wrong) as caught:
        load_profile(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("damage", ["missing", "broken"])
def test_the_box_does_not_start_with_a_profile_it_cannot_read(tmp_path: Path, damage: str) -> None:
    (tmp_path / "edge.toml").write_text(
        'server = "http://localhost"\nroom = "demo"\ntoken_file = "t"\n[[feeds]]\nname = "a"\n'
        'source = { kind = "testcard" }\nmasks = "masks.toml"\n'
    )
    if damage == "broken":
        (tmp_path / "masks.toml").write_text("[[masks]]\nx = 1")
    with pytest.raises(ConfigError, match=r"masks\.toml: mask profile"):
        load_config(tmp_path / "edge.toml")
    (tmp_path / "masks.toml").write_text(PROFILE)
    assert load_config(tmp_path / "edge.toml").feeds[0].masks == tmp_path / "masks.toml"


@pytest.mark.parametrize(
    ("size", "fits"),
    [
        ((1920, 1080), True),
        ((1280, 720), True),
        ((3840, 2160), True),
        ((1366, 768), True),
        ((1360, 768), False),
        ((1920, 1088), False),
        ((1024, 768), False),
        ((1080, 1920), False),
        ((720, 576), False),
    ],
)
def test_only_pictures_of_the_references_shape_are_let_through(size: tuple[int, int], fits: bool) -> None:
    profile = profile_of(1920, 1080, (0, 0, 100, 100))
    assert profile.fits(*size) == fits
    picture = av.VideoFrame(*size, "yuv420p")
    if fits:
        MaskPainter(profile).apply(picture)
    else:
        with pytest.raises(MaskMismatch, match="nothing is sent"):
            MaskPainter(profile).apply(picture)


def luma_of(picture: av.VideoFrame) -> np.ndarray:
    return planes_of(picture.reformat(format="yuv444p")).y.copy()


def noise(name: str, width: int, height: int, seed: int) -> av.VideoFrame:
    dice = np.random.default_rng(seed)
    if name in CONVERTED:
        picture = av.VideoFrame.from_ndarray(
            dice.integers(0, 256, (height, width, 3), np.uint8), format="rgb24"
        )
        return picture.reformat(format=name)
    picture = av.VideoFrame(width, height, name)
    for plane in picture.planes:
        plane.update(dice.integers(0, 256, plane.buffer_size, np.uint8).tobytes())
    return picture


@pytest.mark.parametrize("name", [*FORMATS, *CONVERTED])
@pytest.mark.parametrize("size", [(64, 36), (66, 38), (65, 37)])
def test_a_masked_rectangle_is_black_and_the_rest_is_untouched_in_every_format(
    name: str, size: tuple[int, int]
) -> None:
    width, height = size
    if name in CONVERTED and (width % 4 or height % 2):
        width, height = 64, 36
    picture = noise(name, width, height, 1)
    before = luma_of(noise(name, width, height, 1))
    profile = profile_of(width, height, (11, 7, 21, 9), (width - 5, height - 3, 5, 3))
    masked = MaskPainter(profile).apply(picture)
    after = luma_of(masked)
    inside = np.zeros((height, width), bool)
    for box in profile.boxes(width, height):
        inside[box.top : box.bottom, box.left : box.right] = True
    assert after[inside].max() <= 17
    if name not in CONVERTED:
        near = cv2.dilate(inside.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
        assert (after[~near] == before[~near]).all()


def test_a_picture_that_a_decoder_still_needs_is_not_painted_into() -> None:
    """Painted into, a reference picture would carry black to wherever the device's picture moves."""
    encoder = av.CodecContext.create("libx264", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt, encoder.framerate = 128, 96, "yuv420p", Fraction(25)
    encoder.time_base, encoder.options = Fraction(1, 25), {"tune": "zerolatency", "qp": "20"}
    grain = np.random.default_rng(1).integers(0, 256, (96, 256, 3), np.uint8)
    packets = []
    for number in range(12):
        moved = np.ascontiguousarray(grain[:, number * 4 : number * 4 + 128])
        packets += encoder.encode(av.VideoFrame.from_ndarray(moved, format="rgb24"))
    profile = profile_of(128, 96, (64, 0, 64, 96))

    def left_half(masked: bool) -> list[np.ndarray]:
        decoder, painter = av.CodecContext.create("h264", "r"), MaskPainter(profile)
        shown = []
        for packet in packets:
            for picture in decoder.decode(av.Packet(bytes(packet))):
                done = painter.apply(picture) if masked else picture
                shown.append(planes_of(done).y[:, :64].copy())
        return shown

    plain, masked = left_half(False), left_half(True)
    assert len(plain) == len(masked) > 8
    assert all((a == b).all() for a, b in zip(plain, masked, strict=True))
