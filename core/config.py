"""Configuration: one TOML file, overridden by `TELECONSULT_*` variables, overridden by flags.

A wrong key or value is a `ConfigError` that names where it was set, the key, and what is allowed.
"""

from __future__ import annotations

import difflib
import json
import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from core.errors import ConfigError

ENV_PREFIX: Final = "TELECONSULT_"
FOREIGN_ENV_PREFIXES: Final = (
    "TELECONSULT_EDGE_",
    "TELECONSULT_TEST_",
    "TELECONSULT_BENCH_",
    "TELECONSULT_PARENT",
    "TELECONSULT_URL",
)
"""Variables of the edge agent, tests, benchmarks, supervisor and web development: not settings."""
DEFAULT_HTTP_PORT: Final = 8080
DEFAULT_UDP_PORT: Final = 8443

LogLevel = Literal["debug", "info", "warning", "error"]
Port = Annotated[int, Field(ge=0, le=65535)]


class Recipient(BaseModel):
    """A public key every consultation's secret is wrapped to, and the person who keeps its other half."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    custodian: str = Field(min_length=1, max_length=200)
    recipient: str = Field(pattern=r"^age1[0-9a-z]{10,4000}$", description="an age recipient: age1…")
    offline: bool = False


class Settings(BaseSettings):
    """All settings of the service. Paths may be relative to `data_dir` until `resolve_paths()`."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, extra="forbid", frozen=True)

    data_dir: Path = Field(default=Path("var/teleconsult"), description="a directory")
    host: str = Field(default="127.0.0.1", min_length=1, description="an address to serve HTTP on")
    port: Port = Field(default=DEFAULT_HTTP_PORT, description="a port, 0–65535; 0 takes any free one")
    tls_cert: Path | None = Field(default=None, description="a PEM file; needs tls_key too")
    tls_key: Path | None = Field(default=None, description="a PEM file; needs tls_cert too")
    udp_host: str = Field(default="0.0.0.0", min_length=1, description="an address to take media on")  # noqa: S104 - media comes from anywhere
    udp_port: Port = Field(
        default=DEFAULT_UDP_PORT, description="a port, 0–65535; worker n uses udp_port + n − 1"
    )
    announce: Annotated[list[str], NoDecode] = Field(
        default=[], description="host:port pairs clients shall send media to, when NAT hides ours"
    )
    workers: int = Field(
        default_factory=lambda: max(1, (os.cpu_count() or 2) - 1), ge=1, le=64, description="1–64 SFU workers"
    )
    runtime_dir: Path = Field(default=Path("run"), description="a directory for Unix sockets")
    database_url: str = Field(
        default="", description="sqlite:///PATH or postgresql://USER@HOST/NAME; empty: SQLite in data_dir"
    )
    redis_url: str | None = Field(
        default=None, pattern=r"^(rediss?|unix)://", description="redis://HOST:PORT/DB"
    )
    archive_dir: Path = Field(default=Path("archive"), description="a directory")
    recipients: list[Recipient] = Field(
        default=[], description="a list of {custodian, recipient = 'age1…', offline}"
    )
    trusted_signers: Annotated[list[str], NoDecode] = Field(
        default=[], description="whose archives to trust: ed25519:… or files that list such lines"
    )
    signing_key_file: Path = Field(default=Path("keys/archive-signing.pem"), description="a file")
    token_key_file: Path = Field(default=Path("keys/tokens.pem"), description="a file")
    service_secret_file: Path = Field(default=Path("keys/service.secret"), description="a file")
    log_level: LogLevel = Field(default="info", description="debug, info, warning or error")
    web_root: Path | None = Field(default=None, description="the built web client's directory")

    @field_validator("announce", "trusted_signers", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        """A variable or flag may say `a:1,b:2`; JSON works too."""
        if not isinstance(value, str):
            return value
        if value.lstrip().startswith("["):
            return json.loads(value)
        return [item.strip() for item in value.split(",") if item.strip()]

    @field_validator("announce")
    @classmethod
    def _host_port(cls, value: list[str]) -> list[str]:
        for item in value:
            host, _, port = item.rpartition(":")
            if not host or not port.isdecimal() or not 0 < int(port) < 65536:
                raise ValueError(f"{item!r} is not host:port")
        return value

    @field_validator("database_url")
    @classmethod
    def _async_driver(cls, value: str) -> str:
        """Name the asynchronous driver, so that an ordinary URL works."""
        scheme, separator, rest = value.partition("://")
        drivers = {
            "sqlite": "sqlite+aiosqlite",
            "postgres": "postgresql+asyncpg",
            "postgresql": "postgresql+asyncpg",
        }
        scheme = drivers.get(scheme, scheme)
        if value and scheme not in drivers.values():
            raise ValueError("not a SQLite or PostgreSQL URL")
        return scheme + separator + rest

    @model_validator(mode="after")
    def _both_tls_files(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key belong together: give both or neither")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings

    def resolve_paths(self) -> Settings:
        """A copy with absolute paths, relative ones taken from `data_dir`. Doing it twice changes nothing."""
        base = self.data_dir.expanduser().absolute()
        changed: dict[str, Any] = {"data_dir": base}
        for name in (
            "runtime_dir",
            "archive_dir",
            "signing_key_file",
            "token_key_file",
            "service_secret_file",
        ):
            changed[name] = base / getattr(self, name).expanduser()
        for name in ("tls_cert", "tls_key", "web_root"):
            if (path := getattr(self, name)) is not None:
                changed[name] = base / path.expanduser()
        if not self.database_url:
            changed["database_url"] = f"sqlite+aiosqlite:///{base / 'teleconsult.db'}"
        return self.model_copy(update=changed)


def load_settings(config_file: Path | None = None, **overrides: Any) -> Settings:
    """Read `config_file`, environment and `overrides` (flags; None: not given); paths come out absolute.

    Raises `ConfigError` naming the place, the key and what is allowed.
    """
    places: dict[str, str] = {}
    merged: dict[str, Any] = {}
    flags = {key: value for key, value in overrides.items() if value is not None}
    for place, values in (
        (str(config_file), _read_toml(config_file)),
        ("environment", _read_environment()),
        ("flag", flags),
    ):
        for key, value in values.items():
            _check_key(place, key)
            merged[key], places[key] = value, place
    try:
        return Settings(**merged).resolve_paths()
    except ValidationError as error:
        raise ConfigError(_describe(error, places)) from None


def _read_toml(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None


def _read_environment() -> dict[str, Any]:
    for name in os.environ:
        if name.startswith(ENV_PREFIX) and not name.startswith(FOREIGN_ENV_PREFIXES):
            _check_key("environment", name.removeprefix(ENV_PREFIX).lower())
    try:
        return EnvSettingsSource(Settings)()
    except SettingsError as error:
        raise ConfigError(f"environment: {error}; lists are given as JSON") from None


def _check_key(place: str, key: str) -> None:
    if key in Settings.model_fields:
        return
    near = difflib.get_close_matches(key, Settings.model_fields, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    allowed = ", ".join(Settings.model_fields)
    raise ConfigError(f"{place}: unknown key {_spell(place, key)}; {hint}allowed: {allowed}")


def _spell(place: str, key: str) -> str:
    """The key as it is written at that place."""
    if place == "environment":
        return ENV_PREFIX + key.upper()
    return "--" + key.replace("_", "-") if place == "flag" else key


def _describe(error: ValidationError, places: dict[str, str]) -> str:
    """First problem on one line. The offending value is left out: it may be a password in a URL."""
    problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
    if not problem["loc"]:
        return f"configuration: {problem['msg'].removeprefix('Value error, ')}"
    key = str(problem["loc"][0])
    place = places.get(key, "default")
    where = ".".join([_spell(place, key), *(str(part) for part in problem["loc"][1:])])
    allowed = Settings.model_fields[key].description
    return f"{place}: {where}: {problem['msg'].removeprefix('Value error, ')}; allowed: {allowed}"
