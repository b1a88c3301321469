"""`teleconsult archive …` as a person or a script uses it: output, exit codes, one-line errors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from archive import layout
from archive.cli import app
from archive.keys import ArchiveSigner, publish_signer
from recorder.consultation_archive import ConsultationArchive
from recorder.jobs import PieceJob
from tests.archive import support
from tests.recorder import support as media
from tests.recorder.test_sealing import jobs_of

OTHER = "con_01k9zzzzzzzzzzzzzzzzzzzzz0"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def answer(*arguments: object) -> Any:
    result = run(*arguments, "--json")
    return json.loads(result.stdout)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "archive"
    support.write(root)
    support.write(root, OTHER, close=False)
    publish_signer(root, support.keys().signer.public)
    return root


@pytest.fixture
def identity(tmp_path: Path) -> Path:
    path = tmp_path / "auditor.agekey"
    path.write_text(f"{support.keys().identities[0]}\n")
    return path


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("TELECONSULT_")]:
        monkeypatch.delenv(name)


def test_verify_one_consultation(root: Path) -> None:
    report = answer("verify", root / OTHER)
    assert (report["exit_code"], report["verdict"], report["open"]) == (0, "intact", True)
    assert [item["consultation"] for item in report["consultations"]] == [OTHER]
    assert report["trust"] == [
        {"signer": support.keys().signer.public, "source": str(root / layout.TRUSTED_SIGNERS)}
    ]


def test_verify_a_whole_archive_and_the_gravest_verdict_wins(root: Path) -> None:
    assert run("verify", root).exit_code == 0
    next((root / OTHER).rglob("init.mp4.age")).unlink()
    assert run("verify", root).exit_code == 12
    victim = next((root / support.CONSULTATION).rglob("000001.m4s.age"))
    victim.write_bytes(b"changed")
    result = run("verify", root)
    assert result.exit_code == 10
    assert "intact" not in result.stdout
    assert victim.relative_to(root / support.CONSULTATION).as_posix() in result.stdout


def test_verify_needs_a_trusted_signer(root: Path) -> None:
    (root / layout.TRUSTED_SIGNERS).unlink()
    result = run("verify", root / OTHER)
    assert result.exit_code == 13
    assert "--signer" in result.stderr
    assert run("verify", root / OTHER, "--signer", support.keys().signer.public).exit_code == 0
    assert run("verify", root / OTHER, "--signer", ArchiveSigner.generate().public).exit_code == 13


def test_signers_may_be_given_as_files_settings_or_variables(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / layout.TRUSTED_SIGNERS).unlink()
    ours = tmp_path / "ours.txt"
    ours.write_text(f"{support.keys().signer.public}  # the service\n")
    stranger = ArchiveSigner.generate().public
    assert run("verify", root, "--signer", stranger, "--signer", ours).exit_code == 0
    config = tmp_path / "teleconsult.toml"
    config.write_text(f'trusted_signers = ["{support.keys().signer.public}"]\n')
    assert run("verify", root, "--config", config).exit_code == 0
    monkeypatch.setenv("TELECONSULT_TRUSTED_SIGNERS", str(ours))
    report = answer("verify", root)
    assert report["exit_code"] == 0
    assert report["trust"][0]["source"] == str(ours)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["verify", "/nowhere"], "not a directory"),
        (["verify", "{tmp}"], "holds no consultation"),
        (["verify", "{root}", "--signer", "ed25519:12"], "not a signer"),
        (["verify", "{root}", "--signer", "/nowhere"], "cannot be read"),
        (["verify", "{root}", "--config", "/nowhere"], "cannot be read"),
        (["show", "{root}"], "one consultation's folder"),
        (["export", "{root}", "--identity", "/nowhere"], "one consultation's folder"),
        (["export", "{one}", "--identity", "/nowhere", "--out", "{out}"], "cannot be read"),
        (["keygen", "{root}/trusted-signers.txt"], "not overwritten"),
    ],
)
def test_a_mistake_is_one_line_with_the_fix_and_exit_code_2(
    root: Path, tmp_path: Path, arguments: list[str], says: str
) -> None:
    (tmp_path / "empty").mkdir()
    places = {"root": root, "one": root / OTHER, "tmp": tmp_path / "empty", "out": tmp_path / "out"}
    result = run(*[argument.format(**places) for argument in arguments])
    assert result.exit_code == 2
    assert says in result.stderr
    assert result.stderr.count("\n") == 1


def test_keygen_prints_the_recipient_alone_on_standard_output(tmp_path: Path) -> None:
    result = run("keygen", tmp_path / "key")
    assert result.exit_code == 0
    assert result.stdout.strip().startswith("age1")
    assert "AGE-SECRET-KEY" not in result.output
    made = answer("keygen", tmp_path / "signing.pem", "--signer")
    assert made["kind"] == "signer"
    assert made["public"].startswith("ed25519:")


def test_list_and_show_tell_what_there_is(root: Path) -> None:
    rows = answer("list", root)
    assert [(row["consultation"], row["state"]) for row in rows] == [
        (OTHER, "open"),
        (support.CONSULTATION, "closed"),
    ]
    shown = answer("show", root / OTHER)
    assert [row["track"] for row in shown["generations"]].count("ultrasound-device-video") == 2
    assert [gap["reason"] for gap in shown["gaps"]] == ["packet_loss"]
    assert [item["custodian"] for item in shown["custodians"]] == ["王医生", "Records office"]
    assert "王医生" in run("show", root / OTHER).stdout
    assert OTHER in run("list", root).stdout


def test_a_folder_that_cannot_be_read_is_listed_all_the_same(root: Path) -> None:
    (root / OTHER / layout.MANIFEST).write_bytes(b"nonsense\n")
    assert [row["state"] for row in answer("list", root)] == ["unreadable", "closed"]


def recorded(root: Path) -> Path:
    """An archive with real media in it."""
    archive = ConsultationArchive(support.create(root), support.FakeClock(), lambda failure: None)
    for codec, name in (
        ("H264", "ultrasound-device-video"),
        ("opus", "ultrasound-device-audio"),
        ("VP8", "old"),
    ):
        for job in jobs_of(codec, name):  # type: ignore[arg-type]  # three codecs
            assert isinstance(job, PieceJob)
            archive.write_piece(job)
    archive.close("consultation_closed")
    publish_signer(root, support.keys().signer.public)
    return root / support.CONSULTATION


def test_export_makes_ordinary_files(tmp_path: Path, identity: Path) -> None:
    folder = recorded(tmp_path / "archive")
    out = tmp_path / "out"
    made = answer("export", folder, "--identity", identity, "--out", out)
    assert (made["exit_code"], made["left_out"]) == (0, [])
    assert made["verification"]["verdict"] == "intact"
    files = {item["file"] for item in made["tracks"]}
    assert files == {
        "ultrasound-device-video.000.mp4",
        "ultrasound-device-audio.000.mp4",
        "old.000.webm",
    }
    for name in files:
        frames, complaints = media.decode_with_ffmpeg(out / name)
        assert (frames, complaints) == (100 if "audio" in name else 60, ""), name
        assert media.ffprobe(out / name).times[0] == 0
        assert (out / name).stat().st_mode & 0o777 == 0o600
    plain = (out / "ultrasound-device-video.000.mp4").read_bytes()
    assert b"moof" not in plain
    assert plain.index(b"moov") < plain.index(b"mdat")
    assert json.loads((out / "timeline.json").read_text())["tracks"][0]["begin_us"] == 3_600_000_000
    assert not list(out.glob("*.partial"))


def test_export_leaves_out_what_was_damaged_and_says_so(tmp_path: Path, identity: Path) -> None:
    folder = recorded(tmp_path / "archive")
    victim = folder / "tracks" / "ultrasound-device-video" / "000" / "000002.m4s.age"
    victim.write_bytes(victim.read_bytes()[:-1] + b"\0")
    made = answer("export", folder, "-i", identity, "-o", tmp_path / "out")
    assert made["exit_code"] == 10
    assert [item["object"] for item in made["left_out"]] == [victim.relative_to(folder).as_posix()]
    frames, _ = media.decode_with_ffmpeg(tmp_path / "out" / "ultrasound-device-video.000.mp4")
    assert frames == 30


def test_export_does_not_decrypt_what_somebody_else_sealed_to_the_public_key(
    tmp_path: Path, identity: Path
) -> None:
    import pyrage

    folder = recorded(tmp_path / "archive")
    victim = folder / "tracks" / "ultrasound-device-video" / "000" / "000001.m4s.age"
    recipient = pyrage.x25519.Recipient.from_str(support.session_key().public_key)
    victim.write_bytes(pyrage.encrypt(b"another picture", [recipient]))
    made = answer("export", folder, "-i", identity, "-o", tmp_path / "out")
    assert made["exit_code"] == 10
    assert len(made["left_out"]) == 1


def test_export_keeps_what_it_cannot_remux(root: Path, tmp_path: Path, identity: Path) -> None:
    """These objects hold no media at all."""
    made = answer("export", root / OTHER, "-i", identity, "-o", tmp_path / "out")
    assert made["exit_code"] == 0
    assert (tmp_path / "out" / "ultrasound-device-video.001.mp4").read_bytes().startswith(b"init v1")


def test_export_with_a_strangers_key_names_who_can_open_it(tmp_path: Path, root: Path) -> None:
    run("keygen", tmp_path / "stranger")
    result = run("export", root / OTHER, "-i", tmp_path / "stranger", "-o", tmp_path / "out")
    assert result.exit_code == 2
    assert "王医生" in result.stderr
    assert not (tmp_path / "out").exists()


def test_export_never_writes_among_other_files(tmp_path: Path, root: Path, identity: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("precious")
    result = run("export", root / OTHER, "-i", identity, "-o", out)
    assert result.exit_code == 2
    assert "not empty" in result.stderr


def test_the_whole_command_line_reaches_it(root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "teleconsult", "archive", "verify", str(root)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert support.CONSULTATION in done.stdout
