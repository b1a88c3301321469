"""Backups: made while others write, opened by their custodians only, restored into an empty place only."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
import sqlite3
import stat
import tarfile
import threading
from pathlib import Path
from typing import Any

import pytest

from archive.keys import create_identity
from core.clock import SystemClock
from core.config import Settings, load_settings
from core.database import Database
from core.errors import ConfigError
from core.passwords import Passwords
from core.people import create_organisation, create_user, list_users
from core.tokens import Revocations, Tokens, load_or_create_keys
from core.trail import record_audit
from signaling.app import load_or_create_secret
from teleconsult.backup.format import SQLITE
from teleconsult.backup.making import create
from teleconsult.backup.opening import opened
from teleconsult.backup.restoring import check_database, restore
from tests.teleconsult.test_admin import Admin, login

PASSWORD = "correct horse battery"


@pytest.fixture
def custodian(tmp_path: Path) -> tuple[Path, str]:
    """A key file and its public half."""
    path = tmp_path / "custodian.agekey"
    return path, create_identity(path)


async def fill(settings: Settings) -> None:
    """One organisation, one person, some keys."""
    database = await Database.open(settings.database_url, SystemClock())
    try:
        clinic = await create_organisation(database, "Clinic")
        await create_user(
            database,
            username="li",
            password_hash=await Passwords().hash(PASSWORD),
            role="site",
            organisation=clinic,
            display_name="Nurse Li",
        )
    finally:
        await database.close()
    load_or_create_keys(settings.token_key_file)
    load_or_create_secret(settings.service_secret_file)


@pytest.fixture
def source(tmp_path: Path) -> Settings:
    settings = load_settings(data_dir=tmp_path / "source")
    asyncio.run(fill(settings))
    return settings


def target(tmp_path: Path, **more: Any) -> Settings:
    return load_settings(data_dir=tmp_path / "target", **more)


def back_up(source: Settings, tmp_path: Path, *recipients: str, **more: Any) -> Path:
    out = tmp_path / "backup.age"
    create(source, out, recipients, **more)
    return out


def test_after_restoring_people_sign_in_and_tokens_of_before_are_good(
    source: Settings,
    tmp_path: Path,
    custodian: tuple[Path, str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keys = load_or_create_keys(source.token_key_file)
    token = Tokens(keys, SystemClock(), Revocations()).issue_access(
        sub="u_1", role="site", org="o_1", name="Li", sid=None
    )
    secret = source.service_secret_file.read_text()
    admin = Admin(tmp_path / "target", capsys, monkeypatch)
    Admin(source.data_dir, capsys, monkeypatch)(
        "backup", "create", str(tmp_path / "b.age"), "--recipient", custodian[1]
    )
    admin("backup", "restore", str(tmp_path / "b.age"), "--identity", str(custodian[0]))
    assert asyncio.run(login(admin, username="li", password=PASSWORD))[0] == 200
    restored = admin.settings
    verifying = Tokens(load_or_create_keys(restored.token_key_file), SystemClock(), Revocations())
    assert verifying.verify_access(token).sub == "u_1"
    assert restored.service_secret_file.read_text() == secret


def test_everything_restored_is_its_owners_alone(
    source: Settings, tmp_path: Path, custodian: tuple[Path, str]
) -> None:
    out = back_up(source, tmp_path, custodian[1])
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    with opened(out, custodian[0], tmp_path) as backup:
        for path in restore(target(tmp_path), backup):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [path for path in tmp_path.iterdir() if path.name.startswith(".")] == [], "nothing left unsealed"


def test_nobody_but_a_custodian_opens_it(
    source: Settings, tmp_path: Path, custodian: tuple[Path, str]
) -> None:
    out = back_up(source, tmp_path, custodian[1])
    for secret in (b"Nurse Li", b"argon2id", b"PRIVATE KEY", source.service_secret_file.read_bytes()):
        assert secret not in out.read_bytes()
    stranger = tmp_path / "stranger.agekey"
    create_identity(stranger)
    with pytest.raises(ConfigError, match="cannot be unsealed"), opened(out, stranger, tmp_path):
        pass
    with pytest.raises(ConfigError, match="--identity"), opened(out, None, tmp_path):
        pass


def test_every_custodian_opens_it(source: Settings, tmp_path: Path, custodian: tuple[Path, str]) -> None:
    second = tmp_path / "second.agekey"
    out = back_up(source, tmp_path, custodian[1], create_identity(second))
    for identity in (custodian[0], second):
        with opened(out, identity, tmp_path) as backup:
            assert check_database(backup)["users"] == 1


def test_what_is_there_is_never_overwritten(
    source: Settings, tmp_path: Path, custodian: tuple[Path, str]
) -> None:
    out = back_up(source, tmp_path, custodian[1])
    before = {path: path.read_bytes() for path in source.data_dir.rglob("*") if path.is_file()}
    with opened(out, custodian[0], tmp_path) as backup:
        with pytest.raises(ConfigError, match="exists; a backup is restored into an empty place"):
            restore(source, backup)
        half = target(tmp_path)
        half.token_key_file.parent.mkdir(parents=True)
        half.token_key_file.write_text("mine")
        with pytest.raises(ConfigError, match="exists"):
            restore(half, backup)
        assert [path for path in half.data_dir.rglob("*") if path.is_file()] == [half.token_key_file]
    assert before == {path: path.read_bytes() for path in source.data_dir.rglob("*") if path.is_file()}
    with pytest.raises(ConfigError, match="never replaces a file"):
        create(source, out, [custodian[1]])


def test_a_backup_made_while_others_write_is_whole(
    source: Settings, tmp_path: Path, custodian: tuple[Path, str]
) -> None:
    """The service may go on: a writer that never stops does not keep a copy from being consistent."""
    stop = threading.Event()

    async def write() -> None:
        database = await Database.open(source.database_url, SystemClock())
        while not stop.is_set():
            await record_audit(database, "u_1", "test", "x" * 1000)
        await database.close()

    writing = threading.Thread(target=lambda: asyncio.run(write()))
    writing.start()
    try:
        outs = [tmp_path / f"{number}.age" for number in range(3)]
        for out in outs:
            create(source, out, [custodian[1]])
    finally:
        stop.set()
        writing.join()
    counts = []
    for out in outs:
        with opened(out, custodian[0], tmp_path) as backup:
            counts.append(check_database(backup)["audit"])
    assert counts == sorted(counts)


def test_certificates_authority_and_settings_come_along(
    source: Settings, tmp_path: Path, custodian: tuple[Path, str], capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    admin = Admin(source.data_dir, capsys, monkeypatch)
    admin("ca", "init")
    admin("ca", "issue", "consult.local")
    config = tmp_path / "teleconsult.toml"
    config.write_text('log_level = "debug"\n')
    out = back_up(source, tmp_path, custodian[1], config_file=config)
    with opened(out, custodian[0], tmp_path) as backup:
        restore(target(tmp_path), backup)
    for name in ("ca/ca.pem", "ca/ca-key.pem", "ca/issued.jsonl", "tls/server.pem", "tls/server-key.pem"):
        assert (tmp_path / "target" / name).read_bytes() == (source.data_dir / name).read_bytes()
    assert (tmp_path / "target" / "settings.toml").read_bytes() == config.read_bytes()


def test_the_standard_age_tool_and_tar_open_it_too(
    source: Settings, tmp_path: Path, custodian: tuple[Path, str]
) -> None:
    out = back_up(source, tmp_path, custodian[1])
    plain = tmp_path / "plain.tar"
    assert os.system(f"age --decrypt -i {custodian[0]} -o {plain} {out}") == 0
    with tarfile.open(plain) as tar:
        names = tar.getnames()
    assert names[0] == "backup.json"
    assert SQLITE in names


# --- damage and malice -------------------------------------------------------------------


@pytest.mark.parametrize("where", [0.1, 0.5, 0.9, 0.999])
def test_a_sealed_backup_has_no_byte_that_may_change(
    source: Settings, tmp_path: Path, custodian: tuple[Path, str], where: float
) -> None:
    out = back_up(source, tmp_path, custodian[1])
    content = bytearray(out.read_bytes())
    content[int(len(content) * where)] ^= 0xFF
    out.write_bytes(content)
    with (
        pytest.raises(ConfigError, match="cannot be unsealed") as refused,
        opened(out, custodian[0], tmp_path),
    ):
        pass
    assert "\n" not in str(refused.value)


def test_a_changed_part_of_a_plain_backup_is_found_by_its_hash(source: Settings, tmp_path: Path) -> None:
    out = back_up(source, tmp_path)
    content = out.read_bytes()
    assert content.count(b"Nurse Li") == 1
    out.write_bytes(content.replace(b"Nurse Li", b"Nurse Lu"))
    with pytest.raises(ConfigError, match="damaged"), opened(out, None, tmp_path):
        pass


def test_a_backup_that_was_cut_short_is_refused(
    source: Settings, tmp_path: Path, custodian: tuple[Path, str]
) -> None:
    out = back_up(source, tmp_path, custodian[1])
    out.write_bytes(out.read_bytes()[:-1000])
    with pytest.raises(ConfigError, match="cannot be unsealed"), opened(out, custodian[0], tmp_path):
        pass


@pytest.mark.parametrize(
    "name", ["../evil", "/tmp/evil", "keys/../../evil", "database/../../evil", "bin/sh", "keys/.."]
)
def test_a_member_that_wants_to_go_elsewhere_is_not_unpacked(tmp_path: Path, name: str) -> None:
    evil = b"evil"
    contents = {
        "format": 1, "made_at": "2026-01-01T00:00:00+00:00", "teleconsult": "1", "database": "sqlite",
        "members": {name: {"bytes": len(evil), "sha256": hashlib.sha256(evil).hexdigest()}},
    }  # fmt: skip
    out = tmp_path / "evil.backup"
    with tarfile.open(out, "w") as tar:
        for member, content in (("backup.json", json.dumps(contents).encode()), (name, evil)):
            info = tarfile.TarInfo(member)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    with pytest.raises(ConfigError, match="no backup, or damaged"), opened(out, None, tmp_path / "place"):
        pass
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("content", [b"", b"nothing", b"\x00" * 4096])
def test_a_file_that_is_no_backup_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(ConfigError, match="is no backup"), opened(tmp_path / "x", None, tmp_path):
        pass


def test_nobody_being_able_to_open_it_is_refused_unless_asked_for(
    source: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = Admin(source.data_dir, capsys, monkeypatch)
    out = str(tmp_path / "b")
    assert "--plain" in admin.refused("backup", "create", out)
    assert "--recipient" in admin.refused("backup", "create", out, "--recipient", "age1nonsense")
    assert admin("backup", "create", out, "--plain")["recipients"] == []
    assert admin("backup", "check", out, data_dir=False)["sealed"] is False


def test_a_damaged_database_is_found_by_checking(
    source: Settings, tmp_path: Path, custodian: tuple[Path, str]
) -> None:
    database = Path(source.database_url.removeprefix("sqlite+aiosqlite:///"))
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(database.read_bytes())
    content[4096 * 3 : 4096 * 3 + 100] = b"\xff" * 100
    database.write_bytes(content)
    out = back_up(source, tmp_path, custodian[1])
    with (
        opened(out, custodian[0], tmp_path) as backup,
        pytest.raises(ConfigError, match=r"damaged|cannot be read"),
    ):
        check_database(backup)


# --- PostgreSQL --------------------------------------------------------------------------


def test_a_postgresql_database_is_saved_and_restored_into_an_empty_one(
    tmp_path: Path, custodian: tuple[Path, str], postgresql: Any
) -> None:
    source = load_settings(data_dir=tmp_path / "source", database_url=postgresql.new_database())
    asyncio.run(fill(source))
    out = back_up(source, tmp_path, custodian[1])
    empty = target(tmp_path, database_url=postgresql.new_database())
    with opened(out, custodian[0], tmp_path) as backup:
        assert backup.contents.database == "postgresql"
        assert check_database(backup)["objects"] > 10
        with pytest.raises(ConfigError, match="same kind"):
            restore(load_settings(data_dir=tmp_path / "sqlite"), backup)
        restore(empty, backup)
        again = empty.model_copy(update={"data_dir": tmp_path / "again"}).resolve_paths()
        with pytest.raises(ConfigError, match=r"exists|holds tables already"):
            restore(again, backup)

    async def people() -> int:
        database = await Database.open(empty.database_url, SystemClock())
        try:
            return len(await list_users(database))
        finally:
            await database.close()

    assert asyncio.run(people()) == 1
