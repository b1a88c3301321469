"""One value has one spelling."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.canonical import INTEGER_LIMIT, decode, encode
from core.errors import ProtocolError

TEXT = st.text(st.characters(exclude_categories=("Cs",)))
KEYS = st.text(st.characters(max_codepoint=127), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-INTEGER_LIMIT, INTEGER_LIMIT) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_a_value_comes_back_from_its_spelling(value: Any) -> None:
    assert decode(encode(value)) == value


@given(VALUES)
def test_any_json_reader_reads_it(value: Any) -> None:
    assert json.loads(encode(value)) == value


def test_the_spelling_is_that_of_rfc_8785() -> None:
    value = {"b": [1, True, None], "a": '\u20ac$\u000f\nA\'B"\\\\"/', "": -5}
    assert encode(value) == b'{"":-5,"a":"\xe2\x82\xac$\\u000f\\nA\'B\\"\\\\\\\\\\"/","b":[1,true,null]}'


@pytest.mark.parametrize(
    "spelled",
    [
        b'{"b":1,"a":2}',
        b'{"a": 1}',
        b'{"a":1}\n',
        b'{"a":1,"a":1}',
        b'{"a":1.0}',
        b'{"a":1e3}',
        b'{"a":-0}',
        b'{"a":01}',
        b'{"a":NaN}',
        b'{"a":"\\u0041"}',
        b'{"a":"\\/"}',
        b'{"a":"\\u000A"}',
        b'{"a":"\\ud800"}',
        b'{"a":9007199254740992}',
        b'{"a":' + b"9" * 5000 + b"}",
        b'{"\xc3\xa9":1}',
        b"\xff",
        b"",
        b"[" * 100_000,
        b"[" * 900 + b"]" * 899,
    ],
)
def test_every_other_spelling_is_refused(spelled: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode(spelled)


@given(st.binary(max_size=60))
def test_arbitrary_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        value = decode(data)
    except ProtocolError:
        return
    assert encode(value) == data


@pytest.mark.parametrize(
    "value", [1.5, b"x", {1: 2}, {"a": {"b": float("nan")}}, INTEGER_LIMIT + 1, "\ud800"]
)
def test_what_canonical_json_cannot_say_is_refused(value: Any) -> None:
    with pytest.raises(ProtocolError):
        encode(value)
