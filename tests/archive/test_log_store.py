"""The log's files: durable, in order, crash-safe at every system call and every byte."""

from __future__ import annotations

import errno
import itertools
import tracemalloc
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archive import merkle
from archive.checkpoint import COSIGNATURE, Checkpoint, Note, VerifierKey
from archive.keys import ArchiveSigner
from archive.log_entries import Leaf, parse_leaf, spell_leaf
from archive.log_records import CHECKPOINTS, ENTRIES, HASHES
from archive.log_store import STRIDE, LogDamaged, LogStore
from archive.witness import cosign, cosignatures
from core.errors import Conflict, ProtocolError
from tests.archive.log_support import AT_US, KEY, LOG, ORIGIN, access, fill, leaf, open_store
from tests.archive.test_crash import Crash, failing_call


def read_all(log: LogStore) -> list[Leaf]:
    return [parse_leaf(data) for data in log.read(0, log.size)]


def test_a_log_continues_where_it_was(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    fill(tmp_path, 2, begin=3)
    seen: list[Leaf] = []
    log = LogStore.open(tmp_path, ORIGIN, KEY, seen.append)
    wanted = [access(number) for number in range(5)]
    assert (seen, read_all(log), log.size) == (wanted, wanted, 5)
    assert log.present.root == merkle.root_of(merkle.leaf_hash(spell_leaf(item)) for item in wanted)
    note = Note.parse(log.published())
    assert (note.signed_by([LOG]), Checkpoint.parse(note.text)) == (LOG, log.present)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 90), min_size=1, max_size=5), st.data())
def test_every_proof_of_a_log_holds(tmp_path: Path, batches: list[int], data: st.DataObject) -> None:
    for path in tmp_path.iterdir():
        path.unlink()
    log, numbers = open_store(tmp_path), itertools.count()
    for batch in batches:
        log.append([access(next(numbers)) for _ in range(batch)])
    size = data.draw(st.integers(1, log.size))
    index, first = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size))
    hashed = merkle.leaf_hash(log.read(index, index + 1)[0])
    assert log.leaf_hashes(index, index + 1) == [hashed]
    assert merkle.verify_inclusion(hashed, index, size, log.inclusion(index, size), log.root_at(size))
    roots = log.root_at(first), log.root_at(size)
    assert merkle.verify_consistency(first, size, *roots, log.consistency(first, size))
    log.close()


def test_leaves_are_read_from_anywhere(tmp_path: Path) -> None:
    log = open_store(tmp_path)
    log.append([access(number) for number in range(3 * STRIDE + 5)])
    for begin, end in ((0, 1), (STRIDE - 1, STRIDE + 2), (3 * STRIDE + 4, 9999), (2 * STRIDE, 2 * STRIDE)):
        found = [parse_leaf(data) for data in log.read(begin, end)]
        assert found == [access(number) for number in range(begin, min(end, log.size))]
    assert log.read(9999, 10_000) == []
    assert log.read(-1, 5) == []


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    log = open_store(tmp_path)
    for wrong in (lambda: log.root_at(4), lambda: log.inclusion(3, 3), lambda: log.consistency(2, 4)):
        with pytest.raises(ValueError, match=r"log|leaf"):
            wrong()


def test_two_processes_cannot_write_one_log(tmp_path: Path) -> None:
    log = open_store(tmp_path)
    with pytest.raises(Conflict):
        open_store(tmp_path)
    log.close()
    open_store(tmp_path).close()


def states(folder: Path, done: list[int]) -> None:
    """What is written: leaves in batches, each published, and cosignatures."""
    log = open_store(folder)
    try:
        for number in range(log.size, 5):
            log.append([access(number)])
            done.append(number)
            log.publish()
        if not Note.parse(log.published()).signatures[1:]:
            log.add_cosignature(log.present, cosign(log.present.text, "w.example", KEY, 1))
    finally:
        log.close()


def test_after_a_crash_at_any_system_call_the_log_opens_with_everything_that_was_acknowledged(
    tmp_path: Path,
) -> None:
    for number in itertools.count(1):
        folder, done = tmp_path / str(number), list[int]()
        folder.mkdir()
        with failing_call(number, Crash) as calls, suppress(Crash):
            states(folder, done)
        if calls.made < number:
            break
        log = open_store(folder)
        assert read_all(log)[: len(done)] == [access(index) for index in done]
        assert log.size <= len(done) + 1
        assert log.signed_size == log.size
        log.close()
        states(folder, [])
        log = open_store(folder)
        assert read_all(log) == [access(index) for index in range(5)]
        log.close()
    assert number > 15


def test_a_full_disk_at_any_system_call_loses_nothing_and_leaves_nothing_half(tmp_path: Path) -> None:
    def full() -> OSError:
        return OSError(errno.ENOSPC, "No space left on device")

    for number in itertools.count(1):
        folder = tmp_path / str(number)
        folder.mkdir()
        fill(folder, 1)
        log = open_store(folder)
        with failing_call(number, full) as calls:
            failed = False
            try:
                log.append([access(1)])
            except OSError:
                failed = True
            try:
                log.publish()
            except OSError:
                failed = True
        log.append([access(2)])
        log.publish()
        log.close()
        if not failed and calls.made < number:
            break
        log = open_store(folder)
        assert read_all(log) in ([access(0), access(2)], [access(0), access(1), access(2)])
        log.close()
    assert number > 2


@pytest.mark.parametrize("name", [ENTRIES, CHECKPOINTS])
def test_every_prefix_of_the_last_line_opens(tmp_path: Path, name: str) -> None:
    fill(tmp_path, 3)
    whole = (tmp_path / name).read_bytes()
    checkpoints = (tmp_path / CHECKPOINTS).read_bytes()
    last = whole[:-1].rindex(b"\n") + 1
    for cut in range(last, len(whole)):
        (tmp_path / CHECKPOINTS).write_bytes(checkpoints)
        if name == ENTRIES:  # a leaf is written before the checkpoint that covers it
            (tmp_path / CHECKPOINTS).write_bytes(checkpoints[: checkpoints[:-1].rindex(b"\n") + 1])
        (tmp_path / name).write_bytes(whole[:cut])
        log = open_store(tmp_path)
        assert log.size == (2 if name == ENTRIES else 3)
        assert log.signed_size == log.size
        log.close()


def change(folder: Path, name: str, old: bytes, new: bytes) -> None:
    data = (folder / name).read_bytes()
    assert old in data
    (folder / name).write_bytes(data.replace(old, new, 1))


@pytest.mark.parametrize(
    ("name", "old", "new", "why"),
    [
        (ENTRIES, b"u_1", b"u_9", "not those that were signed"),
        (ENTRIES, b'"detail":""', b'"detail": ""', "canonical"),
        (CHECKPOINTS, b"checkpoint", b"checkpoint?", "checkpoints.jsonl"),
    ],
)
def test_a_changed_log_is_not_continued(tmp_path: Path, name: str, old: bytes, new: bytes, why: str) -> None:
    fill(tmp_path, 3)
    change(tmp_path, name, old, new)
    with pytest.raises(LogDamaged, match=why):
        open_store(tmp_path)


def test_a_log_that_was_cut_is_not_continued(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    entries = (tmp_path / ENTRIES).read_bytes()
    (tmp_path / ENTRIES).write_bytes(entries[: entries.index(b"\n") + 1])
    with pytest.raises(LogDamaged, match="it was cut"):
        open_store(tmp_path)


def test_another_key_or_name_does_not_continue_a_log(tmp_path: Path) -> None:
    fill(tmp_path, 1)
    for key, origin in ((ArchiveSigner.generate(), ORIGIN), (KEY, "other.example")):
        with pytest.raises(LogDamaged, match="not this log's"):
            open_store(tmp_path, key, origin)


def test_cosignatures_stay_with_the_checkpoint_they_are_of(tmp_path: Path) -> None:
    fill(tmp_path, 2)
    log = open_store(tmp_path)
    witness = VerifierKey.of("w.example", KEY.public, COSIGNATURE)
    before = log.present
    log.add_cosignature(before, cosign(before.text, "w.example", KEY, 7))
    log.close()
    log = open_store(tmp_path)
    assert [item.at_s for item in cosignatures(Note.parse(log.published()), [witness])] == [7]
    log.append([access(9)])
    assert cosignatures(Note.parse(log.published()), [witness]) == []
    log.add_cosignature(before, cosign(before.text, "w.example", KEY, 8))
    forks = (
        Checkpoint(ORIGIN, 2, b"\0" * 32),
        Checkpoint(ORIGIN, 99, before.root),
        Checkpoint("x", 2, before.root),
    )
    for fork in forks:
        with pytest.raises(ProtocolError):
            log.add_cosignature(fork, cosign(fork.text, "w.example", KEY, 9))


def test_the_hashes_are_made_anew_whatever_became_of_them(tmp_path: Path) -> None:
    fill(tmp_path, 5)
    (tmp_path / HASHES).write_bytes(b"nonsense" * 3)
    log = open_store(tmp_path)
    assert merkle.verify_inclusion(log.leaf_hashes(2, 3)[0], 2, 5, log.inclusion(2, 5), log.root_at(5))


def test_a_long_log_takes_little_memory(tmp_path: Path) -> None:
    log = open_store(tmp_path)
    many = [access(number) for number in range(500)]
    log.append(many)
    tracemalloc.start()
    for _ in range(40):
        log.append(many)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 40 * 500 * 20, "bytes a leaf"
    assert log.size == 41 * 500
    log.close()


@pytest.mark.parametrize(
    "wrong",
    [
        {
            "kind": "access",
            "access": "join",
            "by": "张三",
            "second": None,
            "consultation": None,
            "detail": "",
        },
        {"kind": "access", "access": "peep", "by": "u_1", "second": None, "consultation": None, "detail": ""},
        {
            "kind": "access",
            "access": "join",
            "by": "u_1",
            "second": None,
            "consultation": None,
            "detail": "A b",
        },
        {"kind": "close", "consultation": "c_1", "entries": 3, "head": None, "state": "final"},
        {"kind": "close", "consultation": "../c", "entries": 0, "head": None, "state": "final"},
        {"kind": "close", "consultation": "c_1", "entries": 0, "head": None, "state": "final", "name": "x"},
    ],
)
def test_a_leaf_holds_ids_and_plain_words_only(wrong: dict[str, object]) -> None:
    with pytest.raises(ProtocolError):
        leaf(**{"at_us": AT_US, **wrong})  # type: ignore[arg-type]  # wrong on purpose
