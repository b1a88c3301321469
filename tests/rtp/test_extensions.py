"""Header extensions: both forms of RFC 8285, id mapping, templates."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ProtocolError
from rtp.extensions import (
    ABS_CAPTURE_TIME,
    MID,
    RID,
    TRANSPORT_CC,
    ExtensionMap,
    ExtensionTemplate,
    build_extensions,
    iter_extensions,
    parse_extensions,
    remap,
)
from rtp.packet import RtpPacket, parse_rtp

values = st.binary(max_size=40)
short_values = st.binary(min_size=1, max_size=16)
any_items = st.dictionaries(st.integers(1, 255), values, max_size=6)
one_byte_items = st.dictionaries(st.integers(1, 14), short_values, min_size=1, max_size=6)


@given(any_items)
def test_building_and_parsing_gives_the_same_items(items: dict[int, bytes]) -> None:
    profile, block = build_extensions(items.items())
    assert len(block) % 4 == 0
    assert parse_extensions(profile, block) == items


@given(one_byte_items)
def test_what_fits_the_one_byte_form_uses_it(items: dict[int, bytes]) -> None:
    profile, block = build_extensions(items.items())
    assert profile == 0xBEDE
    assert len(block) == (sum(1 + len(value) for value in items.values()) + 3) // 4 * 4


@pytest.mark.parametrize("item", [(15, b"a"), (1, b""), (1, bytes(17)), (255, bytes(255))])
def test_what_does_not_fit_it_uses_the_two_byte_form(item: tuple[int, bytes]) -> None:
    profile, block = build_extensions([item])
    assert profile == 0x1000
    assert parse_extensions(profile, block) == dict([item])


def test_no_items_mean_no_extension_at_all() -> None:
    assert build_extensions([]) == (None, b"")
    assert parse_extensions(None, b"") == {}


@given(st.sampled_from([0xBEDE, 0x1000, 0x100F, 0x1234, None]), st.binary(max_size=60))
def test_random_blocks_parse_or_raise_only_protocol_errors(profile: int | None, block: bytes) -> None:
    try:
        items = list(iter_extensions(profile, block))
    except ProtocolError:
        return
    assert sum(len(value) for _, value in items) <= len(block)


@pytest.mark.parametrize(
    ("profile", "block"), [(0xBEDE, "13"), (0xBEDE, "1f" + "00" * 15), (0x1000, "01"), (0x1000, "0102ff")]
)
def test_an_element_that_runs_over_the_block_is_refused(profile: int, block: str) -> None:
    with pytest.raises(ProtocolError):
        parse_extensions(profile, bytes.fromhex(block))


def test_id_fifteen_ends_a_one_byte_block() -> None:
    assert parse_extensions(0xBEDE, bytes.fromhex("1061" + "f0ff" + "2062" + "0000")) == {1: b"a"}


def test_padding_between_elements_is_skipped() -> None:
    assert parse_extensions(0xBEDE, bytes.fromhex("000010610000" + "2062")) == {1: b"a", 2: b"b"}


def test_an_unknown_profile_has_no_elements_for_us() -> None:
    assert parse_extensions(0xABCD, b"\x10abc") == {}


@given(any_items, st.dictionaries(st.integers(1, 255), st.integers(1, 255), max_size=8))
def test_remapping_moves_every_element_with_an_entry_and_drops_the_others(
    items: dict[int, bytes], table: dict[int, int]
) -> None:
    profile, block = remap(*build_extensions(items.items()), table)
    expected = [(table[n], value) for n, value in items.items() if n in table]
    assert list(iter_extensions(profile, block)) == expected


def test_remapping_to_a_large_id_changes_the_form() -> None:
    profile, block = remap(*build_extensions([(1, b"a")]), {1: 200})
    assert (profile, parse_extensions(profile, block)) == (0x1000, {200: b"a"})


def test_the_table_between_two_m_lines_pairs_equal_uris() -> None:
    ours = ExtensionMap({1: MID, 2: RID, 3: TRANSPORT_CC, 4: "urn:x-unknown"})
    theirs = ExtensionMap({9: MID, 5: "urn:x-unknown", 3: TRANSPORT_CC, 8: ABS_CAPTURE_TIME})
    assert ours.table_to(theirs) == {1: 9, 4: 5, 3: 3}
    assert ours.table_to(theirs, leave_out=[TRANSPORT_CC]) == {1: 9, 4: 5}
    assert (ours.id_of(RID), ours.id_of(ABS_CAPTURE_TIME)) == (2, None)
    assert (ours.uri_of(2), ours.uri_of(7)) == (RID, None)


@pytest.mark.parametrize("number", [0, 256, -1])
def test_impossible_ids_are_refused(number: int) -> None:
    with pytest.raises(ValueError, match="extension"):
        ExtensionMap({number: MID})
    with pytest.raises(ValueError, match="extension"):
        build_extensions([(number, b"")])


@given(any_items, st.booleans(), st.integers(0, 0xFFFF))
def test_a_template_gives_each_subscriber_its_own_number_and_the_rest_alike(
    items: dict[int, bytes], numbered: bool, number: int
) -> None:
    table = {n: n for n in items}
    template = ExtensionTemplate(table, transport_cc_id=3 if numbered else None, constant=[(7, b"\0\0\x20")])
    before, after = template.render(*build_extensions(items.items()))
    spliced = before + number.to_bytes(2, "big") + after if numbered else before
    packet = parse_rtp(b"\x90\x60" + bytes(10) + spliced + b"payload")
    expected = {**items, 7: b"\0\0\x20"} | ({3: number.to_bytes(2, "big")} if numbered else {})
    assert packet.payload == b"payload"
    assert parse_extensions(packet.extension_profile, packet.extension) == expected


def test_a_template_without_anything_to_say_adds_nothing() -> None:
    assert ExtensionTemplate({}).render(*build_extensions([(1, b"a")])) == (b"", b"")


def test_a_template_renders_each_block_anew() -> None:
    template = ExtensionTemplate({1: 2})
    for value in (b"a", b"b", b"b", b"a"):
        before, _ = template.render(*build_extensions([(1, value)]))
        packet = parse_rtp(b"\x90\x60" + bytes(10) + before)
        assert parse_extensions(packet.extension_profile, packet.extension) == {2: value}


def test_a_malformed_source_block_is_reported_by_the_template() -> None:
    template = ExtensionTemplate({1: 2})
    for _ in range(2):
        with pytest.raises(ProtocolError):
            template.render(0xBEDE, b"\x1fabc")


def test_a_packet_without_extension_remaps_to_one_without() -> None:
    packet = RtpPacket(payload=b"x")
    assert remap(packet.extension_profile, packet.extension, {1: 1}) == (None, b"")
