"""A contract per private name of aiortc and aioice that transport/aiortc_private.py relies on.

When one of these fails after an upgrade, that module is what has to change.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
from pathlib import Path
from typing import Any

import aioice
import pytest
from aioice.ice import StunProtocol
from aiortc import RTCCertificate, RTCDtlsTransport
from aiortc.rtcdtlstransport import State
from OpenSSL import SSL

from transport import aiortc_private
from transport.aiortc_private import DatagramPipe

COVERED = {
    "_do_handshake",
    "_local_candidates",
    "_nominated",
    "_protocols",
    "_recv",
    "_role",
    "_send",
    "_set_role",
    "_set_state",
    "_setup_srtp",
    "_srtp_profiles",
    "_ssl",
    "_write_ssl",
}
OWN = {"_add_port", "_in", "_nominated_pair", "_open_port", "_out", "_protocol", "_read_bio", "_record_end"}


def dtls() -> Any:
    pipe: Any = DatagramPipe("controlled", lambda datagram: None)
    return RTCDtlsTransport(pipe, [RTCCertificate.generateCertificate()])


def source_of(name: str) -> str:
    return inspect.getsource(getattr(RTCDtlsTransport, name))


def test_every_private_name_in_use_has_a_contract_here() -> None:
    tree = ast.parse(Path(aiortc_private.__file__).read_text())
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    methods = {
        node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    private = {name for name in attributes | methods if name.startswith("_") and not name.startswith("__")}
    assert private - OWN == COVERED


@pytest.mark.parametrize(
    "path", sorted(Path(aiortc_private.__file__).parent.glob("*.py")), ids=lambda p: p.name
)
def test_no_other_module_imports_what_is_not_public(path: Path) -> None:
    if path.name in ("aiortc_private.py", "stun.py"):
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if (
            isinstance(node, ast.ImportFrom)
            and node.module
            and node.module.split(".")[0] in ("aiortc", "aioice")
        ):
            assert node.module == "aiortc"
            assert not [alias.name for alias in node.names if alias.name.startswith("_")]


async def test_set_role_and_role() -> None:
    transport = dtls()
    transport._set_role("client")
    assert transport._role == "client"


async def test_srtp_profiles_are_what_the_handshake_offers() -> None:
    transport = dtls()
    assert {profile.openssl_profile for profile in transport._srtp_profiles} >= {b"SRTP_AES128_CM_SHA1_80"}
    assert "srtp_profiles=self._srtp_profiles" in source_of("start")


async def test_set_state_reports_by_the_public_event_and_failed_stops_start() -> None:
    transport = dtls()
    seen: list[str] = []
    transport.on("statechange", lambda: seen.append(transport.state))
    transport._set_state(State.FAILED)
    assert seen == ["failed"]
    assert source_of("start").count("self._state == State.FAILED") == 3


async def test_ssl_is_none_before_start_and_has_what_we_call() -> None:
    assert dtls()._ssl is None
    for name in ("set_ciphertext_mtu", "bio_read", "get_selected_srtp_profile", "export_keying_material"):
        assert callable(getattr(SSL.Connection, name))


async def test_do_handshake_runs_after_the_connection_is_made() -> None:
    text = source_of("start")
    assert text.index("self._ssl =") < text.index("await self._do_handshake()")


async def test_setup_srtp_runs_last_and_synchronously() -> None:
    text = source_of("start")
    assert text.index("self._validate_peer_identity(") < text.index("self._setup_srtp()")
    assert not inspect.iscoroutinefunction(RTCDtlsTransport._setup_srtp)


async def test_write_ssl_is_the_only_way_to_the_wire() -> None:
    assert inspect.iscoroutinefunction(RTCDtlsTransport._write_ssl)
    users = [name for name, item in vars(RTCDtlsTransport).items() if inspect.isfunction(item)]
    senders = [name for name in users if "transport._send(" in source_of_any(name)]
    assert sorted(senders) == ["_send_rtp", "_write_ssl"]


def source_of_any(name: str) -> str:
    return inspect.getsource(vars(RTCDtlsTransport)[name])


async def test_recv_and_send_of_the_ice_transport_are_all_that_dtls_uses() -> None:
    text = inspect.getsource(RTCDtlsTransport)
    used = set(re.findall(r"self\.transport\.(\w+)", text))
    assert used == {"_recv", "_send", "role"}


async def test_without_srtp_sessions_media_never_enters_aiortc() -> None:
    assert dtls()._rx_srtp is None
    assert "and self._rx_srtp" in source_of("_recv_next")


async def test_protocols_local_candidates_and_nominated_of_a_connection() -> None:
    connection: Any = aioice.Connection(ice_controlling=True)
    assert connection._protocols == []
    assert connection._local_candidates == []
    assert connection._nominated == {}
    pair = aioice.ice.CandidatePair
    assert isinstance(pair.remote_addr, property)
    assert "self._nominated[pair.component] = pair" in inspect.getsource(aioice.Connection.check_complete)
    await connection.close()


async def test_gathering_and_consent_are_asked_of_the_methods_we_override() -> None:
    gather = inspect.getsource(aioice.Connection.gather_candidates)
    assert "self.get_component_candidates(component=component, addresses=addresses)" in gather
    assert "self.query_consent()" in inspect.getsource(aioice.Connection.connect)


async def test_a_stun_protocol_takes_datagrams_and_closes_through_its_transport() -> None:
    closed: list[bool] = []

    class Transport(asyncio.DatagramTransport):
        def close(self) -> None:
            closed.append(True)
            asyncio.get_running_loop().call_soon(protocol.connection_lost, None)

    connection = aioice.Connection(ice_controlling=True)
    protocol = StunProtocol(connection)
    protocol.connection_made(Transport())
    await asyncio.wait_for(protocol.close(), 5)
    assert closed == [True]
    await connection.close()
