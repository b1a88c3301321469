"""The log's copy in a real S3 server: with the archives' copies it verifies at any moment, by itself."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random

import obstore
import pytest

from archive import commands, layout
from archive.faults import Verdict
from archive.keys import publish_signer
from archive.log_copy import WAIT_NS
from archive.log_entries import Leaf
from archive.log_keys import publish_log
from archive.log_records import CHECKPOINTS, ENTRIES, FOLDER, TRUSTED_LOGS
from archive.log_source import FILES, LocalLog, StoreLog, part_key
from archive.log_verify import LoggedResult, LogOptions, with_log
from archive.store_open import find
from archive.store_s3 import S3Archive
from archive.writer import ArchiveWriter
from core.config import Settings
from recorder.upload import Uploader
from tests.archive import support
from tests.archive.log_support import LOG, access, leaf, open_store, opened
from tests.archive.test_log_verify import mark
from tests.recorder.test_upload import Clock, finish
from tests.support.s3 import BUCKET, S3Server, running_s3

SECOND_NS = 1_000_000_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with running_s3(tmp_path_factory.mktemp("s3")) as running:
        yield running


@pytest.fixture
def prefix(request: pytest.FixtureRequest) -> str:
    return "l/" + hashlib.sha256(request.node.name.encode()).hexdigest()[:12]


class World:
    """A machine that records and logs, its uploader, and whoever verifies the copy alone."""

    def __init__(self, root: Path, server: S3Server, prefix: str) -> None:
        self.root, self.far = root, server.archive(prefix)
        self.place = f"s3://{BUCKET}/{prefix}"
        self.settings = Settings(**server.settings(prefix), archive_dir=root)
        self.clock = Clock()
        self.log = open_store(root / FOLDER)
        self.writers: dict[str, ArchiveWriter] = {}
        self.steps: dict[str, list[Callable[[ArchiveWriter], object]]] = {}
        publish_signer(root, support.keys().signer.public)
        publish_log(root, LOG)
        self.uploader = Uploader(root, self.far, self.clock)

    def open(self) -> None:
        name = f"con_01k9zzzzzzzzzzzzzzzzzzzz{len(self.steps):02d}"
        self.append(opened(name))
        self.writers[name] = support.create(self.root, name)
        self.steps[name] = support.steps(name)

    def append(self, *leaves: Leaf) -> None:
        self.log.append(leaves)
        self.log.publish()

    def look(self) -> None:
        """Some people look at what there is."""
        self.append(*map(access, range(3)))

    def write(self, name: str) -> None:
        if self.steps[name]:
            self.steps[name].pop(0)(self.writers[name])

    def tell(self, name: str) -> None:
        self.append(leaf("head", **mark(self.root / name), final=False))

    def close(self, name: str) -> None:
        writer = self.writers.pop(name)
        writer.close("consultation_closed")
        self.append(leaf("close", **mark(writer.folder), state="final"))

    def later(self, seconds: int = 60) -> None:
        self.clock.ahead_ns += seconds * SECOND_NS

    def restart(self) -> None:
        self.uploader = Uploader(self.root, self.far, self.clock)

    def finish(self) -> None:
        for _ in range(6):
            self.later()
            finish(self.uploader)

    def verified(self) -> LoggedResult:
        """With nothing but what is in the store."""
        found = find(self.place, self.settings)
        result = commands.verify(found)
        return with_log(result, found, LogOptions(), self.settings)

    def is_the_same(self) -> bool:
        here, there = LocalLog(self.root / FOLDER), StoreLog(self.far)
        return all(list(here.lines(name)) == list(there.lines(name)) for name in FILES)


@pytest.fixture
def world(tmp_path: Path, server: S3Server, prefix: str) -> Iterator[World]:
    made = World(tmp_path / "archive", server, prefix)
    yield made
    made.log.close()


def exists(far: S3Archive) -> bool:
    return bool(far.names()) and far.read_root(TRUSTED_LOGS) is not None and StoreLog(far).exists


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens_in_whatever_order_the_copy_agrees_with_its_own_log(
    world: World, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("archive.log_copy.PART_BYTES", 2_000)
    chance = Random(seed)
    seen = 0
    for _ in range(60):
        name = chance.choice(list(world.writers) or [""])
        acts: list[Callable[[], None]] = [world.open, world.later, world.restart, world.look]
        if name:
            acts += [partial(world.write, name)] * 6 + [partial(world.tell, name), partial(world.close, name)]
        chance.choice(acts)()
        if chance.random() < 0.5:
            world.uploader.round()
            if exists(world.far):
                result = world.verified()
                assert result.verdict is Verdict.INTACT, result.fields()
                seen += 1
    assert seen > 5
    for name in list(world.writers):
        world.close(name)
    world.finish()
    result = world.verified()
    assert (result.verdict, result.log.unsigned) == (Verdict.INTACT, 0), result.fields()
    assert {item.state for item in result.log.findings} == {"final"}
    assert world.is_the_same()


def test_a_consultation_deleted_from_the_store_is_missed_by_the_log_there(world: World) -> None:
    for _ in range(2):
        world.open()
    names = list(world.writers)
    for name in names:
        for _ in range(4):
            world.write(name)
        world.close(name)
    world.finish()
    assert world.verified().exit_code == 0
    delete(world.far, names[0])
    result = world.verified()
    assert result.exit_code == 12
    (gone,) = [item for item in result.log.findings if item.verdict is Verdict.MISSING]
    assert gone.consultation == names[0]
    delete(world.far, names[1])
    assert world.verified().exit_code == 12, "an archive whose consultations are all gone is one, too"


def delete(far: S3Archive, name: str) -> None:
    obstore.delete(far.store, [f"{name}/{path}" for path in far.sizes(name)])


def test_a_part_of_the_logs_copy_that_is_lost_or_changed_is_found(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("archive.log_copy.PART_BYTES", 1_000)
    world.open()
    world.close(next(iter(world.writers)))
    for number in range(30):
        world.append(access(number))
    world.finish()
    assert StoreLog(world.far).parts(ENTRIES) > 3
    key = part_key(ENTRIES, 1)
    data = world.far.read(key)
    obstore.delete(world.far.store, key)
    assert world.verified().log.verdict is Verdict.TRUNCATED
    world.far.write(key, data.replace(b"u_", b"v_", 1))
    assert world.verified().log.verdict is Verdict.ALTERED
    world.far.write(key, data)
    assert world.verified().log.verdict is Verdict.INTACT


def test_a_log_that_was_cut_here_does_not_replace_its_copy(world: World) -> None:
    world.open()
    world.close(next(iter(world.writers)))
    for number in range(5):
        world.append(access(number))
    world.finish()
    copied = list(StoreLog(world.far).lines(ENTRIES))
    for name in FILES:
        path = world.root / FOLDER / name
        path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-3]))
    world.restart()
    world.uploader.round()
    assert world.uploader.status.reason == "the log here is not the one in the store"
    assert list(StoreLog(world.far).lines(ENTRIES)) == copied


def test_a_checkpoint_that_a_power_cut_took_here_is_written_anew_there(world: World) -> None:
    world.open()
    world.close(next(iter(world.writers)))
    world.finish()
    path = world.root / FOLDER / CHECKPOINTS
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    world.log.close()
    world.log = open_store(world.root / FOLDER)
    world.append(access())
    world.restart()
    world.finish()
    assert world.uploader.status.failing_since_us is None
    assert world.is_the_same()
    assert world.verified().verdict is Verdict.INTACT


def test_an_archive_that_does_not_come_holds_the_log_up_for_a_while_and_is_then_missed(world: World) -> None:
    world.open()
    (name,) = world.writers
    world.write(name)
    (world.root / name / layout.MANIFEST).write_bytes(b"{}\n" * 3)  # it cannot be read, so it is not sent
    world.append(leaf("head", consultation=name, entries=3, head="1" * 64, final=False), access())
    world.finish()
    assert len(list(StoreLog(world.far).lines(ENTRIES))) == 1
    world.later(WAIT_NS // SECOND_NS)
    world.uploader.round()
    world.finish()
    assert len(list(StoreLog(world.far).lines(ENTRIES))) == 3
    found = world.verified()
    assert [item.verdict for item in found.log.findings] == [Verdict.MISSING]


def test_without_a_log_here_archives_are_copied_all_the_same(
    tmp_path: Path, server: S3Server, prefix: str
) -> None:
    folder = support.write(tmp_path)
    far = server.archive(prefix)
    finish(Uploader(tmp_path, far, Clock()))
    assert far.names() == [folder.name]
