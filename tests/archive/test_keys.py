"""Keys: custodians, the helper that forgets, files that are never overwritten, whom to trust."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyrage
import pytest

from archive import keys
from archive.keys import ArchiveSigner
from core.config import Recipient
from core.errors import ConfigError
from tests.archive import support

ONE, OTHER = support.keys().recipients


def test_two_custodians_one_of_them_offline_are_enough() -> None:
    keys.check_custodians([ONE, OTHER])


@pytest.mark.parametrize(
    ("recipients", "reason"),
    [
        ([], "two recipients"),
        ([OTHER], "two recipients"),
        ([OTHER, OTHER], "two recipients"),
        ([OTHER, OTHER.model_copy(update={"custodian": "somebody else"})], "two recipients"),
        ([ONE, OTHER.model_copy(update={"custodian": ONE.custodian})], "two named custodians"),
        ([ONE, OTHER.model_copy(update={"custodian": "  "})], "two named custodians"),
        ([ONE, OTHER.model_copy(update={"offline": False})], "offline"),
        ([ONE, OTHER.model_copy(update={"recipient": "age1" + "q" * 58})], "not an age X25519"),
    ],
)
def test_recording_refuses_to_start_with_fewer(recipients: list[Recipient], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        keys.check_custodians(recipients)


def test_the_helper_prints_the_public_half_and_the_wrapped_secret_only() -> None:
    made = keys.make_session_key([ONE.recipient, OTHER.recipient])
    for identity in support.keys().identities:
        text = pyrage.decrypt(made.wrapped, [identity]).decode()
        (secret,) = keys.parse_identities(text, "test")
        assert str(secret.to_public()) == made.public_key
    assert b"AGE-SECRET-KEY" not in made.wrapped


def test_every_consultation_gets_a_key_of_its_own() -> None:
    assert support.session_key().public_key != keys.make_session_key([ONE.recipient]).public_key


def test_a_broken_recipient_is_an_error_and_not_a_key() -> None:
    with pytest.raises(ConfigError, match="key helper failed"):
        keys.make_session_key(["age1nonsense"])


def test_the_recorders_process_never_imports_the_helper() -> None:
    """The secret half must not exist where the recorder runs."""
    code = "import sys, recorder.main; print('archive.keyhelper' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_an_identity_file_is_the_standard_one(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "auditor.agekey"
    public = keys.create_identity(path)
    lines = path.read_text().splitlines()
    assert lines[0].startswith("# created: 20")
    assert lines[1] == f"# public key: {public}"
    assert lines[2].startswith("AGE-SECRET-KEY-1")
    assert path.stat().st_mode & 0o777 == 0o600
    derived = subprocess.run(["age-keygen", "-y", str(path)], capture_output=True, text=True, check=True)
    assert derived.stdout.strip() == public


def test_the_age_tool_opens_the_wrapped_key_with_it(tmp_path: Path) -> None:
    path = tmp_path / "auditor.agekey"
    made = keys.make_session_key([keys.create_identity(path)])
    wrapped = tmp_path / "session.key.age"
    wrapped.write_bytes(made.wrapped)
    done = subprocess.run(["age", "-d", "-i", str(path), str(wrapped)], capture_output=True, check=True)
    session = tmp_path / "session"
    session.write_bytes(done.stdout)
    derived = subprocess.run(["age-keygen", "-y", str(session)], capture_output=True, text=True, check=True)
    assert derived.stdout.strip() == made.public_key


@pytest.mark.parametrize("make", [keys.create_identity, keys.create_signer])
def test_a_key_file_is_never_overwritten(tmp_path: Path, make: object) -> None:
    path = tmp_path / "key"
    path.write_text("precious")
    with pytest.raises(ConfigError, match="not overwritten"):
        make(path)  # type: ignore[operator]  # one of the two above
    assert path.read_text() == "precious"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "holds no age secret key"),
        ("# only a comment\n", "holds no age secret key"),
        ("hello\n", "not an age identity"),
        ("age-encryption.org/v1\n", "passphrase"),
        (None, "cannot be read"),
    ],
)
def test_a_file_that_is_no_identity_says_why(tmp_path: Path, text: str | None, reason: str) -> None:
    path = tmp_path / "key"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=reason):
        keys.read_identities(path)


def test_a_signer_is_the_same_after_reading_it_back(tmp_path: Path) -> None:
    path = tmp_path / "signing.pem"
    made = keys.ensure_signer(path)
    assert keys.ensure_signer(path).public == made.public
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.with_name("signing.pem.pub").read_text() == f"{made.public}\n"
    assert keys.load_signer(path).sign(b"x") == made.sign(b"x")


def test_the_signing_key_is_ordinary_pem(tmp_path: Path) -> None:
    path = tmp_path / "signing.pem"
    keys.create_signer(path)
    done = subprocess.run(
        ["openssl", "pkey", "-in", str(path), "-noout", "-text"], capture_output=True, text=True, check=True
    )
    assert "ED25519" in done.stdout


@pytest.mark.parametrize("content", [b"", b"not PEM", b"-----BEGIN PRIVATE KEY-----\nAAAA\n"])
def test_a_broken_signing_key_is_an_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "signing.pem"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="not an unencrypted PEM"):
        keys.load_signer(path)


def test_published_signers_are_listed_once_and_read_back(tmp_path: Path) -> None:
    first, second = ArchiveSigner.generate().public, ArchiveSigner.generate().public
    for public in (first, second, first):
        keys.publish_signer(tmp_path, public)
    trusted = keys.read_trust_file(tmp_path / "trusted-signers.txt")
    assert [item.public for item in trusted] == [first, second]
    assert {item.source for item in trusted} == {str(tmp_path / "trusted-signers.txt")}


def test_a_list_of_keys_is_never_seen_half_written_and_loses_no_line(tmp_path: Path) -> None:
    path = tmp_path / "trusted-signers.txt"
    wanted = [ArchiveSigner.generate().public for _ in range(40)]
    seen: list[bytes] = []
    with ThreadPoolExecutor(5) as pool:
        writers = [pool.submit(keys.publish_signer, tmp_path, key, "x") for key in wanted]
        while not all(writer.done() for writer in writers):
            if path.exists():
                seen.append(path.read_bytes())
        for writer in writers:
            writer.result()
    assert seen
    assert all(data.endswith(b"\n") for data in seen)
    assert sorted(item.public for item in keys.read_trust_file(path)) == sorted(wanted)


def test_a_last_line_without_its_end_is_not_glued_to_the_next(tmp_path: Path) -> None:
    first, second = (ArchiveSigner.generate().public for _ in range(2))
    (tmp_path / "trusted-signers.txt").write_text(first)
    keys.publish_signer(tmp_path, second, "x")
    assert [item.public for item in keys.read_trust_file(tmp_path / "trusted-signers.txt")] == [first, second]


@pytest.mark.parametrize("line", ["ed25519:12", "ssh-ed25519 AAAA", "ed25519:" + "G" * 64])
def test_a_wrong_line_among_trusted_signers_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "trusted"
    path.write_text(f"# ours\n{support.keys().signer.public}\n{line}\n")
    with pytest.raises(ConfigError, match="line 3"):
        keys.read_trust_file(path)
