"""Work on runs of packets gives what work on single packets gives."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtp.rewrite import StreamRewriter
from rtp.srtp import NonceReuseError, SrtpKeys, SrtpProfile, SrtpReceiver, SrtpSender
from rtp.srtp_ciphers import gcm_nonces
from rtp.twcc import MAX_LOGGED, FeedbackBuilder, SendLog

SSRC = 0xABCD


def keys(profile: SrtpProfile) -> SrtpKeys:
    return SrtpKeys(profile, bytes(range(profile.key_bytes)), bytes(range(profile.salt_bytes)))


def header(number: int, ssrc: int = SSRC) -> bytes:
    return struct.pack("!BBHII", 0x80, 96, number & 0xFFFF, number // 3, ssrc)


@pytest.mark.parametrize("profile", list(SrtpProfile))
@given(
    first=st.integers(65_500, 65_540), lengths=st.lists(st.integers(0, 9), max_size=6), gap=st.integers(0, 3)
)
def test_sealing_a_run_is_sealing_each_packet(
    profile: SrtpProfile, first: int, lengths: list[int], gap: int
) -> None:
    one_by_one, by_run = SrtpSender(keys(profile)), SrtpSender(keys(profile))
    number = first
    for length in lengths:
        headers = [header(number + index) for index in range(length)]
        payloads = [bytes((index,)) * 20 for index in range(length)]
        wanted = [one_by_one.seal(head, payload) for head, payload in zip(headers, payloads, strict=True)]
        assert by_run.seal_run(headers, payloads) == wanted
        number += length + gap


@given(
    st.integers(0, (1 << 48) - 300),
    st.integers(0, 0xFFFFFFFF),
    st.binary(min_size=12, max_size=12),
    st.data(),
)
def test_the_nonces_of_a_run_are_those_of_its_indices(
    first: int, ssrc: int, salt: bytes, data: st.DataObject
) -> None:
    count = data.draw(st.integers(1, 260))
    salted = int.from_bytes(salt, "big") ^ ssrc << 48
    nonces = gcm_nonces(salted, first, count)
    assert list(nonces) == [(salted ^ index).to_bytes(12, "big") for index in range(first, first + count)]
    assert len(set(nonces)) == count


def test_a_run_takes_its_numbers_so_that_none_is_sealed_again() -> None:
    sender = SrtpSender(keys(SrtpProfile.AEAD_AES_128_GCM))
    sender.seal(header(1), b"x")
    run = [header(number) for number in range(2, 6)]
    sender.seal_run(run, [b"x"] * 4)
    for head in run:
        with pytest.raises(NonceReuseError):
            sender.seal(head, b"x")
    with pytest.raises(NonceReuseError):
        sender.seal_run(run, [b"x"] * 4)


def test_a_run_whose_ends_do_not_fit_is_sealed_packet_by_packet() -> None:
    profile = SrtpProfile.AEAD_AES_256_GCM
    sender, receiver = SrtpSender(keys(profile)), SrtpReceiver(keys(profile))
    receiver.open(sender.seal(header(1), b"x"))
    headers = [header(2), header(4), header(9)]
    for datagram in sender.seal_run(headers, [b"x"] * 3):
        receiver.open(datagram)


@given(
    st.lists(st.tuples(st.integers(1, 6), st.booleans(), st.integers(0, 3)), max_size=30),
    st.integers(0, 0x7FFF),
)
def test_rewriting_a_run_is_rewriting_each_packet(steps: list[tuple[int, bool, int]], first: int) -> None:
    one_by_one, by_run = StreamRewriter(90_000, first, 7), StreamRewriter(90_000, first, 7)
    number, source = 65_530, 1
    for rewriter in (one_by_one, by_run):
        rewriter.switch(source)
    for now_ns, (count, switch, gap) in enumerate(steps, 1):
        if switch:
            source += 1
            for rewriter in (one_by_one, by_run):
                rewriter.switch(source)
        number += gap
        numbers = [(number + index) & 0xFFFF for index in range(count)]
        wanted = [one_by_one.rewrite(source, n, 500 + number, now_ns) for n in numbers]
        move = by_run.rewrite_run(source, numbers[0], count, 500 + number, now_ns)
        if move is None:
            got = [by_run.rewrite(source, n, 500 + number, now_ns) for n in numbers]
        else:
            got = [((n + move[0]) & 0xFFFF, (500 + number + move[1]) & 0xFFFFFFFF) for n in numbers]
        assert got == wanted
        number += count


def test_a_run_of_another_source_is_refused() -> None:
    rewriter = StreamRewriter(90_000, 0, 0)
    rewriter.switch(1)
    assert rewriter.rewrite_run(1, 5, 3, 0, 0) is None, "the first packet after a switch is placed alone"
    rewriter.rewrite(1, 5, 0, 0)
    assert rewriter.rewrite_run(2, 6, 3, 0, 0) is None
    assert rewriter.rewrite_run(1, 6, 3, 0, 0) is not None


@given(st.integers(0, 0xFFFF), st.lists(st.integers(0, 40), min_size=1, max_size=8))
def test_logging_a_run_is_logging_each_packet(first: int, lengths: list[int]) -> None:
    one_by_one, by_run, builder = SendLog(), SendLog(), FeedbackBuilder(1)
    number = first
    for now_ns, length in enumerate(lengths):
        by_run.sent_run(number & 0xFFFF, [100 + index for index in range(length)], now_ns)
        for index in range(length):
            one_by_one.sent((number + index) & 0xFFFF, 100 + index, now_ns)
            if index % 3:
                builder.received((number + index) & 0xFFFF, 1_000_000 * (number + index))
        number += length
    assert by_run.in_flight_bytes == one_by_one.in_flight_bytes
    for feedback in builder.build():
        assert by_run.on_feedback(feedback) == one_by_one.on_feedback(feedback)
    assert by_run.in_flight_bytes == one_by_one.in_flight_bytes


def test_a_log_nobody_reports_on_stays_bounded() -> None:
    log = SendLog()
    for first in range(0, 3 * MAX_LOGGED, 50):
        log.sent_run(first & 0xFFFF, [1_000] * 50, first)
    assert log.in_flight_bytes <= (MAX_LOGGED + 50) * 1_000
