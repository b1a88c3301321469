"""A real coturn on free ports, with the service's secret; ended by its id."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.certificates import Pair

SECRET = "a secret of the tests alone"
START_WITHIN_S = 15.0
MIN_RELAY_PORT, MAX_RELAY_PORT = 49_152, 65_535


@dataclass(frozen=True)
class Coturn:
    """Where it listens: UDP and TCP on `port`, TLS on `tls_port`."""

    host: str
    port: int
    tls_port: int
    log: Path

    @property
    def _literal(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host

    def url(self, carrier: str) -> str:
        """`carrier`: udp, tcp or tls."""
        if carrier == "tls":
            return f"turns:{self._literal}:{self.tls_port}?transport=tcp"
        return f"turn:{self._literal}:{self.port}?transport={carrier}"


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """Ports free for TCP just now, all different."""
    with contextlib.ExitStack() as stack:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sockets = [stack.enter_context(socket.socket(family, socket.SOCK_STREAM)) for _ in range(count)]
        for sock in sockets:
            sock.bind((host, 0))
        return [int(sock.getsockname()[1]) for sock in sockets]


@contextlib.contextmanager
def coturn(folder: Path, pair: Pair, host: str = "127.0.0.1") -> Iterator[Coturn]:
    """Relays between addresses of this machine, as no server in the field may."""
    executable = shutil.which("turnserver")
    assert executable is not None, "run scripts/install-test-tools"
    port, tls_port = free_ports(2, host)
    running = Coturn(host, port, tls_port, folder / "coturn.log")
    configuration = folder / "turnserver.conf"
    configuration.write_text(
        "\n".join(
            (
                f"listening-ip={host}", f"relay-ip={host}", f"listening-port={port}",
                f"tls-listening-port={tls_port}", f"min-port={MIN_RELAY_PORT}", f"max-port={MAX_RELAY_PORT}",
                "use-auth-secret", f"static-auth-secret={SECRET}", "realm=teleconsult.test", "fingerprint",
                f"cert={pair.cert}", f"pkey={pair.key}", "allow-loopback-peers", "no-cli", "no-dtls",
                f"log-file={running.log}", "simple-log", f"pidfile={folder / 'coturn.pid'}",
                f"userdb={folder / 'coturn.db'}", "verbose",
            )
        )
        + "\n"
    )  # fmt: skip
    process = subprocess.Popen(
        [executable, "-c", str(configuration)], cwd=folder,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _wait_for(running, process)
        yield running
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        if process.poll() is None:
            process.kill()
            process.wait()


def _wait_for(server: Coturn, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_WITHIN_S
    while time.monotonic() < deadline:
        assert process.poll() is None, (
            server.log.read_text() if server.log.exists() else "coturn did not start"
        )
        with contextlib.suppress(OSError), socket.create_connection((server.host, server.tls_port), 1):
            return
        time.sleep(0.05)
    raise AssertionError(f"coturn does not listen: {server.log.read_text()}")
