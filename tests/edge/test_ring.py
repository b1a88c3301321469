"""The ring on a real disk: only the custodians can open what is kept, and it survives whatever ends it."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import av
import pyrage
import pytest

from archive import ring as ring_format
from archive.chain import Head
from archive.ring import RingGeneration, RingOpen, RingPiece
from edge_agents.ring import Ring
from edge_agents.ring_store import KEY, MANIFEST, OBJECTS, RingStore
from tests.edge.ring_support import CONSULTATION, FRAME_US, Bench, buffer_key, frame, session_identity
from tests.support.waiting import blocking_until as until


def opened(store: RingStore, entry: int) -> bytes:
    """What an object holds, with the consultation's secret key."""
    sealed = store.read(entry)
    assert sealed is not None
    content: bytes = pyrage.decrypt(sealed, [session_identity()])
    return content


def fill(bench: Bench, ring: Ring, frames: int, first: int = 0) -> None:
    for index in range(first, first + frames):
        ring.put_video("ultrasound", frame(index, index * FRAME_US))


def begun(bench: Bench) -> Ring:
    ring = bench.ring()
    ring.begin(buffer_key())
    until(lambda: ring.keeping, "the ring begins")
    return ring


def reopened(bench: Bench) -> RingStore:
    return RingStore.open(bench.folder / CONSULTATION, buffer_key(), bench.key.sign)


def checked_chain(bench: Bench) -> list[ring_format.RingLine]:
    """Every line follows the one before and is signed by the box."""
    lines = (bench.folder / CONSULTATION / MANIFEST).read_bytes().splitlines(keepends=True)
    found = []
    for line, message, _ in ring_format.follow([one for one in lines if one.endswith(b"\n")], Head()):
        assert ring_format.holds(bench.public, line.signature, message)
        found.append(line)
    return found


def test_what_is_kept_is_a_film_that_the_consultations_key_opens(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "ring")
    ring = begun(bench)
    fill(bench, ring, 90)
    ring.stop()
    store = reopened(bench)
    init, *pieces = store.held
    assert isinstance(init, RingGeneration)
    assert (init.width, init.height, init.codec) == (320, 180, "H264")
    assert sum(one.frames for one in pieces if isinstance(one, RingPiece)) == 90
    film = b"".join(opened(store, one.entry) for one in store.held)
    with av.open(io.BytesIO(film), "r") as container:
        times = [picture.time for picture in container.decode(video=0)]
    assert len(times) == 90
    assert max(abs((at or 0) - index / 30) for index, at in enumerate(times)) < 0.002
    lines = checked_chain(bench)
    assert isinstance(lines[0], RingOpen)
    assert len(lines) == store.head.next_entry


def test_nothing_on_the_disk_is_readable_without_the_consultations_secret(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "ring")
    ring = begun(bench)
    fill(bench, ring, 90)
    ring.stop()
    files = [path for path in bench.folder.rglob("*") if path.is_file()]
    assert {path.name for path in files if path.suffix != ".age"} == {KEY, MANIFEST}
    clear = [frame(index, 0).data for index in range(90)]
    for path in files:
        content = path.read_bytes()
        assert not any(data[16:80] in content for data in clear)
        assert b"moof" not in content
        assert path.stat().st_mode & 0o077 == 0
    sealed = next(path for path in files if path.suffix == ".age")
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt(sealed.read_bytes(), [pyrage.x25519.Identity.generate()])


def test_without_a_key_nothing_is_kept_and_in_a_pause_neither(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "ring")
    ring = bench.ring()
    fill(bench, ring, 30)
    assert not bench.folder.exists()
    ring.begin(buffer_key())
    until(lambda: ring.keeping, "the ring begins")
    fill(bench, ring, 30)
    ring.set_paused(True)
    fill(bench, ring, 30, first=30)
    ring.set_paused(False)
    fill(bench, ring, 30, first=60)
    ring.stop()
    pieces = [one for one in reopened(bench).held if isinstance(one, RingPiece)]
    assert sum(one.frames for one in pieces) == 60
    pause = (30 * FRAME_US, 60 * FRAME_US)
    assert all(one.end_us <= pause[0] + 50_000 or one.begin_us >= pause[1] - 50_000 for one in pieces)


def test_it_stays_within_its_quota_and_what_is_left_is_the_newest(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "ring")
    ring = bench.ring(max_bytes=60_000)
    ring.begin(buffer_key())
    until(lambda: ring.keeping, "the ring begins")
    for second in range(20):
        fill(bench, ring, 30, first=second * 30)
        bench.clock.advance(1_000_000_000)
        until(lambda: ring._queue.empty(), "the ring keeps up")
    bench.clock.advance(10_000_000_000)
    store = ring.store
    assert store is not None
    until(lambda: sum(one.size for one in store.held) <= 60_000, "the quota is kept")
    left = [one for one in store.held if isinstance(one, RingPiece)]
    assert left
    assert left[-1].end_us > 18_000_000
    assert isinstance(store.held[0], RingGeneration)
    ring.stop()
    on_disk = sorted(path.name for path in (bench.folder / CONSULTATION / OBJECTS).iterdir())
    assert len(on_disk) == len(reopened(bench).held)
    checked_chain(bench)


def test_rings_of_earlier_consultations_go_when_they_are_too_old(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "ring")
    ring = begun(bench)
    fill(bench, ring, 30)
    ring.end()
    now_s = bench.clock.unix_ns() // 1_000_000_000
    manifest = bench.folder / CONSULTATION / MANIFEST
    until(lambda: ring.store is None, "the ring ends")
    os.utime(manifest, (now_s - 25 * 3600, now_s - 25 * 3600))
    ring.begin(buffer_key("c_two"))
    until(lambda: ring.keeping, "the next ring begins")
    ring.stop()
    assert [path.name for path in bench.folder.iterdir()] == ["c_two"]


def test_a_full_disk_costs_what_it_cannot_hold_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path / "ring")
    ring = begun(bench)
    fill(bench, ring, 61)
    store = ring.store
    assert store is not None
    until(lambda: store.head.next_entry >= 3, "pieces are written")
    add, full = RingStore.add, [True]

    def refuse(self: RingStore, fields: dict[str, object], data: bytes) -> object:
        if full[0]:
            raise OSError(28, "No space left on device")
        return add(self, fields, data)

    monkeypatch.setattr(RingStore, "add", refuse)
    fill(bench, ring, 60, first=61)
    until(lambda: bench.asked == ["ultrasound"], "a keyframe is asked for")
    full[0] = False
    bench.clock.advance(3_000_000_000)
    fill(bench, ring, 60, first=180)
    ring.stop()
    again = reopened(bench)
    assert [one.generation for one in again.held if isinstance(one, RingGeneration)] == [0, 1]
    assert sum(one.frames for one in again.held if isinstance(one, RingPiece)) >= 90
    checked_chain(bench)


def test_an_object_no_line_names_and_a_torn_line_are_removed(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "ring")
    ring = begun(bench)
    fill(bench, ring, 90)
    ring.stop()
    folder = bench.folder / CONSULTATION
    held = len(reopened(bench).held)
    (folder / OBJECTS / "00009999.age").write_bytes(b"x")
    (folder / OBJECTS / "00000100.age.tmp").write_bytes(b"x")
    whole = (folder / MANIFEST).read_bytes()
    (folder / MANIFEST).write_bytes(whole + b'{"consultation"')
    again = reopened(bench)
    assert len(again.held) == held == len(list((folder / OBJECTS).iterdir()))
    assert (folder / MANIFEST).read_bytes() == whole


def test_a_ring_that_was_tampered_with_is_begun_anew(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "ring")
    ring = begun(bench)
    fill(bench, ring, 60)
    ring.stop()
    manifest = bench.folder / CONSULTATION / MANIFEST
    lines = manifest.read_bytes().splitlines(keepends=True)
    manifest.write_bytes(b"".join([lines[0], *lines[2:]]))
    again = reopened(bench)
    assert again.head.next_entry == 1
    assert not again.held


WRITER = """
import sys
from pathlib import Path
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from archive.ring import BufferKey
from core.clock import SystemClock
from edge_agents.clock_offset import ClockOffset
from edge_agents.ring import Ring, RingSettings
from tests.edge.ring_support import FRAME_US, frame
import time
folder, key, raw = Path(sys.argv[1]), BufferKey.model_validate_json(sys.argv[2]), bytes.fromhex(sys.argv[3])
first = int(sys.argv[4])
own = Ed25519PrivateKey.from_private_bytes(raw)
ring = Ring(RingSettings(folder, 1 << 30, 100_000), own.sign, SystemClock(), ClockOffset())
ring.begin(key)
while not ring.keeping:
    time.sleep(0.001)
index = first
while True:
    for _ in range(10):
        ring.put_video("ultrasound", frame(index, index * FRAME_US))
        index += 1
    while not ring._queue.empty():
        time.sleep(0.0005)
    print("handed on", index, flush=True)
"""


def test_after_kill_9_at_any_moment_every_piece_is_whole_or_absent(tmp_path: Path) -> None:
    """Each time everything but the piece being made is there: less than two seconds."""
    bench = Bench(tmp_path / "ring")
    first = 0
    for turn in range(8):
        said = _killed(bench, first, after=2 + turn * 3)
        store = reopened(bench)
        pieces = [one for one in store.held if isinstance(one, RingPiece)]
        checked_chain(bench)
        reached_us = pieces[-1].end_us if pieces else first * FRAME_US
        assert reached_us >= (said - 60) * FRAME_US
        for one in store.held[-4:]:
            assert opened(store, one.entry)
        assert all(len(store.read(one.entry) or b"") == one.size for one in store.held)
        store.close()
        first = said // 90 * 90 + 90


def _killed(bench: Bench, first: int, after: int) -> int:
    """Run a writer until it has said so many times how far it is, then kill it; what it said last."""
    arguments = [str(bench.folder), buffer_key().model_dump_json(), bench.key.private_bytes_raw().hex()]
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, *arguments, str(first)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        said: list[int] = []
        for line in process.stdout:
            if line.startswith("handed on ") and line.endswith("\n"):
                said.append(int(line.split()[-1]))
            if len(said) == after:
                process.send_signal(signal.SIGKILL)
    return said[-1]
