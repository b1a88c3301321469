"""Every kind of tampering, anywhere in an archive: found, with the exit code of docs/archive-format.md."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archive import canonical, commands, layout
from archive.chain import Head
from archive.keys import ArchiveSigner, make_session_key, publish_signer
from archive.log_heads import sign_head
from archive.log_keys import publish_log
from archive.log_records import FOLDER
from archive.log_verify import LogOptions, with_log
from archive.store_open import find
from archive.writer import ArchiveWriter
from core.config import Settings
from core.messages import ArchiveHead
from tests.archive import support
from tests.archive.log_support import AT_US, LOG, access, leaf, open_store, opened
from tests.archive.test_log_verify import mark
from tests.archive.test_verify import fields_of, forge, lines_of, objects_of, put_lines, resign_all

CLOSED_ONES = [f"con_01k9zzzzzzzzzzzzzzzzzzzzz{digit}" for digit in "01"]
GOES_ON = "con_01k9zzzzzzzzzzzzzzzzzzzzz2"
INTACT, ALTERED, TRUNCATED, MISSING, UNVERIFIABLE = 0, 10, 11, 12, 13


def record(root: Path, name: str, close: bool) -> Path:
    """Two short consultations' worth of entries."""
    writer = ArchiveWriter.create(
        root,
        name,
        epoch_us=support.EPOCH_US,
        recipients=support.keys().recipients,
        session_key=make_session_key([item.recipient for item in support.keys().recipients]),
        signer=support.keys().signer,
        clock=support.FakeClock(),
    )
    for step in support.steps(name):
        step(writer)
    for second in range(4, 9):
        writer.write_piece(
            "ultrasound-device-video", 1, support.piece(second), f"{name} {second}".encode() * 9
        )
    if close:
        writer.close("consultation_closed")
    else:
        writer.release()
    return writer.folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two closed consultations and one that goes on, their log, and what a box kept (`heads.jsonl`)."""
    root = tmp_path_factory.mktemp("whole") / "archive"
    log = open_store(root / FOLDER)
    for name in (*CLOSED_ONES, GOES_ON):
        log.append([opened(name, at_us=AT_US - 10**12), access(1)])
        folder = record(root, name, close=name != GOES_ON)
        log.append([leaf("head", **mark(folder, 4), final=False)])
        log.publish()
        if name != GOES_ON:
            log.append([leaf("close", **mark(folder), state="final")])
        log.append([access(2), leaf("head", **mark(folder), final=False)] if name == GOES_ON else [access(3)])
        log.publish()
    told = []
    for name in (*CLOSED_ONES, GOES_ON):
        at = mark(root / name)
        head = sign_head(name, Head(at["entries"], at["head"]), AT_US, name != GOES_ON, support.keys().signer)
        kept = ArchiveHead(head=head, checkpoint=log.published(), at_us=AT_US)
        told.append(kept.model_dump_json(exclude={"type"}) + "\n")
    log.close()
    (root.parent / "heads.jsonl").write_text("".join(told))
    publish_signer(root, support.keys().signer.public)
    publish_log(root, LOG)
    return root


@dataclass
class Case:
    """A copy to tamper with."""

    root: Path
    chance: Random

    @property
    def closed(self) -> Path:
        return self.root / self.chance.choice(CLOSED_ONES)

    def exit_code(self, *, log: bool = False, witness: bool = False) -> int:
        settings_ = Settings(archive_dir=self.root)
        found = find(self.root, settings_)
        result = commands.verify(found)
        if log or witness:
            kept = [self.root.parent / "heads.jsonl"] if witness else []
            result = with_log(result, found, LogOptions(witness_files=kept), settings_)
        return result.exit_code


def change(path: Path, edit: Callable[[bytes], bytes]) -> None:
    path.write_bytes(edit(path.read_bytes()))


def flip(case: Case) -> None:
    folder = case.root / case.chance.choice([*CLOSED_ONES, GOES_ON])
    path = case.chance.choice(sorted(one for one in folder.rglob("*") if one.is_file()))
    at, mask = case.chance.randrange(path.stat().st_size), case.chance.randrange(1, 256)
    change(path, lambda data: data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :])


def truncate_object(case: Case) -> None:
    path = case.chance.choice(objects_of(case.closed))
    change(path, lambda data: data[: case.chance.randrange(len(data))])


def truncate_manifest(case: Case) -> None:
    change(case.closed / layout.MANIFEST, lambda data: data[: case.chance.randrange(len(data))])


def drop_object(case: Case) -> None:
    case.chance.choice(objects_of(case.closed)).unlink()


def drop_line(case: Case) -> None:
    folder = case.closed
    lines = lines_of(folder)
    del lines[case.chance.randrange(len(lines) - 1)]
    put_lines(folder, lines)


def duplicate_line(case: Case) -> None:
    folder = case.closed
    lines = lines_of(folder)
    at = case.chance.randrange(len(lines))
    put_lines(folder, [*lines[: at + 1], *lines[at:]])


def duplicate_object(case: Case) -> None:
    path = case.chance.choice([one for one in objects_of(case.closed) if one.name != layout.SESSION_KEY])
    shutil.copy(path, path.with_name(f"{case.chance.randrange(100, 1000):06d}.m4s.age"))


def swap_objects(case: Case) -> None:
    one, two = case.chance.sample(objects_of(case.closed), 2)
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)


def reorder_lines(case: Case) -> None:
    folder = case.closed
    lines = lines_of(folder)
    one, two = sorted(case.chance.sample(range(len(lines)), 2))
    lines.insert(one, lines.pop(two))
    put_lines(folder, lines)


def splice_line(case: Case) -> None:
    one, two = (case.root / name for name in CLOSED_ONES)
    lines, theirs = lines_of(one), lines_of(two)
    at = case.chance.randrange(len(lines))
    put_lines(one, [*lines[:at], theirs[at], *lines[at + 1 :]])


def splice_object(case: Case) -> None:
    one, two = (case.root / name for name in CLOSED_ONES)
    path = case.chance.choice(objects_of(two)).relative_to(two)
    shutil.copy(two / path, one / path)


def splice_tail(case: Case) -> None:
    """The beginning of one, the end of the other, chained and signed anew by the service's own key."""
    one, two = (case.root / name for name in CLOSED_ONES)
    lines = lines_of(one)
    at = case.chance.randrange(1, len(lines) - 1)
    head = Head()
    for line in lines[:at]:
        head = head.after(line)
    foreign = [forge(fields_of(lines_of(two)[at]), head, support.keys().signer)]
    put_lines(one, [*lines[:at], *foreign])
    (one / layout.CLOSED).unlink()


def roll_back_the_manifest(case: Case) -> None:
    """An older state of it, everything else as it is."""
    folder = case.closed
    put_lines(folder, lines_of(folder)[: case.chance.randrange(1, len(lines_of(folder)))])


def roll_back_everything(case: Case, name: str | None = None) -> None:
    """An older state of all of it: by itself, an archive that goes on."""
    folder = case.root / (name or case.chance.choice(CLOSED_ONES))
    lines = lines_of(folder)[: case.chance.randrange(1, len(lines_of(folder)) - 1)]
    put_lines(folder, lines)
    (folder / layout.CLOSED).unlink(missing_ok=True)
    named = {fields_of(line).get("object") for line in lines}
    for path in objects_of(folder):
        if path.name != layout.SESSION_KEY and path.relative_to(folder).as_posix() not in named:
            path.unlink()


def roll_back_what_goes_on(case: Case) -> None:
    roll_back_everything(case, GOES_ON)


def cut_at_an_entry(case: Case) -> None:
    """The marker is gone, too, and the last object with its entry may be; the others give it away."""
    folder = case.closed
    lines = lines_of(folder)
    put_lines(folder, lines[: case.chance.randrange(1, len(lines) - 4)])
    (folder / layout.CLOSED).unlink()


def sign_one_with_another_key(case: Case) -> None:
    folder = case.closed
    lines = lines_of(folder)
    at = case.chance.randrange(1, len(lines))
    head = Head()
    for line in lines[:at]:
        head = head.after(line)
    lines[at] = forge(fields_of(lines[at]), head, ArchiveSigner.generate())
    put_lines(folder, lines)


def sign_all_with_another_key(case: Case) -> None:
    resign_all(case.closed, ArchiveSigner.generate())


def tell_another_story(case: Case) -> None:
    """The service's own key signs something else from some entry on."""
    folder = case.closed
    lines = lines_of(folder)
    at = case.chance.randrange(1, len(lines))
    head, forged = Head(), list[bytes]()
    for position, line in enumerate(lines):
        fields = fields_of(line)
        fields["at_us"] += 1 if position >= at else 0
        forged.append(forge(fields, head, support.keys().signer))
        head = head.after(forged[-1])
    put_lines(folder, forged)
    (folder / layout.CLOSED).write_bytes(forged[-1])


def swap_session_keys(case: Case) -> None:
    one, two = (case.root / name / layout.SESSION_KEY for name in CLOSED_ONES)
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)


def delete_a_consultation(case: Case) -> None:
    shutil.rmtree(case.root / case.chance.choice([*CLOSED_ONES, GOES_ON]))


def delete_a_session_key(case: Case) -> None:
    (case.closed / layout.SESSION_KEY).unlink()


def delete_the_log(case: Case) -> None:
    shutil.rmtree(case.root / FOLDER)


def fork_the_log(case: Case) -> None:
    """The log's own key signs another history, as long as the true one, that agrees with the archive."""
    leaves = (case.root / FOLDER / "entries.jsonl").read_bytes().splitlines()
    places = [at for at, line in enumerate(leaves) if b'"kind":"access"' in line]
    at = case.chance.choice(places)
    shutil.rmtree(case.root / FOLDER)
    log = open_store(case.root / FOLDER)
    for position, line in enumerate(leaves):
        fields: dict[str, Any] = canonical.decode(line)
        log.append([leaf(**{**fields, "by": "u_nobody"} if position == at else fields)])
        log.publish()
    log.close()


def delete_from_log_and_archive(case: Case) -> None:
    """A log without one consultation, and an archive without it."""
    name = case.chance.choice(CLOSED_ONES)
    leaves = (case.root / FOLDER / "entries.jsonl").read_bytes().splitlines()
    shutil.rmtree(case.root / name)
    shutil.rmtree(case.root / FOLDER)
    log = open_store(case.root / FOLDER)
    for line in leaves:
        if name.encode() not in line:
            log.append([leaf(**canonical.decode(line))])
    log.publish()
    log.close()


BY_ITSELF: dict[Callable[[Case], None], int] = {
    flip: ALTERED,
    truncate_object: ALTERED,
    truncate_manifest: TRUNCATED,
    drop_object: MISSING,
    drop_line: ALTERED,
    duplicate_line: ALTERED,
    duplicate_object: ALTERED,
    swap_objects: ALTERED,
    reorder_lines: ALTERED,
    splice_line: ALTERED,
    splice_object: ALTERED,
    splice_tail: ALTERED,
    roll_back_the_manifest: TRUNCATED,
    cut_at_an_entry: TRUNCATED,
    sign_one_with_another_key: ALTERED,
    sign_all_with_another_key: UNVERIFIABLE,
    swap_session_keys: ALTERED,
    delete_a_session_key: MISSING,
}
"""What an archive's own manifest shows."""
WITH_LOG: dict[Callable[[Case], None], int] = {
    roll_back_everything: TRUNCATED,
    roll_back_what_goes_on: TRUNCATED,
    delete_a_consultation: MISSING,
    tell_another_story: ALTERED,
    delete_the_log: MISSING,
}
"""What looks well by itself: `--log` shows it."""
WITH_WITNESS: dict[Callable[[Case], None], int] = {
    fork_the_log: ALTERED,
    delete_from_log_and_archive: TRUNCATED,
}
"""What even the holder of all keys cannot do in front of somebody who kept a head: `--witness` shows it."""


def tampered(whole: Path, target: Path, kind: Callable[[Case], None], seed: int) -> Case:
    shutil.copytree(whole.parent, target, dirs_exist_ok=True)
    case = Case(target / whole.name, Random(seed))
    kind(case)
    return case


SEEDS = given(st.integers(0, 2**32))
EXAMPLES = settings(max_examples=12, deadline=None)


@EXAMPLES
@SEEDS
@pytest.mark.parametrize("kind", BY_ITSELF, ids=lambda kind: kind.__name__)
def test_it_is_found_in_the_archive_itself(
    whole: Path, kind: Callable[[Case], None], tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    case = tampered(whole, tmp_path_factory.mktemp("case"), kind, seed)
    assert case.exit_code() == BY_ITSELF[kind]


@EXAMPLES
@SEEDS
@pytest.mark.parametrize("kind", WITH_LOG, ids=lambda kind: kind.__name__)
def test_it_looks_well_by_itself_and_the_log_shows_it(
    whole: Path, kind: Callable[[Case], None], tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    case = tampered(whole, tmp_path_factory.mktemp("case"), kind, seed)
    assert case.exit_code() == INTACT
    assert case.exit_code(log=True) == WITH_LOG[kind]


@EXAMPLES
@SEEDS
@pytest.mark.parametrize("kind", WITH_WITNESS, ids=lambda kind: kind.__name__)
def test_it_agrees_with_its_log_and_a_witness_shows_it(
    whole: Path, kind: Callable[[Case], None], tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    case = tampered(whole, tmp_path_factory.mktemp("case"), kind, seed)
    assert case.exit_code(log=True) == INTACT
    assert case.exit_code(witness=True) == WITH_WITNESS[kind]


def test_nothing_was_wrong_before(whole: Path) -> None:
    case = Case(whole, Random(0))
    assert [case.exit_code(), case.exit_code(log=True), case.exit_code(witness=True)] == [INTACT] * 3


def test_every_kind_is_in_the_documentation_with_its_exit_code() -> None:
    text = (Path(__file__).parents[2] / "docs" / "archive-format.md").read_text(encoding="utf-8")
    for kinds in (BY_ITSELF, WITH_LOG, WITH_WITNESS):
        for kind, code in kinds.items():
            rows = [line for line in text.splitlines() if f"`{kind.__name__}`" in line]
            assert [f"| {code} |" in row for row in rows] == [True], kind.__name__
