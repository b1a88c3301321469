"""Tokens: who issued them, for what, until when, and whether they were revoked."""

from __future__ import annotations

import base64
import json
import stat
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from core.errors import ConfigError, Unauthorized
from core.tokens import Grants, Revocations, Tokens, key_id, load_or_create_keys
from tests.core.clocks import FakeClock

GRANTS = Grants(publish=["device"], feeds=["ultrasound"])
WHO: dict[str, Any] = {"sub": "u_1", "role": "site", "org": "o_1", "name": "Li", "sid": "s_1"}
ROOM: dict[str, Any] = {**WHO, "org_name": "Clinic", "room": "demo", "con": "c_1", "grants": GRANTS}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def revocations() -> Revocations:
    return Revocations()


@pytest.fixture
def tokens(clock: FakeClock, revocations: Revocations) -> Tokens:
    return Tokens([Ed25519PrivateKey.generate()], clock, revocations)


def test_a_token_says_who_and_what(tokens: Tokens) -> None:
    claims = tokens.verify_room(tokens.issue_room(**ROOM))
    assert (claims.sub, claims.room, claims.con, claims.grants) == ("u_1", "demo", "c_1", GRANTS)
    assert tokens.verify_access(tokens.issue_access(**WHO)).role == "site"


def test_an_access_token_opens_no_room_and_a_room_token_no_api(tokens: Tokens) -> None:
    with pytest.raises(Unauthorized):
        tokens.verify_room(tokens.issue_access(**WHO))
    with pytest.raises(Unauthorized):
        tokens.verify_access(tokens.issue_room(**ROOM))


def test_a_token_expires_and_says_so(tokens: Tokens, clock: FakeClock) -> None:
    token = tokens.issue_access(**WHO)
    clock.advance(599)
    tokens.verify_access(token)
    clock.advance(10)
    with pytest.raises(Unauthorized) as caught:
        tokens.verify_access(token)
    assert caught.value.code == "token_expired"


@pytest.mark.parametrize("subject", ["u_1", "s_1", "jti"])
def test_revoking_voids_a_persons_earlier_tokens_a_session_for_good_and_one_token(
    tokens: Tokens, clock: FakeClock, revocations: Revocations, subject: str
) -> None:
    token = tokens.issue_access(**WHO)
    subject = tokens.verify_access(token).jti if subject == "jti" else subject
    clock.advance(1)
    revocations.add(subject, clock.unix_ns() // 1000)
    with pytest.raises(Unauthorized) as caught:
        tokens.verify_access(token)
    assert caught.value.code == "token_revoked"
    clock.advance(1)
    later = tokens.issue_access(**WHO)
    if subject == "s_1":
        with pytest.raises(Unauthorized):
            tokens.verify_access(later)
    else:
        tokens.verify_access(later)


def test_tokens_of_another_key_are_refused_and_old_keys_still_verify(clock: FakeClock) -> None:
    old, new, stranger = [Ed25519PrivateKey.generate() for _ in range(3)]
    token = Tokens([old], clock, Revocations()).issue_access(**WHO)
    rotated = Tokens([new, old], clock, Revocations())
    assert rotated.verify_access(token).sub == "u_1"
    assert jwt.get_unverified_header(rotated.issue_access(**WHO))["kid"] == key_id(new.public_key())
    with pytest.raises(Unauthorized):
        rotated.verify_access(Tokens([stranger], clock, Revocations()).issue_access(**WHO))


def _unsigned(token: str, **header: Any) -> str:
    head, body, _ = token.split(".")
    fields = json.loads(base64.urlsafe_b64decode(head + "=="))
    head = base64.urlsafe_b64encode(json.dumps({**fields, **header}).encode()).rstrip(b"=").decode()
    return f"{head}.{body}."


def test_forged_tokens_are_refused(tokens: Tokens) -> None:
    good = tokens.issue_access(**WHO)
    kid = jwt.get_unverified_header(good)["kid"]
    forged = [
        _unsigned(good, alg="none"),
        _unsigned(good),
        jwt.encode({"sub": "x", "aud": "api"}, "k" * 32, algorithm="HS256", headers={"kid": kid}),
        good[:-4] + "AAAA",
        good.replace(".", ".."),
        "",
        "a.b.c",
        "é.é.é",
        "x" * 100_000,
        _unsigned(good, kid=["list"]),
        _unsigned(good, kid=None),
    ]
    for token in forged:
        with pytest.raises(Unauthorized):
            tokens.verify_access(token)


def test_grants_narrow_feeds() -> None:
    assert GRANTS.may_publish_feed("ultrasound")
    assert not GRANTS.may_publish_feed("theatre")
    assert not GRANTS.may_view("ultrasound")
    assert Grants(publish=["device"]).may_publish_feed("anything")
    assert not Grants(publish=["camera"], feeds=["ultrasound"]).may_publish_feed("ultrasound")
    assert Grants(subscribe=True).may_view("anything")
    assert not Grants(subscribe=True, view=["theatre"]).may_view("ultrasound")


def test_the_key_file_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "tokens.pem"
    first = load_or_create_keys(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    second = load_or_create_keys(path)
    assert key_id(first[0].public_key()) == key_id(second[0].public_key())
    assert [found.name for found in path.parent.iterdir()] == ["tokens.pem"]


def test_a_key_file_others_may_read_or_without_a_key_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "tokens.pem"
    load_or_create_keys(path)
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        load_or_create_keys(path)
    path.chmod(0o600)
    path.write_text("nothing")
    with pytest.raises(ConfigError, match="Ed25519"):
        load_or_create_keys(path)


def test_tokens_last_as_long_as_the_service_says() -> None:
    clock = FakeClock()
    tokens = Tokens([Ed25519PrivateKey.generate()], clock, Revocations(), access_s=20, room_s=30)
    access = tokens.verify_access(tokens.issue_access(**WHO))
    room = tokens.verify_room(tokens.issue_room(**ROOM))
    assert (access.exp - access.iat, room.exp - room.iat) == (20, 30)
