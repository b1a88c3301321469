"""Configuration: one TOML file, overridden by `TELECONSULT_*` variables, overridden by flags.

A wrong key or value is a `ConfigError` that names where it was set, the key, and what is allowed.
"""

from __future__ import annotations

import difflib
import json
import os
import tomllib
from ipaddress import ip_address, ip_network
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
from core.turn import parse_turn_url

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
    tls_ca: Path | None = Field(
        default=None, description="a PEM file: the authority our own clients shall trust for service_url"
    )
    service_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^/?#]+/?$",
        description="https://NAME:PORT, where a recorder on another machine finds the service",
    )
    trusted_proxies: Annotated[list[str], NoDecode] = Field(
        default=[], description="addresses or networks of TLS proxies: 10.0.0.5, 10.1.0.0/24, fd00::/64"
    )
    drain_s: float = Field(
        default=10.0, ge=0, le=600, description="seconds, 0–600, that SIGTERM leaves open calls to move"
    )
    access_token_s: int = Field(
        default=600, ge=15, le=86_400, description="seconds, 15–86400, that a sign-in lasts without renewal"
    )
    room_token_s: int = Field(
        default=600, ge=15, le=86_400, description="seconds, 15–86400, that a room's token lasts"
    )
    udp_host: str = Field(
        default="::", min_length=1, description="an address to take media on; :: takes IPv6 and IPv4"
    )
    udp_port: Port = Field(
        default=DEFAULT_UDP_PORT, description="a port, 0–65535; worker n uses udp_port + n − 1"
    )
    announce: Annotated[list[str], NoDecode] = Field(
        default=[], description="ADDRESS or host:port that clients shall send media to, when NAT hides ours"
    )
    turn_urls: Annotated[list[str], NoDecode] = Field(
        default=[],
        max_length=8,
        description="turn:HOST:PORT?transport=udp|tcp or turns:HOST:PORT?transport=tcp; needs turn_secret",
    )
    turn_secret: str | None = Field(
        default=None,
        min_length=16,
        repr=False,
        description="coturn's static-auth-secret, 16 characters or more",
    )
    turn_ttl_s: int = Field(
        default=86_400, ge=300, le=604_800, description="seconds, 300–604800, that TURN credentials last"
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
    archive_store_url: str | None = Field(
        default=None,
        pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9._/-]*)?$",
        description="s3://BUCKET or s3://BUCKET/PREFIX, where a second copy of every archive goes",
    )
    archive_store_endpoint: str | None = Field(
        default=None,
        pattern=r"^https?://[^/?#@]+/?$",
        description="https://HOST:PORT of an S3-compatible store; left out: Amazon's",
    )
    archive_store_region: str = Field(
        default="us-east-1", pattern=r"^[a-z0-9-]{1,64}$", description="the store's region"
    )
    archive_store_credentials_file: Path | None = Field(
        default=None,
        description="an INI file: [default], aws_access_key_id, aws_secret_access_key; else AWS_… variables",
    )
    archive_store_ca: Path | None = Field(
        default=None, description="a PEM file: the authority to trust for the store's certificate"
    )
    archive_local_days: int | None = Field(
        default=None,
        ge=0,
        le=36_500,
        description="days, 0–36500, that objects stay on this machine once the store has them; left out: all",
    )
    retention_class: str = Field(
        default="standard",
        pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$",
        description="the retention class of consultations that have none of their own",
    )
    backfill_late_s: int = Field(
        default=600,
        ge=0,
        le=86_400,
        description="seconds, 0–86400, that an archive waits for what boxes kept, after its consultation",
    )
    files_dir: Path = Field(default=Path("files"), description="a directory for files sent in chats")
    chat_kept_hours: int = Field(
        default=24, ge=1, le=8760, description="hours, 1–8760, that chats are kept after their consultation"
    )
    limit_viewers: bool = Field(
        default=True, description="true or false: lower pictures where a viewer's network is too narrow"
    )
    engine: bool = Field(
        default=True, description="true or false: seal and send with the compiled engine, where it was built"
    )
    quality_good_delay_ms: int = Field(default=200, ge=1, le=10_000, description="milliseconds, 1–10000")
    quality_fair_delay_ms: int = Field(default=300, ge=1, le=10_000, description="milliseconds, 1–10000")
    quality_good_frame_rate: float = Field(default=24, gt=0, le=240, description="frames a second, 0–240")
    quality_fair_frame_rate: float = Field(default=15, gt=0, le=240, description="frames a second, 0–240")
    recipients: list[Recipient] = Field(
        default=[], description="a list of {custodian, recipient = 'age1…', offline}"
    )
    trusted_signers: Annotated[list[str], NoDecode] = Field(
        default=[], description="whose archives to trust: ed25519:… or files that list such lines"
    )
    archive_people: Annotated[list[str], NoDecode] = Field(
        default=[], description="whose word counts about archives: ed25519:… or files that list such lines"
    )
    signing_key_file: Path = Field(default=Path("keys/archive-signing.pem"), description="a file")
    log_key_file: Path = Field(default=Path("keys/archive-log.pem"), description="a file")
    log_origin: str | None = Field(
        default=None,
        pattern=r"^[^\s+]{1,200}$",
        description="the log's name without spaces or '+', such as archive.example.org/log; for ever",
    )
    trusted_logs: Annotated[list[str], NoDecode] = Field(
        default=[], description="whose logs to trust: NAME+ID+KEY or files that list such lines"
    )
    witnesses: Annotated[list[str], NoDecode] = Field(
        default=[],
        max_length=64,
        description="witnesses' verifier keys (C2SP, type 0x04): NAME+ID+KEY, or files that list them",
    )
    timestamp_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^@\s]+$",
        description="http(s)://… of a time stamp authority (RFC 3161) for the log's checkpoints",
    )
    token_key_file: Path = Field(default=Path("keys/tokens.pem"), description="a file")
    service_secret_file: Path = Field(default=Path("keys/service.secret"), description="a file")
    totp_roles: Annotated[list[Literal["specialist", "site", "auditor", "admin"]], NoDecode] = Field(
        default=["auditor", "admin"],
        description="roles that need a second factor to sign in: specialist, site, auditor, admin",
    )
    log_level: LogLevel = Field(default="info", description="debug, info, warning or error")
    web_root: Path | None = Field(default=None, description="the built web client's directory")

    @field_validator(
        "announce",
        "trusted_signers",
        "archive_people",
        "trusted_logs",
        "witnesses",
        "trusted_proxies",
        "totp_roles",
        "turn_urls",
        mode="before",
    )
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
            split_place(item)  # its ValueError names the item
        return value

    @field_validator("turn_urls")
    @classmethod
    def _turn_urls(cls, value: list[str]) -> list[str]:
        for item in value:
            parse_turn_url(item)  # its ValueError names the item
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: list[str]) -> list[str]:
        for item in value:
            ip_network(item)  # its ValueError names the item
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

    @model_validator(mode="after")
    def _turn_needs_its_secret(self) -> Self:
        if bool(self.turn_urls) != (self.turn_secret is not None):
            raise ValueError("turn_urls and turn_secret belong together: give both or neither")
        return self

    @model_validator(mode="after")
    def _good_is_better_than_fair(self) -> Self:
        if self.quality_good_delay_ms > self.quality_fair_delay_ms:
            raise ValueError("quality_good_delay_ms must not exceed quality_fair_delay_ms")
        if self.quality_good_frame_rate < self.quality_fair_frame_rate:
            raise ValueError("quality_good_frame_rate must not be below quality_fair_frame_rate")
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
            "files_dir",
            "signing_key_file",
            "log_key_file",
            "token_key_file",
            "service_secret_file",
        ):
            changed[name] = base / getattr(self, name).expanduser()
        for name in (
            "tls_cert",
            "tls_key",
            "tls_ca",
            "web_root",
            "archive_store_credentials_file",
            "archive_store_ca",
        ):
            if (path := getattr(self, name)) is not None:
                changed[name] = base / path.expanduser()
        if not self.database_url:
            changed["database_url"] = f"sqlite+aiosqlite:///{base / 'teleconsult.db'}"
        return self.model_copy(update=changed)


def split_place(text: str) -> tuple[str, int]:
    """`host:port` → both; an IP address alone → it and 0, for the port number in use. Raises `ValueError`."""
    try:
        return str(ip_address(text.strip("[] "))), 0
    except ValueError:
        host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"{text!r} is not host:port")
    return host.strip("[] "), int(port)


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
