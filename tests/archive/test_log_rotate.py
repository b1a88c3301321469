"""The log's key is replaced: whoever trusts either follows, whoever has the old one can do nothing more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from archive import commands, layout, log_rotate
from archive.checkpoint import VerifierKey, sign_checkpoint
from archive.faults import Verdict
from archive.keys import ArchiveSigner, load_signer
from archive.log_entries import spell_leaf
from archive.log_findings import LogReport
from archive.log_keys import ensure_log_key, log_verifier, publish_log
from archive.log_records import CHECKPOINTS, FOLDER, TRUSTED_LOGS, CheckpointRecord, spell_record
from archive.log_rotate import Replaced, replace_log_key
from archive.log_store import LogDamaged, LogStore
from archive.log_verify import LogOptions, with_log
from archive.store_open import find
from core.config import Settings
from core.errors import Conflict
from teleconsult.admin.cli import app
from tests.archive.log_support import AT_US, access, leaf


class Installed:
    """A log under a name made from its first key."""

    def __init__(self, root: Path) -> None:
        self.root, self.folder, self.key_file = root, root / FOLDER, root.parent / "log.pem"
        self.first = log_verifier(None, ensure_log_key(self.key_file))
        publish_log(root, self.first)
        self.write(3)

    def store(self) -> LogStore:
        return LogStore.open(self.folder, self.first.name, load_signer(self.key_file))

    def write(self, count: int) -> None:
        store = self.store()
        for number in range(count):
            store.append([access(number)])
            store.publish()
        store.close()

    def replace(self) -> Replaced:
        return replace_log_key(self.folder, self.key_file, None, AT_US)

    def verified(self, *trusted: VerifierKey, witness: Path | None = None) -> LogReport:
        settings = Settings(archive_dir=self.root)
        found = find(self.root, settings)
        options = LogOptions(
            keys=[key.text for key in trusted], witness_files=[] if witness is None else [witness]
        )
        return with_log(commands.verify(found), found, options, settings).log

    def sign(self, key: ArchiveSigner) -> str:
        """The present tree, by that key, whether it may or not; written down."""
        store = self.store()
        note = sign_checkpoint(store.present, key).spell()
        store.close()
        with (self.folder / CHECKPOINTS).open("ab") as file:
            file.write(spell_record(CheckpointRecord(kind="checkpoint", note=note)))
        return note


@pytest.fixture
def log(tmp_path: Path) -> Installed:
    return Installed(tmp_path / "archive")


def test_with_the_old_key_the_new_one_or_both_the_whole_log_verifies(log: Installed) -> None:
    made = log.replace()
    log.write(2)
    again = log.replace()
    log.write(2)
    assert (made.old, made.new) == (log.first, again.old)
    for trusted in ([made.old], [made.new], [again.new], [made.old, again.new], []):
        report = log.verified(*trusted)
        assert (report.verdict, report.problems, report.origin) == (Verdict.INTACT, [], log.first.name)
        assert [item["leaf"] for item in report.rotations] == [made.leaf, again.leaf]
    stranger = VerifierKey.of(log.first.name, ArchiveSigner.generate().public)
    assert log.verified(stranger).verdict is Verdict.UNVERIFIABLE


def test_the_new_key_is_listed_beside_the_archive_and_the_old_one_is_gone(log: Installed) -> None:
    before = log.key_file.read_bytes()
    made = log.replace()
    assert made.new.text in (log.root / TRUSTED_LOGS).read_text()
    assert log.key_file.read_bytes() != before
    assert list(log.key_file.parent.glob("log.pem*")) == [log.key_file]
    assert VerifierKey.of(log.first.name, load_signer(log.key_file).public) == made.new


def test_the_old_key_can_write_no_leaf_any_more(log: Installed) -> None:
    old = load_signer(log.key_file)
    log.replace()
    with pytest.raises(LogDamaged, match="is being replaced"):
        LogStore.open(log.folder, log.first.name, old)
    log.write(1)
    with pytest.raises(LogDamaged, match="not the key"):
        LogStore.open(log.folder, log.first.name, old)


def test_what_the_old_key_signs_afterwards_is_found(log: Installed) -> None:
    old = load_signer(log.key_file)
    made = log.replace()
    log.write(1)
    log.sign(old)
    for trusted in (made.old, made.new):
        assert log.verified(trusted).verdict is Verdict.ALTERED


def test_a_new_key_that_the_old_one_did_not_sign_is_found(log: Installed) -> None:
    """By somebody who can write files and has no key."""
    thief = ArchiveSigner.generate()
    new = VerifierKey.of(log.first.name, thief.public)
    leaves = log.folder / "entries.jsonl"
    said = leaf("key", key=new.text, replaces=log.first.text)
    leaves.write_bytes(leaves.read_bytes() + spell_leaf(said) + b"\n")
    store = LogStore.open(log.folder, log.first.name, thief, finishing=True)
    store.append([access()])
    store.publish()
    store.close()
    report = log.verified(log.first)
    assert report.verdict is Verdict.ALTERED
    assert any("that the old one has not signed" in problem.reason for problem in report.problems)


def test_a_key_that_replaces_another_logs_is_found(log: Installed) -> None:
    store = log.store()
    keys = [VerifierKey.of(log.first.name, ArchiveSigner.generate().public).text for _ in range(3)]
    store.append([leaf("key", key=keys[0], replaces=log.first.text)])
    store.publish()
    store.append([leaf("key", key=keys[1], replaces=keys[2])])
    store.publish()
    store.close()
    assert log.verified(log.first).verdict is Verdict.ALTERED


def test_witnesses_kept_what_either_key_signed_and_the_old_one_accuses_nobody_afterwards(
    log: Installed, tmp_path: Path
) -> None:
    old = load_signer(log.key_file)
    store = log.store()
    notes = [store.published()]
    store.close()
    made = log.replace()
    log.write(2)
    store = log.store()
    notes.append(store.published())
    other = sign_checkpoint(store.present, old)
    store.close()
    kept = tmp_path / "kept.jsonl"
    kept.write_text("".join(json.dumps({"checkpoint": note}) + "\n" for note in notes))
    report = log.verified(made.old, witness=kept)
    assert (report.verdict, report.witnesses[0]["checkpoints"]) == (Verdict.INTACT, 2)
    kept.write_text(json.dumps({"checkpoint": other.spell()}) + "\n")
    assert log.verified(made.old, witness=kept).verdict is Verdict.UNVERIFIABLE


@pytest.mark.parametrize("step", ["open", "replace_key", "publish", "os.replace", "publish_log"])
def test_interrupted_anywhere_it_is_finished_by_doing_it_again(
    log: Installed, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class PowerCut(Exception):
        pass

    def cut(*_: Any, **__: Any) -> None:
        raise PowerCut

    with monkeypatch.context() as patch:
        if step in ("replace_key", "publish"):
            patch.setattr(LogStore, step, cut)
        elif step == "open":
            patch.setattr(log_rotate, "sync_directory", cut)
        else:
            patch.setattr(log_rotate if step == "publish_log" else log_rotate.os, step.split(".")[-1], cut)
        with pytest.raises(PowerCut):
            log.replace()
    made = log.replace()
    log.write(1)
    report = log.verified(log.first)
    assert (report.verdict, report.problems) == (Verdict.INTACT, [])
    assert len(report.rotations) == (2 if step == "publish_log" else 1)
    assert report.rotations[-1]["key"] == made.new.text


def test_while_the_service_writes_the_log_its_key_stays(log: Installed) -> None:
    store = log.store()
    with pytest.raises(Conflict):
        log.replace()
    store.close()
    assert log.verified(log.first).rotations == []


def test_the_operators_command_replaces_it_and_says_so_in_the_trail(tmp_path: Path) -> None:
    root = tmp_path / "data"
    settings = Settings(data_dir=root).resolve_paths()
    key = ensure_log_key(settings.log_key_file)
    settings.archive_dir.mkdir(parents=True)
    name = log_verifier(None, key).name
    LogStore.open(settings.archive_dir / FOLDER, name, key).close()
    (settings.archive_dir / layout.TRUSTED_SIGNERS).write_text("")
    runner = CliRunner()
    runner.invoke(app, ["organisation", "add", "Clinic", "--data-dir", str(root)])
    done = runner.invoke(app, ["log", "rotate-key", "--data-dir", str(root), "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["new"] == log_verifier(name, load_signer(settings.log_key_file)).text
    assert found["leaf"] == 0
