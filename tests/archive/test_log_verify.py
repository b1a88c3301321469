"""`archive verify --log`: every way to make something quietly not exist is found, with its exit code, and
named.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archive import layout
from archive.chain import Head
from archive.checkpoint import COSIGNATURE, VerifierKey
from archive.continuity import RECORDING_STOPPED
from archive.keys import ArchiveSigner, publish_signer
from archive.log_heads import sign_head
from archive.log_keys import publish_log
from archive.log_records import CHECKPOINTS, ENTRIES, FOLDER
from archive.log_store import LogStore
from archive.specs import Span
from archive.witness import cosign
from core.messages import ArchiveHead
from tests.archive import support
from tests.archive.log_support import AT_US, KEY, LOG, ORIGIN, access, leaf, open_store, opened
from tests.archive.test_commands import answer, run

FIRST, SECOND, THIRD = (f"con_01k9zzzzzzzzzzzzzzzzzzzzz{digit}" for digit in "012")
FOURTH = "con_01k9zzzzzzzzzzzzzzzzzzzzz4"
UNRECORDED = "con_01k9zzzzzzzzzzzzzzzzzzzzz3"
WITNESS = ArchiveSigner.generate()
WITNESS_KEY = VerifierKey.of("partner.example/w1", WITNESS.public, COSIGNATURE)


def head_of(folder: Path, entries: int | None = None) -> Head:
    """Of the manifest's first lines, or all of them."""
    head = Head()
    for line in (folder / layout.MANIFEST).read_bytes().splitlines(keepends=True)[:entries]:
        head = head.after(line)
    return head


def mark(folder: Path, entries: int | None = None) -> dict[str, Any]:
    head = head_of(folder, entries)
    return {"consultation": folder.name, "entries": head.next_entry, "head": head.previous}


def close_leaf(log: LogStore, folder: Path, state: str = "final") -> None:
    log.append([leaf("close", **mark(folder), state=state)])


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("TELECONSULT_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two closed consultations, one that goes on, one that was not recorded; their log."""
    root = tmp_path / "archive"
    log = open_store(root / FOLDER)
    log.append([opened(FIRST, at_us=AT_US - 10**12)])
    folder = support.write(root, FIRST)
    log.append([leaf("head", **mark(folder, 3), final=False), access(1)])
    log.publish()
    close_leaf(log, folder)
    log.append([opened(UNRECORDED, record=False)])
    log.append([leaf("close", consultation=UNRECORDED, entries=0, head=None, state="unrecorded")])
    log.publish()
    log.append([opened(SECOND), access(2)])
    close_leaf(log, support.write(root, SECOND, salt="second"))
    log.publish()
    log.append([opened(THIRD)])
    log.append([leaf("head", **mark(support.write(root, THIRD, close=False), 5), final=False)])
    log.publish()
    log.close()
    publish_signer(root, support.keys().signer.public)
    publish_log(root, LOG)
    return root


def add(root: Path, *leaves: Any) -> None:
    log = open_store(root / FOLDER)
    log.append(leaves or [access(9)])
    log.publish()
    log.close()


def kept(root: Path, *consultations: str, entries: int | None = None) -> Path:
    """What a box was told just now."""
    log = open_store(root / FOLDER)
    checkpoint = log.published()
    log.close()
    path = root.parent / "heads.jsonl"
    lines = []
    for consultation in consultations or (None,):
        head = None
        if consultation is not None:
            at = head_of(root / consultation, entries)
            head = sign_head(consultation, at, AT_US, False, support.keys().signer)
        told = ArchiveHead(head=head, checkpoint=checkpoint, at_us=AT_US)
        lines.append(told.model_dump_json(exclude={"type"}))
    path.write_text("\n".join(lines) + "\n")
    return path


def cut_last_line(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: data[:-1].rindex(b"\n") + 1])


def finding(report: Any, consultation: str) -> Any:
    return next(one for one in report["log"]["consultations"] if one["consultation"] == consultation)


def test_an_untouched_archive_and_its_log_agree(root: Path) -> None:
    report = answer("verify", root, "--log")
    assert (report["exit_code"], report["open"], report["log"]["exit_code"]) == (0, True, 0)
    assert report["log"]["problems"] == []
    assert {one["consultation"]: one["state"] for one in report["log"]["consultations"]} == {
        FIRST: "final",
        SECOND: "final",
        THIRD: "open",
        UNRECORDED: "unrecorded",
    }
    assert finding(report, THIRD)["vouched_entries"] == 5
    assert report["log"]["size"] == 11
    shown = run("verify", root, "--log")
    assert (shown.exit_code, ORIGIN in shown.stdout) == (0, True)
    assert answer("verify", root / FIRST, "--log")["exit_code"] == 0


def test_without_the_log_none_of_this_is_looked_at(root: Path) -> None:
    shutil.rmtree(root / FIRST)
    assert answer("verify", root)["exit_code"] == 0


@pytest.mark.parametrize("name", [FIRST, SECOND, THIRD])
def test_a_whole_consultation_that_is_gone_is_named(root: Path, name: str) -> None:
    shutil.rmtree(root / name)
    report = answer("verify", root, "--log")
    assert (report["exit_code"], finding(report, name)["exit_code"]) == (12, 12)
    assert "missing" in finding(report, name)["reason"]


def test_all_consultations_gone(root: Path) -> None:
    for name in (FIRST, SECOND, THIRD):
        shutil.rmtree(root / name)
    (root / layout.TRUSTED_SIGNERS).unlink()
    report = answer("verify", root, "--log")
    assert (report["exit_code"], finding(report, SECOND)["exit_code"]) == (12, 12)


def test_a_closed_archive_cut_back_to_an_open_one_is_found(root: Path) -> None:
    """Nothing inside the folder shows it: the marker and the objects after the cut are gone, too."""
    folder = root / SECOND
    (folder / layout.CLOSED).unlink()
    cut_last_line(folder / layout.MANIFEST)
    assert answer("verify", root)["exit_code"] == 0
    report = answer("verify", root, "--log")
    assert (report["exit_code"], finding(report, SECOND)["exit_code"]) == (11, 11)


def test_an_archive_made_anew_by_the_same_key_is_found(root: Path) -> None:
    """The signer himself made another one of the same consultation; by itself it verifies."""
    shutil.rmtree(root / FIRST)
    support.write(root, FIRST, salt="another")
    assert answer("verify", root)["exit_code"] == 0
    report = answer("verify", root, "--log")
    assert (report["exit_code"], finding(report, FIRST)["exit_code"]) == (10, 10)
    assert "entry" in finding(report, FIRST)["reason"]


def test_an_open_archive_that_was_shortened_is_found(root: Path) -> None:
    shutil.rmtree(root / THIRD)
    writer = support.create(root, THIRD)
    writer.release()
    report = answer("verify", root, "--log")
    assert (report["exit_code"], finding(report, THIRD)["exit_code"]) == (11, 11)


def test_an_archive_the_log_does_not_know_is_found_unless_it_is_older(root: Path) -> None:
    stranger = "con_01k9zzzzzzzzzzzzzzzzzzzzz9"
    support.write(root, stranger)
    report = answer("verify", root, "--log")
    assert (report["exit_code"], finding(report, stranger)["state"]) == (11, "unknown")
    shutil.rmtree(root / FOLDER)
    log = open_store(root / FOLDER)
    log.append([opened("con_later", record=False, at_us=AT_US + 10**12)])
    log.publish()
    log.close()
    report = answer("verify", root, "--log")
    assert report["log"]["exit_code"] == 0
    assert finding(report, stranger)["reason"] == "older than the log"


def test_an_archive_of_a_consultation_that_was_not_recorded_is_found(root: Path) -> None:
    support.write(root, UNRECORDED)
    assert finding(answer("verify", root, "--log"), UNRECORDED)["exit_code"] == 10


def test_what_was_recorded_after_all_is_fine(root: Path) -> None:
    """Opened without recording; then it was asked for: the log has seen its archive grow."""
    late = "con_01k9zzzzzzzzzzzzzzzzzzzzz4"
    folder = support.write(root, late)
    add(root, opened(late, record=False), leaf("head", **mark(folder, 2), final=False))
    add(root, leaf("close", **mark(folder), state="final"))
    report = answer("verify", root, "--log")
    assert (report["exit_code"], finding(report, late)["state"]) == (0, "final")


def rewrite(path: Path, old: bytes, new: bytes) -> None:
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new, 1))


def change_a_leaf(log: Path) -> None:
    rewrite(log / ENTRIES, b'"record":false', b'"record":true')


def drop_a_leaf(log: Path) -> None:
    lines = (log / ENTRIES).read_bytes().splitlines(keepends=True)
    (log / ENTRIES).write_bytes(b"".join(lines[:2] + lines[3:]))


def cut_the_leaves(log: Path) -> None:
    cut_last_line(log / ENTRIES)


def swap_leaves(log: Path) -> None:
    lines = (log / ENTRIES).read_bytes().splitlines(keepends=True)
    (log / ENTRIES).write_bytes(b"".join([lines[1], lines[0], *lines[2:]]))


def spell_a_leaf_otherwise(log: Path) -> None:
    rewrite(log / ENTRIES, b'{"access"', b'{ "access"')


def break_a_signature(log: Path) -> None:
    lines = (log / CHECKPOINTS).read_bytes().splitlines(keepends=True)
    record = json.loads(lines[-1])
    at = record["note"].index("— ") + len(f"— {ORIGIN} ") + 40
    swapped = "A" if record["note"][at] != "A" else "B"
    record["note"] = record["note"][:at] + swapped + record["note"][at + 1 :]
    changed = json.dumps(record, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    (log / CHECKPOINTS).write_bytes(b"".join(lines[:-1]) + changed + b"\n")


def write_it_anew(log: Path, key: ArchiveSigner = KEY, origin: str = ORIGIN, drop: int = 1) -> None:
    """The log's key made another log of nearly the same leaves."""
    from archive.log_entries import parse_leaf

    lines = (log / ENTRIES).read_bytes().splitlines()
    shutil.rmtree(log)
    store = LogStore.open(log, origin, key)
    for line in lines[: len(lines) - drop]:
        store.append([parse_leaf(line)])
    store.publish()
    store.close()


def sign_the_newest_with_another_key(log: Path) -> None:
    other = log.with_name("other")
    shutil.copytree(log, other)
    write_it_anew(other, ArchiveSigner.generate(), drop=0)
    last = (other / CHECKPOINTS).read_bytes().splitlines(keepends=True)[-1]
    with (log / CHECKPOINTS).open("ab") as file:
        file.write(last)
    shutil.rmtree(other)


@pytest.mark.parametrize(
    ("tamper", "code"),
    [
        (change_a_leaf, 10),
        (drop_a_leaf, 10),
        (swap_leaves, 10),
        (spell_a_leaf_otherwise, 10),
        (cut_the_leaves, 11),
        (break_a_signature, 10),
        (sign_the_newest_with_another_key, 10),
        (lambda log: write_it_anew(log, ArchiveSigner.generate(), drop=0), 13),
        (lambda log: (log / ENTRIES).unlink(), 12),
        (shutil.rmtree, 12),
    ],
)
def test_a_log_that_was_tampered_with_is_found(
    root: Path, tamper: Callable[[Path], object], code: int
) -> None:
    tamper(root / FOLDER)
    report = answer("verify", root, "--log")
    assert (report["exit_code"], report["log"]["exit_code"]) == (code, code)
    assert report["log"]["problems"]


def test_the_log_of_an_archive_without_trusted_keys_cannot_be_verified(root: Path) -> None:
    (root / "trusted-logs.txt").unlink()
    assert answer("verify", root, "--log")["exit_code"] == 13
    report = answer("verify", root, root / FOLDER, "--log", "--log-key", LOG.text)
    assert (report["exit_code"], report["log"]["trust"]) == (0, "--log-key")


# --- what only witnesses can show ---------------------------------------------------------


def test_an_untouched_log_agrees_with_its_witnesses(root: Path) -> None:
    witness = kept(root, FIRST, THIRD)
    add(root)
    report = answer("verify", root, "--log", "--witness", witness)
    assert (report["exit_code"], report["log"]["problems"]) == (0, [])
    assert report["log"]["witnesses"][0]["heads"] == 2
    assert finding(report, THIRD)["vouched_entries"] == head_of(root / THIRD).next_entry


def roll_back(root: Path) -> None:
    """An older copy of everything, whole in itself."""
    write_it_anew(root / FOLDER, drop=3)
    shutil.rmtree(root / THIRD)
    shutil.rmtree(root / SECOND)


def fork(root: Path) -> None:
    """The operator, with all keys, tells another story of the same length."""
    write_it_anew(root / FOLDER, drop=1)
    add(root, access(77))


def fork_and_grow(root: Path) -> None:
    fork(root)
    add(root, access(78), access(79))


@pytest.mark.parametrize(("tamper", "code"), [(roll_back, 11), (fork, 10), (fork_and_grow, 10)])
def test_a_log_that_a_witness_knows_otherwise_is_found(
    root: Path, tamper: Callable[[Path], None], code: int
) -> None:
    witness = kept(root)
    tamper(root)
    assert answer("verify", root, "--log")["log"]["problems"] == []
    report = answer("verify", root, "--log", "--witness", witness)
    assert (report["exit_code"], report["log"]["exit_code"]) == (code, code)
    assert report["log"]["problems"][0]["source"] == str(witness)


def test_a_consultation_that_vanished_from_archive_and_log_is_named_by_a_witness(root: Path) -> None:
    witness = kept(root, THIRD)
    shutil.rmtree(root / THIRD)
    write_it_anew(root / FOLDER, drop=2)
    assert answer("verify", root, "--log")["exit_code"] == 0
    report = answer("verify", root, "--log", "--witness", witness)
    assert report["exit_code"] == 11, "the log is shorter than the witness knows it"
    assert (finding(report, THIRD)["exit_code"], str(witness) in finding(report, THIRD)["reason"]) == (
        12,
        True,
    )


def test_a_tail_that_only_a_witness_saw_is_missed(root: Path) -> None:
    """Between two logged heads, sixty seconds apart, the witnesses' ten seconds count."""
    witness = kept(root, THIRD)
    lines = (root / THIRD / layout.MANIFEST).read_bytes().splitlines(keepends=True)
    (root / THIRD / layout.MANIFEST).write_bytes(b"".join(lines[:5]))
    for line in lines[5:]:
        if (path := json.loads(line).get("object")) is not None:
            (root / THIRD / path).unlink()
    assert answer("verify", root, "--log")["exit_code"] == 0
    report = answer("verify", root, "--log", "--witness", witness)
    assert (report["exit_code"], finding(report, THIRD)["exit_code"]) == (11, 11)
    assert str(witness) in finding(report, THIRD)["reason"]


def test_a_plain_checkpoint_is_a_witness_file_too(root: Path) -> None:
    log = open_store(root / FOLDER)
    path = root.parent / "checkpoint.txt"
    path.write_text(log.published())
    log.close()
    assert answer("verify", root, "--log", "--witness", path)["exit_code"] == 0
    roll_back(root)
    assert answer("verify", root, "--log", "--witness", path)["exit_code"] == 11


@pytest.mark.parametrize(
    "text",
    [
        "not a note",
        '{"head":null,"checkpoint":"x"}\n',
        '{"head":{"kind":"head"}}\n',
        "{broken\n",
        "\xff\xfe\n",
        "[" * 100_000,
    ],
)
def test_a_witness_file_that_proves_nothing_accuses_nobody(root: Path, text: str) -> None:
    path = root.parent / "made-up"
    path.write_bytes(text.encode("latin-1"))
    report = answer("verify", root, "--log", "--witness", path)
    assert (report["exit_code"], report["log"]["problems"][0]["source"]) == (13, str(path))


def test_heads_and_checkpoints_of_other_keys_accuse_nobody(root: Path) -> None:
    """Somebody who wants to harm the hospital makes up a consultation, and a longer log."""
    at = Head(99, "1" * 64)
    forged = sign_head("con_invented", at, AT_US, True, ArchiveSigner.generate())
    path = root.parent / "forged.jsonl"
    path.write_text(json.dumps({"head": forged.model_dump(mode="json")}) + "\n")
    report = answer("verify", root, "--log", "--witness", path)
    assert (report["exit_code"], report["log"]["consultations"][0]["consultation"]) == (13, FIRST)
    assert all(one["consultation"] != "con_invented" for one in report["log"]["consultations"])


def test_cosignatures_of_known_witnesses_are_shown_and_wrong_ones_found(root: Path) -> None:
    log = open_store(root / FOLDER)
    log.add_cosignature(log.present, cosign(log.present.text, WITNESS_KEY.name, WITNESS, 1_800_000_000))
    log.append([access(3)])
    log.publish()
    log.close()
    report = answer("verify", root, "--log", "--witness-key", WITNESS_KEY.text)
    assert report["exit_code"] == 0
    assert report["log"]["cosigned"] == [{"witness": WITNESS_KEY.name, "size": 11, "at_s": 1_800_000_000}]
    fork(root)
    with (root / FOLDER / CHECKPOINTS).open("a") as file:
        line = cosign(f"{ORIGIN}\n5\nAAAA\n", WITNESS_KEY.name, WITNESS, 1).line
        record = {"kind": "cosignature", "line": line, "size": 5}
        file.write(json.dumps(record, ensure_ascii=False, separators=(",", ":"), sort_keys=True) + "\n")
    assert answer("verify", root, "--log", "--witness-key", WITNESS_KEY.text)["exit_code"] == 10


def test_a_crash_between_leaf_and_checkpoint_is_no_fault(root: Path) -> None:
    log = open_store(root / FOLDER)
    log.append([access(5)])
    log.close()
    with (root / FOLDER / ENTRIES).open("ab") as file:
        file.write(b'{"access":"jo')
    report = answer("verify", root, "--log")
    assert (report["exit_code"], report["log"]["unsigned_leaves"]) == (0, 1)


def test_checkpoints_that_were_cut_off_are_missed(root: Path) -> None:
    log = open_store(root / FOLDER)
    log.append([access(number) for number in range(1100)])
    log.publish()
    log.close()
    cut_last_line(root / FOLDER / CHECKPOINTS)
    assert answer("verify", root, "--log")["exit_code"] == 11


@pytest.mark.parametrize(
    "arguments", [["--log-key", LOG.text], ["/nowhere", "--log"], ["--log", "--log-key", "x+y"]]
)
def test_what_makes_no_sense_is_said_in_one_line(root: Path, arguments: list[str]) -> None:
    result = run("verify", root, *arguments)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.data())
def test_no_changed_byte_of_the_log_goes_unnoticed(root: Path, data: st.DataObject) -> None:
    """But for what a crash could have left: bytes after the last newline."""
    name = data.draw(st.sampled_from([ENTRIES, CHECKPOINTS]))
    path = root / FOLDER / name
    whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 2))
    flipped = bytes([whole[at] ^ (1 << data.draw(st.integers(0, 7)))])
    path.write_bytes(whole[:at] + flipped + whole[at + 1 :])
    try:
        assert answer("verify", root, "--log")["log"]["exit_code"] in (10, 11, 13)
    finally:
        path.write_bytes(whole)


def _stopped_archive(root: Path, *, piece_at_s: int | None = None) -> Path:
    """Recorded for two seconds, stopped by a host for a minute, recorded again; closed."""
    writer = support.create(root, FOURTH)
    for step in support.steps("stop")[:6]:
        step(writer)
    writer.declare_gap(None, Span(2_000_000, 2_000_000), RECORDING_STOPPED)
    if piece_at_s is not None:
        writer.write_piece("ultrasound-device-video", 0, support.piece(piece_at_s), b"while stopped")
    writer.declare_gap(None, Span(2_000_000, 62_000_000), RECORDING_STOPPED)
    writer.write_piece("ultrasound-device-video", 0, support.piece(62), b"after it")
    writer.close("consultation_closed")
    return root / FOURTH


def _log_stops(root: Path, *decisions: tuple[int, bool, str]) -> None:
    log = open_store(root / FOLDER)
    log.append([opened(FOURTH, at_us=AT_US)])
    for second, record, reason in decisions:
        fields = {"consultation": FOURTH, "by": "u_1", "record": record, "reason": reason}
        one = leaf("recording", **fields).model_copy(update={"at_us": AT_US + second * 1_000_000})
        log.append([one])
    close_leaf(log, root / FOURTH)
    log.publish()
    log.close()


def test_that_nothing_was_recorded_for_a_while_is_confirmed_by_the_log(root: Path) -> None:
    _stopped_archive(root)
    _log_stops(root, (2, False, "site_decided"), (62, True, "site_decided"))
    report = answer("verify", root, "--log")
    found = finding(report, FOURTH)
    assert (report["exit_code"], found["exit_code"], found["reason"]) == (0, 0, "")
    (stop,) = found["stops"]
    assert (stop["begin_us"], stop["end_us"]) == (AT_US + 2_000_000, AT_US + 62_000_000)
    assert (stop["leaf"], stop["until_leaf"], stop["by"]) == (12, 13, "u_1")
    assert found["unconfirmed_stops"] == []
    assert "was not recorded from" in run("verify", root, "--log").stdout


@pytest.mark.parametrize(
    "decisions",
    [
        (),
        ((200, False, "site_decided"), (260, True, "site_decided")),
        ((2, False, "site_decided"), (2, True, "corrected")),
    ],
)
def test_a_stop_that_nobody_decided_is_missing_media(root: Path, decisions: Any) -> None:
    _stopped_archive(root)
    _log_stops(root, *decisions)
    report = answer("verify", root, "--log")
    assert (report["exit_code"], finding(report, FOURTH)["exit_code"]) == (12, 12)
    assert "the log knows of nobody" in finding(report, FOURTH)["reason"]
    assert answer("verify", root)["exit_code"] == 0


def test_a_piece_recorded_while_it_was_stopped_is_found(root: Path) -> None:
    _stopped_archive(root, piece_at_s=30)
    _log_stops(root, (2, False, "site_decided"), (62, True, "site_decided"))
    report = answer("verify", root, "--log")
    assert (report["exit_code"], finding(report, FOURTH)["exit_code"]) == (10, 10)
    assert "recorded while the log says it was stopped" in finding(report, FOURTH)["reason"]


def test_what_a_gap_says_beyond_the_decision_is_said(root: Path) -> None:
    _stopped_archive(root)
    _log_stops(root, (2, False, "site_decided"), (32, True, "site_decided"))
    report = answer("verify", root, "--log")
    found = finding(report, FOURTH)
    assert report["exit_code"] == 0
    (more,) = found["unconfirmed_stops"]
    assert (more["begin_us"], more["end_us"]) == (AT_US + 42_000_000, AT_US + 62_000_000)
    shown = run("verify", root, "--log")
    assert "the log does not" in shown.stderr


def test_a_consultation_recorded_later_was_not_recorded_before(root: Path) -> None:
    writer = support.create(root, FOURTH)
    for step in support.steps("late")[:2]:
        step(writer)
    writer.close("consultation_closed")
    log = open_store(root / FOLDER)
    log.append([opened(FOURTH, record=False, at_us=AT_US - 60_000_000)])
    begun = leaf("recording", consultation=FOURTH, by="u_1", record=True, reason="patient_agreed")
    log.append([begun])
    close_leaf(log, root / FOURTH)
    log.publish()
    log.close()
    found = finding(answer("verify", root, "--log"), FOURTH)
    assert (found["exit_code"], found["stops"][0]["end_us"]) == (0, AT_US)
