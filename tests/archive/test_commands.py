"""`teleconsult archive …` as a person or a script uses it: output, exit codes, one-line errors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import pytest
from typer.testing import CliRunner, Result

from archive import layout
from archive.cli import app
from archive.decisions import Kind
from archive.keys import ArchiveSigner, publish_signer, register_person
from archive.opening import current_ledger
from archive.shred import Copies, carry_out, record
from archive.shred_request import new_request
from archive.store_base import LocalFolder
from core.annotations import Change, Mark
from core.clock import SystemClock
from core.messages import AnnotationsChanged
from recorder.consultation_archive import ConsultationArchive
from recorder.jobs import EventsJob, PieceJob, Span
from teleconsult.cli import build_app
from tests.archive import support
from tests.recorder import support as media
from tests.recorder.test_sealing import jobs_of

OTHER = "con_01k9zzzzzzzzzzzzzzzzzzzzz0"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def answer(*arguments: object) -> Any:
    result = run(*arguments, "--json")
    return json.loads(result.stdout)


def allow_export(folder: Path, form: str = "tracks") -> None:
    """Two people have allowed it through the service, just now."""
    request = new_request(current_ledger(folder), "export", folder.name, "court order 7", form=form)
    request.add_signed_in("u_1", 1)
    request.add_signed_in("u_2", 2)
    record(Copies(LocalFolder(folder), None), request, support.keys().signer, SystemClock())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "archive"
    support.write(root)
    allow_export(support.write(root, OTHER, close=False))
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


FEEDS = ("ultrasound", "feed")


def drawn_on_everything(feed: str) -> dict[str, Any]:
    """An event: somebody drew a fat green line across the picture before it began."""
    mark = Mark(
        mark_id="m1",
        feed=feed,
        author="p",
        author_name="P",
        role="specialist",
        tool="pen",
        colour="#00ff00",
        width=0.1,
        points=[0.1, 0.5, 0.9, 0.5],
        changed_us=0,
    )
    change = Change(seq=1, op="add", op_id="o", author="p", at_us=0, put=[mark])
    told = AnnotationsChanged(feed=feed, document_id="d", changes=[change])
    return {**told.model_dump(mode="json"), "at_us": 0}


def recorded(root: Path, events: Sequence[dict[str, Any]] = ()) -> Path:
    """An archive with real media in it."""
    archive = ConsultationArchive(support.create(root), support.FakeClock(), lambda failure: None)
    for codec, name in (
        ("H264", "ultrasound-device-video"),
        ("opus", "ultrasound-device-audio"),
        ("VP8", "old"),
    ):
        for job in jobs_of(codec, name):  # type: ignore[arg-type]  # three codecs
            assert isinstance(job, PieceJob)
            archive.write_piece(job, archive.stage(archive.prepare(job)))
    if events:
        archive.write_events(EventsJob(tuple(json.dumps(event).encode() for event in events), Span(0, 10)))
    archive.close("consultation_closed")
    publish_signer(root, support.keys().signer.public)
    allow_export(root / support.CONSULTATION)
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


def test_a_wall_is_one_film_with_every_picture_and_the_sound(tmp_path: Path, identity: Path) -> None:
    folder = recorded(tmp_path / "archive")
    allow_export(folder, "wall")
    out = tmp_path / "out"
    made = answer("export", folder, "-i", identity, "-o", out, "--wall")
    assert (made["exit_code"], made["left_out"]) == (0, [])
    assert [item["file"] for item in made["tracks"]] == ["wall.mp4"]
    assert not list(out.glob("*.partial"))
    assert (out / "wall.mp4").stat().st_mode & 0o777 == 0o600
    with av.open(str(out / "wall.mp4")) as film:
        assert [stream.type for stream in film.streams] == ["video", "audio"]
        lengths_s = [float(stream.duration * stream.time_base) for stream in film.streams]
        assert abs(lengths_s[0] - lengths_s[1]) < 0.1
        frames = [frame.to_ndarray(format="bgr24") for frame in film.decode(video=0)]
    wanted_us = made["tracks"][0]["end_us"] - made["tracks"][0]["begin_us"]
    assert abs(len(frames) - wanted_us * 30 / 1_000_000) <= 1
    assert frames[0].shape == (1080, 1920, 3)
    left, right = frames[10][100:1000, :960], frames[10][100:1000, 960:]
    assert left.std() > 5
    assert right.std() > 5


def test_burnt_in_drawings_are_in_the_film_from_the_moment_they_were_drawn(
    tmp_path: Path, identity: Path
) -> None:
    folder = recorded(tmp_path / "archive", [drawn_on_everything(feed) for feed in FEEDS])
    allow_export(folder, "wall")
    build_app("archive")  # plugs the drawings in
    made = answer("export", folder, "-i", identity, "-o", tmp_path / "drawn", "--burn-in")
    assert (made["exit_code"], made["left_out"]) == (0, [])
    assert green(tmp_path / "drawn") > green_without(folder, identity, tmp_path / "plain") + 0.02


def green_without(folder: Path, identity: Path, out: Path) -> float:
    answer("export", folder, "-i", identity, "-o", out, "--wall")
    return green(out)


def green(out: Path) -> float:
    """The greenest frame's share of green."""
    with av.open(str(out / "wall.mp4")) as film:
        frames = [frame.to_ndarray(format="bgr24").astype(int) for frame in film.decode(video=0)]
    return max(
        float(((frame[..., 1] - frame[..., 2] > 120) & (frame[..., 1] - frame[..., 0] > 120)).mean())
        for frame in frames
    )


def test_two_people_with_keys_export_and_it_stays_on_record(tmp_path: Path, identity: Path) -> None:
    root = tmp_path / "archive"
    folder = support.write(root)
    publish_signer(root, support.keys().signer.public)
    for name in ("alice", "bob"):
        assert run("keygen", tmp_path / f"{name}.pem", "--person").exit_code == 0
        register_person(root, (tmp_path / f"{name}.pem.pub").read_text().strip(), name)
    asked = tmp_path / "ask.json"
    alice, bob = ("--key", tmp_path / "alice.pem"), ("--key", tmp_path / "bob.pem")
    assert run("export", folder, *alice, "--reason", "court", "--request", asked).exit_code == 0
    wrong = run("export", folder, *bob, "--approve", asked, "-i", identity, "--wall", "-o", tmp_path / "w")
    assert (wrong.exit_code, "another form" in wrong.output) == (2, True)
    made = answer("export", folder, *bob, "--approve", asked, "-i", identity, "-o", tmp_path / "out")
    assert made["events"] == 3
    shown = answer("show", folder)
    people = [(tmp_path / f"{name}.pem.pub").read_text().strip() for name in ("alice", "bob")]
    assert [item["by"] for item in shown["decisions"][0]["approvals"]] == people
    assert run("verify", folder).exit_code == 0


def test_list_and_show_say_what_is_shredded_and_what_is_on_hold(tmp_path: Path) -> None:
    root = tmp_path / "archive"
    decisions: list[tuple[str, Kind, dict[str, Any]]] = [
        ("con_a", "hold", {"hold": "case-7"}),
        ("con_b", "shred", {"objects": "kept", "policy": None}),
    ]
    for name, kind, terms in decisions:
        folder = support.write(root, name)
        request = new_request(current_ledger(folder), kind, name, "r", **terms)
        request.add_signed_in("u_1", 1)
        request.add_signed_in("u_2", 2)
        copies = Copies(LocalFolder(folder), None)
        record(copies, request, support.keys().signer, SystemClock())
        carry_out(copies)
    listed = {item["consultation"]: item for item in answer("list", root)}
    assert (listed["con_a"]["state"], listed["con_a"]["holds"]) == ("closed", ["case-7"])
    assert listed["con_b"]["state"] == "shredded"
    assert "shred: r (u_1, u_2)" in run("show", root / "con_b").output


def test_a_stranger_to_the_rule_of_two_gets_no_export(tmp_path: Path, identity: Path, root: Path) -> None:
    folder = root / support.CONSULTATION
    refused = run("export", folder, "-i", identity, "-o", tmp_path / "out")
    assert refused.exit_code == 2
    assert "two people" in refused.output
    assert not (tmp_path / "out").exists()
    assert run("export", root / OTHER, "-i", identity, "-o", tmp_path / "out", "--wall").exit_code == 2
