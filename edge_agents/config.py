"""The capture box's configuration: one TOML file, checked whole before anything starts.

A wrong key or value is a `ConfigError` that names the file, the key and what is allowed.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, model_validator
from pydantic_core import ErrorDetails

from core.errors import ConfigError
from core.ids import NAME_PATTERN
from edge_agents.control_config import ControlConfig, check_apart
from edge_agents.masks import load_profile

DEFAULT_BITRATE_BPS: Final = 4_500_000
DEFAULT_STATUS_PORT: Final = 8790
Profile = Literal["ultrasound", "endoscopy", "microscope", "theatre", "testcard"]
EncoderChoice = Literal["auto", "h264_nvenc", "h264_qsv", "h264_v4l2m2m", "libx264"]


class ProfileTraits(NamedTuple):
    """What a kind of picture wants. `ceiling_bps`: the encoder's rate buffer is opened for this much."""

    ceiling_bps: int
    prefers: Literal["frame_rate", "detail"]


PROFILES: Final[dict[Profile, ProfileTraits]] = {
    "ultrasound": ProfileTraits(8_000_000, "frame_rate"),
    "endoscopy": ProfileTraits(12_000_000, "detail"),
    "microscope": ProfileTraits(12_000_000, "detail"),
    "theatre": ProfileTraits(8_000_000, "frame_rate"),
    "testcard": ProfileTraits(8_000_000, "frame_rate"),
}


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class ClipSource(_Model):
    """A cine loop from a DICOM file, laid out like a scanner's screen."""

    kind: Literal["clip"]
    path: Path | None = Field(default=None, description="a multi-frame DICOM file; none: the built-in clip")
    screen: bool = Field(
        default=True, description="true: on a scanner's screen marked DEMO; false: only the file's pictures"
    )


class TestcardSource(_Model):
    """Colour bars, movement, and a time code a machine can read (`edge_agents.timecode`)."""

    __test__ = False
    kind: Literal["testcard"]


class FileSource(_Model):
    """A video file, played in real time."""

    kind: Literal["file"]
    path: Path = Field(description="a video file")
    loop: bool = Field(default=True, description="true or false")


class V4l2Source(_Model):
    """An HDMI/SDI/USB capture device."""

    kind: Literal["v4l2"]
    device: Path = Field(
        description="a device, best by its stable name: /dev/v4l/by-id/… (see `edge sources`)"
    )
    input_format: str | None = Field(
        default=None, pattern=r"^[a-z0-9_]{1,20}$", description="mjpeg, yuyv422, nv12, …"
    )
    mode: str | None = Field(
        default=None,
        pattern=r"^[1-9]\d{1,3}x[1-9]\d{1,3}@[1-9]\d{0,2}$",
        description="'1920x1080@60', one that `edge sources` lists; none: the one nearest to the feed's",
    )

    @property
    def wanted(self) -> tuple[int, int, int] | None:
        """`mode` as (width, height, pictures a second)."""
        if self.mode is None:
            return None
        size, rate = self.mode.split("@")
        width, height = size.split("x")
        return int(width), int(height), int(rate)


class RtspSource(_Model):
    """A network camera. Credentials in the URL never reach a log."""

    kind: Literal["rtsp"]
    url: str = Field(pattern=r"^rtsps?://", repr=False, description="rtsp://… or rtsps://…")
    transport: Literal["tcp", "udp"] = Field(default="tcp", description="'tcp' or 'udp'")


class SdiSource(_Model):
    """An SDI or HDMI card that FFmpeg knows as DeckLink, where FFmpeg was built with it."""

    kind: Literal["sdi"]
    device: str = Field(min_length=1, max_length=100, description="a card's name, 'DeckLink Mini Recorder'")


class ScreenSource(_Model):
    """An X11 screen or a part of it."""

    kind: Literal["screen"]
    display: str = Field(default=":0.0", pattern=r"^[\w.-]*:\d+(\.\d+)?$", description="an X display, ':0.0'")
    x: int = Field(default=0, ge=0, description="pixels from the left, ≥ 0")
    y: int = Field(default=0, ge=0, description="pixels from the top, ≥ 0")


SourceConfig = Annotated[
    ClipSource | TestcardSource | FileSource | V4l2Source | RtspSource | SdiSource | ScreenSource,
    Field(discriminator="kind"),
]


class FeedConfig(_Model):
    """One picture (and possibly its sound), published under one name."""

    name: str = Field(pattern=NAME_PATTERN, description="lower-case letters, digits and '-', at most 64")
    source: SourceConfig = Field(
        description="a table with kind = 'clip', 'testcard', 'file', 'v4l2', 'rtsp', 'sdi' or 'screen'"
    )
    width: int = Field(
        default=1920, ge=64, le=3840, multiple_of=2, description="an even number of pixels, 64–3840"
    )
    height: int = Field(
        default=1080, ge=64, le=2160, multiple_of=2, description="an even number of pixels, 64–2160"
    )
    fps: int = Field(default=30, ge=1, le=60, description="frames per second, 1–60")
    bitrate_bps: int = Field(
        default=DEFAULT_BITRATE_BPS, ge=100_000, le=50_000_000, description="bits per second, 100000–50000000"
    )
    profile: Profile = Field(default="ultrasound", description=", ".join(map(repr, PROFILES)))
    encoder: EncoderChoice = Field(
        default="auto", description="'auto', 'h264_nvenc', 'h264_qsv', 'h264_v4l2m2m' or 'libx264'"
    )
    still_mb: int = Field(
        default=192,
        ge=8,
        le=4096,
        description="MiB of uncompressed pictures that are held for freezing, 8–4096; 3 a picture at 1080p",
    )
    masks: Path | None = Field(
        default=None, description="a mask profile (see `edge mask`); none: nothing is masked"
    )
    audio: Literal["none", "tone"] = Field(default="none", description="'none' or 'tone'")
    control: ControlConfig | None = Field(
        default=None,
        description="a table with backend = 'usb_gadget' or 'recording'; none: no remote control",
    )

    @property
    def ceiling_bps(self) -> int:
        """The most this feed's encoder may ever be asked for."""
        return max(self.bitrate_bps, PROFILES[self.profile].ceiling_bps)


class EdgeConfig(_Model):
    """The whole file. Relative paths are relative to the file's directory after `load_config`."""

    server: str = Field(pattern=r"^https?://[^/?#@]+/?$", description="http://HOST:PORT or https://HOST")
    identity_file: Path = Field(
        default=Path("box.json"), description="a file: the box's own key, made by `edge enroll`"
    )
    room: str = Field(
        default="",
        pattern=NAME_PATTERN,
        description="lower-case letters, digits and '-', at most 64; only with token_file",
    )
    token_file: Path | None = Field(
        default=None,
        description="a file that holds a token for that room and nothing else, for a box without a key",
    )
    tls_ca: Path | None = Field(
        default=None, description="a PEM file: the hospital's certificate authority; none: public ones"
    )
    heads_file: Path = Field(
        default=Path("heads.jsonl"), description="a file: what the server says of the archive is kept there"
    )
    ring_dir: Path = Field(
        default=Path("ring"),
        description="a folder: what an outage keeps from the archive is kept there, sealed",
    )
    ring_mb: int = Field(
        default=4096,
        ge=0,
        le=1_048_576,
        description="MiB, 0–1048576, that are kept at most, the newest; 0: nothing is",
    )
    ring_hours: int = Field(
        default=24, ge=1, le=720, description="hours, 1–720, after which what is kept is removed"
    )
    status_port: int = Field(
        default=DEFAULT_STATUS_PORT,
        ge=0,
        le=65535,
        description="a port of 127.0.0.1, 0–65535, for the status page; 0: there is none",
    )
    memory_mb: int = Field(
        default=4096,
        ge=256,
        le=65_536,
        description="MiB, 256–65536: a box that needs more starts anew, before the machine stands still",
    )
    feeds: list[FeedConfig] = Field(min_length=1, max_length=16, description="1–16 [[feeds]] tables")

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [feed.name for feed in self.feeds]
        if len(set(names)) != len(names):
            raise ValueError("feeds: every feed needs its own name")
        return self

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if (self.token_file is None) != (self.room == ""):
            raise ValueError("room, token_file: belong together; an enrolled box has neither")
        return self

    @model_validator(mode="after")
    def _stills_fit(self) -> Self:
        if sum(feed.still_mb for feed in self.feeds) * 2 > self.memory_mb:
            raise ValueError("memory_mb: must be twice the feeds' still_mb together, or more")
        return self

    @model_validator(mode="after")
    def _controls_fit(self) -> Self:
        controls = [feed.control for feed in self.feeds if feed.control is not None]
        if controls and self.status_port == 0:
            raise ValueError("status_port: remote control is confirmed and stopped on that page; not 0")
        check_apart(controls)
        return self

    _fetched: Callable[[], str] | None = PrivateAttr(default=None)

    def assigned(self, room: str, token: Callable[[], str]) -> Self:
        """This configuration for one consultation of an enrolled box; `token` gives the newest one."""
        made = self.model_copy(update={"room": room})
        made._fetched = token
        return made

    @property
    def base_url(self) -> str:
        """The server without a trailing slash."""
        return self.server.rstrip("/")

    def read_token(self) -> str:
        """The bearer token, read anew each time so that a renewed one is picked up.

        Raises `ConfigError` when the file cannot be read or is empty.
        """
        if self._fetched is not None:
            return self._fetched()
        if self.token_file is None:
            raise ConfigError("token_file: missing; enrolled boxes fetch their tokens")
        try:
            token = self.token_file.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            raise ConfigError(f"token_file: {self.token_file}: cannot be read as a token") from None
        if not token or any(character.isspace() for character in token):
            raise ConfigError(f"token_file: {self.token_file}: must hold exactly one token")
        return token


def load_config(path: Path) -> EdgeConfig:
    """Read and check edge.toml. Raises `ConfigError` with the file, every wrong key, and what is allowed."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None
    return parse_config(values, place=path)


def parse_config(values: dict[str, Any], place: Path) -> EdgeConfig:
    """Check already parsed TOML; `place` names it in errors and is where relative paths start."""
    try:
        config = EdgeConfig.model_validate(values)
    except ValidationError as error:
        raise ConfigError("; ".join(f"{place}: {_explain(detail)}" for detail in error.errors())) from None
    return _with_absolute_paths(config, place.absolute().parent)


def _with_absolute_paths(config: EdgeConfig, base: Path) -> EdgeConfig:
    feeds = [_absolute_feed(feed, base) for feed in config.feeds]
    paths: dict[str, Any] = {"feeds": feeds}
    for name in ("identity_file", "token_file", "heads_file", "ring_dir", "tls_ca"):
        path: Path | None = getattr(config, name)
        if path is not None:
            paths[name] = base / path.expanduser()
    return config.model_copy(update=paths)


def _absolute_feed(feed: FeedConfig, base: Path) -> FeedConfig:
    """Raises `ConfigError` for a mask profile that cannot be used: without it no picture may be taken."""
    paths: dict[str, Any] = {"source": _absolute_source(feed.source, base)}
    if feed.masks is not None:
        paths["masks"] = base / feed.masks.expanduser()
        load_profile(paths["masks"])
    if feed.control is not None:
        paths["control"] = feed.control.absolute(base)
    return feed.model_copy(update=paths)


def _absolute_source(source: SourceConfig, base: Path) -> SourceConfig:
    if isinstance(source, ClipSource | FileSource) and source.path is not None:
        return source.model_copy(update={"path": base / source.path.expanduser()})
    return source


def _explain(detail: ErrorDetails) -> str:
    """One validation error as `key: what is wrong; allowed: …`."""
    loc = detail["loc"]
    key, models = _locate(loc)
    if detail["type"] == "extra_forbidden":
        fields, name = models[-1].model_fields, str(loc[-1])
        near = difflib.get_close_matches(name, fields, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        return f"{key}: unknown key; {hint}allowed: {', '.join(fields)}"
    if not loc:
        return detail["msg"].removeprefix("Value error, ")
    message = "missing" if detail["type"] == "missing" else detail["msg"].removeprefix("Value error, ")
    allowed = _allowed(loc, models)
    return f"{key}: {message}; allowed: {allowed}" if allowed else f"{key}: {message}"


def _locate(loc: Iterable[int | str]) -> tuple[str, list[type[BaseModel]]]:
    """Location → (`feeds[0].fps`, the models walked through). A union's tag is not part of the key."""
    key, models = "", list[type[BaseModel]]([EdgeConfig])
    for part in loc:
        if isinstance(part, int):
            key += f"[{part}]"
        elif key.endswith("source") and part in _SOURCES:
            models.append(_SOURCES[part])
        else:
            key += f".{part}" if key else part
            if part in _TABLES:
                models.append(_TABLES[part])
    return key or "feeds", models


def _allowed(loc: tuple[int | str, ...], models: list[type[BaseModel]]) -> str:
    for part in reversed(loc):
        for model in reversed(models):
            field = model.model_fields.get(str(part))
            if field is not None:
                return field.description or ""
    return ""


_TABLES: Final[dict[str, type[BaseModel]]] = {"feeds": FeedConfig, "control": ControlConfig}
_SOURCES: Final[dict[int | str, type[_Model]]] = {
    "clip": ClipSource,
    "testcard": TestcardSource,
    "file": FileSource,
    "v4l2": V4l2Source,
    "rtsp": RtspSource,
    "sdi": SdiSource,
    "screen": ScreenSource,
}
