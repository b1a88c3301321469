"""The process: ports, certificates, the end."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from core.config import Settings
from core.errors import ConfigError
from signaling.main import run


def _certificate(directory: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = directory / "cert.pem", directory / "key.pem"
    cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    key_file.chmod(0o600)
    return cert_file, key_file


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _answer(url: str, **options: object) -> tuple[int, str | None]:
    """Ask until somebody answers."""
    async with asyncio.timeout(20), aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(url, **options) as response:  # type: ignore[arg-type]  # ssl=
                    return response.status, response.headers.get("Strict-Transport-Security")
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.02)


async def test_it_serves_until_sigterm_and_frees_its_port(tmp_path: Path) -> None:
    port = _free_port()
    settings = Settings(data_dir=tmp_path, port=port).resolve_paths()
    running = asyncio.create_task(run(settings, []))
    assert await _answer(f"http://127.0.0.1:{port}/healthz") == (200, None)
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(running, 10)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))


async def test_with_a_certificate_it_speaks_tls_and_says_so(tmp_path: Path) -> None:
    certificate, key = _certificate(tmp_path)
    port = _free_port()
    settings = Settings(data_dir=tmp_path, port=port, tls_cert=certificate, tls_key=key).resolve_paths()
    running = asyncio.create_task(run(settings, []))
    trust = ssl.create_default_context(cafile=certificate)
    status, hsts = await _answer(f"https://127.0.0.1:{port}/healthz", ssl=trust)
    assert status == 200
    assert hsts is not None
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(running, 10)


async def test_a_port_in_use_or_a_bad_certificate_is_a_configuration_error(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(ConfigError, match="--port"):
            await run(Settings(data_dir=tmp_path, port=port).resolve_paths(), [])
    (tmp_path / "bad.pem").write_text("nothing")
    bad = {"tls_cert": tmp_path / "bad.pem", "tls_key": tmp_path / "bad.pem"}
    with pytest.raises(ConfigError, match="tls_cert"):
        await run(Settings(data_dir=tmp_path, port=0, **bad).resolve_paths(), [])
