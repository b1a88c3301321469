"""Whatever comes from the network, parsers end soon, and in no other way than they say."""

from __future__ import annotations

import random
import time

import pytest

from tests.fuzz.corpus_files import CORPUS, saved
from tests.fuzz.judge import fault
from tests.fuzz.mutation import mutated
from tests.fuzz.targets import TARGETS

MUTATE_FOR_S = 0.6
"""For each target; `tests/fuzz/find` searches for as long as one likes."""
LONG_BYTES = 65_536
MAX_CORPUS_BYTES = 1_000_000


@pytest.mark.parametrize("name", TARGETS)
def test_every_saved_input_is_taken_or_refused_as_declared(name: str) -> None:
    known = saved(name)
    assert known, f"no corpus for {name}"
    wrong = {file: found for file, data in known.items() if (found := fault(TARGETS[name], data))}
    assert not wrong, "\n".join(f"{name}/{file}: {found}" for file, found in wrong.items())


@pytest.mark.parametrize("name", TARGETS)
def test_changed_inputs_are_taken_or_refused_as_declared(name: str) -> None:
    known, chance = list(saved(name).values()), random.Random(f"{name} 1")
    until_s = time.monotonic() + MUTATE_FOR_S
    while time.monotonic() < until_s:
        data = mutated(known, chance)
        found = fault(TARGETS[name], data)
        assert found is None, f"{name}: {data!r}\n{found}"


@pytest.mark.parametrize("name", TARGETS)
def test_the_longest_input_takes_no_longer_than_the_others(name: str) -> None:
    known = list(saved(name).values())
    for data in (b"", bytes(LONG_BYTES), b"\xff" * LONG_BYTES, *map(_lengthened, known[:24])):
        found = fault(TARGETS[name], data)
        assert found is None, f"{name}: {data[:60]!r}… ({len(data)} bytes)\n{found}"


def _lengthened(data: bytes) -> bytes:
    """The same again and again, up to 64 KB."""
    return (data * (LONG_BYTES // max(1, len(data)) + 1))[:LONG_BYTES]


def test_the_same_seed_makes_the_same_inputs() -> None:
    known = list(saved("sdp").values())
    once, again = random.Random(3), random.Random(3)
    assert [mutated(known, once) for _ in range(50)] == [mutated(known, again) for _ in range(50)]


def test_the_corpus_stays_small_and_belongs_to_targets() -> None:
    assert {path.name for path in CORPUS.iterdir()} == set(TARGETS)
    assert sum(path.stat().st_size for path in CORPUS.rglob("*") if path.is_file()) < MAX_CORPUS_BYTES
