"""The nonce rule, rollover counters, replay protection and refusals of SRTP."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ProtocolError
from rtp.srtp import (
    MAX_RECEIVED_SSRCS,
    WINDOW,
    AuthenticationError,
    NonceReuseError,
    ReplayError,
    SrtpKeys,
    SrtpProfile,
    SrtpReceiver,
    SrtpSender,
    keys_from_dtls,
)
from rtp.srtp_ciphers import GcmCipher
from tests.rtp.srtp_support import PROFILES, keys_for, rtp_header

GCM = SrtpProfile.AEAD_AES_256_GCM
profiles = pytest.mark.parametrize("profile", PROFILES)


class RecordedNonces:
    """Stands in front of the sender's AES-GCM and remembers every nonce it is given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[bytes] = []
        recorded = self.seen
        original = GcmCipher.__init__

        def init(cipher: GcmCipher, *keys: object) -> None:
            original(cipher, *keys)  # type: ignore[arg-type]  # passed through
            encrypt = cipher.rtp_encrypt

            def recording(nonce: bytes, data: bytes, aad: bytes) -> bytes:
                recorded.append(nonce)
                return encrypt(nonce, data, aad)

            cipher.rtp_encrypt = recording  # type: ignore[assignment]  # same shape

        monkeypatch.setattr(GcmCipher, "__init__", init)


steps = st.lists(
    st.tuples(
        st.integers(1, 3),
        st.one_of(st.integers(-5, 5), st.just(1), st.integers(-0x8000, 0x7FFF), st.integers(-2100, 2100)),
    ),
    max_size=200,
)


@pytest.mark.interpreted
@given(first=st.integers(0, 0xFFFF), steps=steps)
@settings(max_examples=300, deadline=None)
def test_no_order_of_sealing_ever_uses_a_nonce_twice(first: int, steps: list[tuple[int, int]]) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        nonces = RecordedNonces(monkeypatch).seen
        sender = SrtpSender(keys_for(GCM))
        position = dict.fromkeys((1, 2, 3), first)
        sealed = 0
        for ssrc, step in steps:
            position[ssrc] += step
            try:
                sender.seal(rtp_header(position[ssrc], ssrc), b"x")
            except NonceReuseError:
                continue
            sealed += 1
        assert len(nonces) == sealed
        assert len(set(nonces)) == sealed


@given(first=st.integers(0, 0xFFFF), steps=steps, claims=st.lists(st.integers(0, 40), max_size=200))
@settings(max_examples=300, deadline=None)
def test_what_was_claimed_for_the_engine_is_never_used_again(
    first: int, steps: list[tuple[int, int]], claims: list[int]
) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        nonces = RecordedNonces(monkeypatch).seen
        sender = SrtpSender(keys_for(GCM))
        position = dict.fromkeys((1, 2, 3), first)
        for number, (ssrc, step) in enumerate(steps):
            position[ssrc] += step
            count = claims[number] if number < len(claims) else 0
            index = sender.claim_run(ssrc, position[ssrc] & 0xFFFF, count) if count else None
            if index is None:
                with contextlib.suppress(NonceReuseError):
                    sender.seal(rtp_header(position[ssrc], ssrc), b"x")
            else:
                salted = sender._gcm_salt ^ ssrc << 48
                nonces += [(salted ^ index + i).to_bytes(12, "big") for i in range(count)]
                position[ssrc] += count - 1
        assert len(set(nonces)) == len(nonces)


@given(
    first=st.integers(0, 0xFFFF),
    steps=st.lists(
        st.one_of(st.just(1), st.integers(-40, 40), st.integers(-WINDOW + 1, 20_000)), max_size=80
    ),
    profile=st.sampled_from(PROFILES),
    data=st.data(),
)
@settings(deadline=None)
def test_what_is_sealed_in_any_order_is_opened_in_about_that_order(
    first: int, steps: list[int], profile: SrtpProfile, data: st.DataObject
) -> None:
    """Across wraps, with loss and with reordering on the way."""
    sender, receiver = SrtpSender(keys_for(profile)), SrtpReceiver(keys_for(profile))
    sent = [(first, sender.seal(rtp_header(first), b"first"))]
    used, top = {first}, first
    for step in steps:
        number = top + step
        if number < 0 or number in used:
            continue
        sent.append((number, sender.seal(rtp_header(number), number.to_bytes(8, "big"))))
        used.add(number)
        top = max(top, number)
    received = [sent[0]] + [item for item in sent[1:] if data.draw(st.booleans())]
    newest = -1
    for number, datagram in received:
        if (
            number <= newest - WINDOW
            or number + 0x8000 <= newest
            or (newest >= 0 and number - newest > 0x7FFF)
        ):
            return  # loss made the receiver's view differ from the sender's: the peers have lost each other
        assert receiver.open(datagram)[12:] in (b"first", number.to_bytes(8, "big"))
        with pytest.raises(ReplayError):
            receiver.open(datagram)
        newest = max(newest, number)


@profiles
def test_the_same_number_is_not_sealed_twice(profile: SrtpProfile) -> None:
    sender = SrtpSender(keys_for(profile))
    sender.seal(rtp_header(10), b"a")
    sender.seal(rtp_header(12), b"b")
    sender.seal(rtp_header(11), b"late, but never used")
    for used in (10, 11, 12):
        with pytest.raises(NonceReuseError):
            sender.seal(rtp_header(used), b"again")


def test_a_number_too_old_to_tell_is_not_sealed() -> None:
    sender = SrtpSender(keys_for(GCM))
    for number in (10_000, 20_000):
        sender.seal(rtp_header(number), b"")
    sender.seal(rtp_header(20_000 - WINDOW + 1), b"just young enough")
    with pytest.raises(NonceReuseError):
        sender.seal(rtp_header(20_000 - WINDOW), b"")


def test_a_number_before_the_beginning_of_the_stream_is_not_sealed() -> None:
    sender = SrtpSender(keys_for(GCM))
    sender.seal(rtp_header(3), b"")
    sender.seal(rtp_header(1), b"")
    with pytest.raises(NonceReuseError):
        sender.seal(rtp_header(65_535), b"")


@profiles
def test_the_rollover_counter_steps_back_for_late_packets_across_the_wrap(profile: SrtpProfile) -> None:
    sender, receiver = SrtpSender(keys_for(profile)), SrtpReceiver(keys_for(profile))
    order = [65_533, 65_536, 65_535, 65_537, 65_534, 65_538]
    for number in order:
        assert (
            receiver.open(sender.seal(rtp_header(number), str(number).encode()))[12:] == str(number).encode()
        )
    assert receiver.highest_index(0x1234) == 65_538


def test_a_stream_whose_first_packets_were_lost_around_the_wrap_is_understood() -> None:
    sender, receiver = SrtpSender(keys_for(GCM)), SrtpReceiver(keys_for(GCM))
    lost = sender.seal(rtp_header(65_535), b"late")
    assert receiver.open(sender.seal(rtp_header(65_540), b"x"))[12:] == b"x"
    assert receiver.open(lost)[12:] == b"late"
    assert receiver.highest_index(0x1234) == 65_540


@profiles
def test_a_forged_packet_changes_nothing(profile: SrtpProfile) -> None:
    sender, receiver = SrtpSender(keys_for(profile)), SrtpReceiver(keys_for(profile))
    receiver.open(sender.seal(rtp_header(1), b"a"))
    forger = SrtpSender(keys_for(profile, seed=1))
    for number in (2, 3, 30_000):
        with pytest.raises(AuthenticationError):
            receiver.open(forger.seal(rtp_header(number), b"forged"))
    assert receiver.highest_index(0x1234) == 1
    assert receiver.open(sender.seal(rtp_header(2), b"b"))[12:] == b"b"


@profiles
def test_a_flood_of_forged_ssrcs_leaves_no_state(profile: SrtpProfile) -> None:
    receiver, forger = SrtpReceiver(keys_for(profile)), SrtpSender(keys_for(profile, seed=1))
    for ssrc in range(50):
        with pytest.raises(AuthenticationError):
            receiver.open(forger.seal(rtp_header(1, ssrc), b""))
        with pytest.raises(AuthenticationError):
            receiver.open_rtcp(forger.seal_rtcp(b"\x80\xc9\0\1" + ssrc.to_bytes(4, "big")))
    assert all(receiver.highest_index(ssrc) is None for ssrc in range(50))
    assert all(receiver.highest_index(ssrc, rtcp=True) is None for ssrc in range(50))


def test_an_authentic_peer_cannot_use_ssrcs_without_end() -> None:
    sender, receiver = SrtpSender(keys_for(GCM)), SrtpReceiver(keys_for(GCM))
    for ssrc in range(MAX_RECEIVED_SSRCS):
        receiver.open(sender.seal(rtp_header(1, ssrc), b""))
    with pytest.raises(ProtocolError, match="SSRC"):
        receiver.open(sender.seal(rtp_header(1, MAX_RECEIVED_SSRCS), b""))
    assert receiver.open(sender.seal(rtp_header(2, 0), b"known")).endswith(b"known")


@profiles
def test_a_replayed_or_old_rtcp_packet_is_refused(profile: SrtpProfile) -> None:
    sender, receiver = SrtpSender(keys_for(profile)), SrtpReceiver(keys_for(profile))
    sealed = [sender.seal_rtcp(b"\x80\xc9\0\1" + bytes(4)) for _ in range(WINDOW + 2)]
    for datagram in sealed[1:]:
        assert len(receiver.open_rtcp(datagram)) == 8
    for datagram in (sealed[0], sealed[1], sealed[-1]):
        with pytest.raises(ReplayError):
            receiver.open_rtcp(datagram)


@profiles
def test_unencrypted_rtcp_is_refused(profile: SrtpProfile) -> None:
    sealed = bytearray(SrtpSender(keys_for(profile)).seal_rtcp(b"\x80\xc9\0\1" + bytes(4)))
    word = -4 if profile.is_gcm else -14
    sealed[word] &= 0x7F
    with pytest.raises(ProtocolError, match="not encrypted"):
        SrtpReceiver(keys_for(profile)).open_rtcp(bytes(sealed))


@given(st.sampled_from(PROFILES), st.binary(max_size=120))
def test_random_bytes_raise_only_protocol_errors(profile: SrtpProfile, data: bytes) -> None:
    receiver = SrtpReceiver(keys_for(profile))
    with pytest.raises(ProtocolError):
        receiver.open(data)
    with pytest.raises(ProtocolError):
        receiver.open_rtcp(data)


@given(st.sampled_from(PROFILES), st.data())
def test_a_truncated_packet_raises_only_protocol_errors(profile: SrtpProfile, data: st.DataObject) -> None:
    sealed = SrtpSender(keys_for(profile)).seal(rtp_header(1), b"payload")
    cut = data.draw(st.integers(0, len(sealed) - 1))
    with pytest.raises(ProtocolError):
        SrtpReceiver(keys_for(profile)).open(sealed[:cut])


@profiles
def test_both_ends_of_dtls_take_matching_keys(profile: SrtpProfile) -> None:
    material = bytes(range(2 * (profile.key_bytes + profile.salt_bytes)))
    client_out, client_in = keys_from_dtls(profile, material, is_client=True)
    server_out, server_in = keys_from_dtls(profile, material, is_client=False)
    assert (client_out, client_in) == (server_in, server_out)
    assert client_out.master_key == material[: profile.key_bytes]
    assert server_out.master_salt == material[-profile.salt_bytes :]
    with pytest.raises(ValueError, match="bytes of keying material"):
        keys_from_dtls(profile, material[:-1], is_client=True)


def test_keys_do_not_show_themselves() -> None:
    keys = keys_for(GCM)
    assert repr(keys.master_key) not in repr(keys)
    with pytest.raises(ValueError, match="needs a key of 32"):
        SrtpKeys(GCM, bytes(16), bytes(12))


def test_profiles_know_their_dtls_code_points() -> None:
    assert [p.dtls_id for p in PROFILES] == [0x0008, 0x0007, 0x0001]
