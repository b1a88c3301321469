"""Archives in a real S3-speaking server: read, verified, destroyed with every version."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import obstore
import pytest
from typer.testing import CliRunner

from archive import layout
from archive.cli import app
from archive.faults import Verdict
from archive.opening import open_object, read_contents, unwrap
from archive.store_base import LocalFolder, StoreError
from archive.store_open import LayeredFolder, find_credentials, store_of
from archive.store_s3 import S3Access, S3Archive
from archive.store_sign import Credentials, sign
from archive.store_versions import VersionedStore
from archive.verify import verify_consultation
from core.config import Settings, load_settings
from core.errors import ConfigError
from tests.archive import support
from tests.support.s3 import CREDENTIALS, S3Server, running_s3


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with running_s3(tmp_path_factory.mktemp("s3")) as running:
        running.keep_versions()
        yield running


@pytest.fixture
def far(server: S3Server, request: pytest.FixtureRequest) -> S3Archive:
    """A prefix of the test's own."""
    return server.archive(prefix_of(request))


def prefix_of(request: pytest.FixtureRequest) -> str:
    return "p/" + hashlib.sha256(request.node.name.encode()).hexdigest()[:12]


def copy_to(far: S3Archive, folder: Path, *, without: tuple[str, ...] = ()) -> None:
    """Every file of a consultation, as an upload leaves them."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in without:
            far.folder(folder.name).write(name, path.read_bytes())


def verdict(far: S3Archive) -> Verdict:
    return verify_consultation(far.folder(support.CONSULTATION), support.keys().trusted).verdict


def test_a_copy_in_the_store_verifies_like_the_folder_and_its_bytes_can_be_read_in_ranges(
    far: S3Archive, tmp_path: Path
) -> None:
    folder = support.write(tmp_path)
    copy_to(far, folder)
    near, there = LocalFolder(folder), far.folder(folder.name)
    assert verdict(far) is Verdict.INTACT
    assert there.objects() == near.objects()
    assert far.names() == [folder.name]
    path = near.objects()[0]
    whole = near.read(path)
    assert there.read(path) == whole
    assert there.hash(path) == near.hash(path)
    assert there.size(path) == len(whole)
    assert there.read_range(path, 3, 10) == near.read_range(path, 3, 10) == whole[3:13]
    assert there.read_range(path, len(whole) - 2, 10) == near.read_range(path, len(whole) - 2, 10)
    assert there.read_range(path, len(whole) + 5, 10) == b""
    assert list(there.lines(layout.MANIFEST)) == list(near.lines(layout.MANIFEST))


def test_what_is_damaged_in_the_store_is_found_there(far: S3Archive, tmp_path: Path) -> None:
    folder = support.write(tmp_path)
    path = LocalFolder(folder).objects()[1]
    copy_to(far, folder, without=(path,))
    assert verdict(far) is Verdict.MISSING
    far.folder(folder.name).write(path, b"something else")
    assert verdict(far) is Verdict.ALTERED


def test_a_closed_copy_may_hold_no_object_that_its_manifest_does_not_name(
    far: S3Archive, tmp_path: Path
) -> None:
    folder = support.write(tmp_path)
    copy_to(far, folder)
    far.folder(folder.name).write("tracks/ultrasound-device-video/001/000002.m4s.age", b"x")
    assert verdict(far) is Verdict.ALTERED


def test_a_growing_copy_whose_objects_are_ahead_of_its_manifest_is_intact(
    far: S3Archive, tmp_path: Path
) -> None:
    folder = support.write(tmp_path, close=False)
    lines = (folder / layout.MANIFEST).read_bytes().splitlines(keepends=True)
    copy_to(far, folder)
    far.folder(folder.name).write(layout.MANIFEST, b"".join(lines[:4]))
    report = verify_consultation(far.folder(folder.name), support.keys().trusted)
    assert (report.verdict, report.open, report.entries) == (Verdict.INTACT, True, 4)
    assert len(report.unentered) > 1


def test_objects_that_left_the_folder_are_read_from_the_store(far: S3Archive, tmp_path: Path) -> None:
    folder = support.write(tmp_path)
    copy_to(far, folder)
    near = LocalFolder(folder)
    for path in near.objects()[::2]:
        (folder / path).unlink()
    both = LayeredFolder(near, far.folder(folder.name))
    assert verify_consultation(near, support.keys().trusted).verdict is Verdict.MISSING
    assert verify_consultation(both, support.keys().trusted).verdict is Verdict.INTACT


def test_what_is_all_here_verifies_without_waiting_for_the_store(tmp_path: Path) -> None:
    folder = support.write(tmp_path)
    away = S3Archive(S3Access("s3://bucket/x", CREDENTIALS, "http://127.0.0.1:9"))
    both = LayeredFolder(LocalFolder(folder), away.folder(folder.name))
    assert verify_consultation(both, support.keys().trusted).verdict is Verdict.INTACT
    (folder / both.objects()[0]).unlink()
    with pytest.raises(StoreError, match="does not answer"):  # which is not to say that it is missing
        verify_consultation(both, support.keys().trusted)


def test_commands_take_the_url_of_an_archive_or_of_one_consultation(
    server: S3Server, far: S3Archive, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    folder = support.write(tmp_path / "archive")
    copy_to(far, folder)
    far.write_root(layout.TRUSTED_SIGNERS, f"{support.keys().signer.public}\n".encode())
    environment = dict(server.environment(prefix_of(request)))
    for command in (["verify", far.place], ["verify", f"{far.place}/{folder.name}"], ["list", far.place]):
        done = CliRunner().invoke(app, [*command, "--json"], env=environment)
        assert done.exit_code == 0, done.output
        assert folder.name in done.output
    shown = CliRunner().invoke(app, ["show", f"{far.place}/{folder.name}", "--json"], env=environment)
    assert json.loads(shown.stdout)["path"] == f"{far.place}/{folder.name}"
    nothing = CliRunner().invoke(app, ["verify", f"{far.place}/nothing-here"], env=environment)
    assert nothing.exit_code == 2
    assert len(nothing.output.strip().splitlines()) == 1


def test_an_export_reads_from_the_store(
    server: S3Server, far: S3Archive, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    folder = support.write(tmp_path / "archive")
    copy_to(far, folder)
    contents = far.folder(folder.name)
    identity = tmp_path / "me.agekey"
    identity.write_text(str(support.keys().identities[0]))
    found = read_contents(contents)
    identities = unwrap(contents, found.opened, identity)
    assert open_object(contents, found.events[0], identities) == b'{"type":"x"}\n{"type":"y"}\n'


def test_destroying_an_object_removes_every_version_of_it_and_nothing_else(
    server: S3Server, far: S3Archive
) -> None:
    folder = far.folder("con_1")
    for content in (b"one", b"two", b"three"):
        folder.write(layout.SESSION_KEY, content)
    folder.write(layout.SESSION_KEY + ".not", b"another object")
    with far.errors():
        obstore.delete(far.store, f"con_1/{layout.SESSION_KEY}")  # leaves a marker and three versions
    versions = VersionedStore(far.access)
    key = f"{far.access.prefix}/con_1/{layout.SESSION_KEY}"
    assert len(versions.versions(key)) == 4
    assert versions.destroy([f"con_1/{layout.SESSION_KEY}"]) == 4
    assert versions.versions(key) == []
    assert not folder.has(layout.SESSION_KEY)
    assert folder.read(layout.SESSION_KEY + ".not") == b"another object"
    assert versions.destroy([f"con_1/{layout.SESSION_KEY}"]) == 0


def test_a_refusal_names_the_place_and_the_reason_and_no_secret(server: S3Server) -> None:
    wrong = S3Archive(server.access("p", Credentials(CREDENTIALS.key_id, "not-the-secret")))
    with pytest.raises(StoreError) as caught:
        wrong.write("x", b"y")
    assert "SignatureDoesNotMatch (403)" in str(caught.value)
    with pytest.raises(StoreError) as destroying:
        VersionedStore(wrong.access).destroy(["x"])
    text = f"{caught.value!r} {destroying.value!r} {wrong.access!r}"
    assert CREDENTIALS.key_id not in str(caught.value)
    assert "not-the-secret" not in text


def test_a_store_that_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    environment = {
        "TELECONSULT_ARCHIVE_STORE_ENDPOINT": "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "A",
        "AWS_SECRET_ACCESS_KEY": "B",
    }
    done = CliRunner().invoke(app, ["verify", "s3://bucket/con_1"], env=environment)
    assert done.exit_code == 1
    assert "does not answer" in done.output
    assert len(done.output.strip().splitlines()) == 1


def test_credentials_come_from_a_file_or_the_environment_and_no_error_repeats_them(
    tmp_path: Path,
) -> None:
    file = tmp_path / "credentials"
    file.write_text("[default]\naws_access_key_id = A\naws_secret_access_key = very%secret\n")
    with pytest.raises(ConfigError, match="chmod 600"):
        find_credentials(file, {})
    file.chmod(0o600)
    assert find_credentials(file, {}) == Credentials("A", "very%secret")
    found = find_credentials(None, {"AWS_ACCESS_KEY_ID": "B", "AWS_SECRET_ACCESS_KEY": "hush"})
    assert found == Credentials("B", "hush")
    assert "hush" not in repr(found)
    file.write_text("aws_secret_access_key = very-secret\n")
    with pytest.raises(ConfigError) as caught:
        find_credentials(file, {})
    assert "very-secret" not in str(caught.value)
    with pytest.raises(ConfigError, match="archive_store_credentials_file"):
        find_credentials(None, {})


def test_without_a_store_nothing_is_needed_and_wrong_urls_are_refused(tmp_path: Path) -> None:
    assert store_of(Settings()) is None
    for wrong in ("s3:bucket", "http://bucket", "s3://B_ad", "s3://bucket/a b"):
        with pytest.raises(ConfigError, match="archive-store-url"):
            load_settings(archive_store_url=wrong)
    with pytest.raises(ConfigError, match="archive-store-endpoint"):
        load_settings(archive_store_endpoint="https://key:secret@host")


def test_signatures_are_those_of_the_published_example() -> None:
    """AWS, "Signature Calculations for the Authorization Header", example "GET Bucket Lifecycle"."""
    headers = sign(
        "GET",
        "examplebucket.s3.amazonaws.com",
        "/",
        {"lifecycle": ""},
        region="us-east-1",
        credentials=Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        moment="20130524T000000Z",
    )
    expected = "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
    assert headers["authorization"].endswith(f"Signature={expected}")
