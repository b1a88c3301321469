"""An archive in an S3-compatible store, through `obstore`.

Failures are `OSError`s that name the store's URL and the reason, never a header, a key or an answer's text.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from archive import layout
from archive.log_records import FOLDER
from archive.store_base import BLOCK_BYTES, OBJECT_FOLDERS, StoreError, split_lines
from archive.store_sign import Credentials

if TYPE_CHECKING:  # they exist for the type checker only
    from obstore.store import ClientConfig, RetryConfig, S3Config

CONNECT_WITHIN: Final = timedelta(seconds=5)
ANSWER_WITHIN: Final = timedelta(seconds=60)
RETRY_WITHIN: Final = timedelta(seconds=10)
MAX_RETRIES: Final = 2
S3_URL: Final = r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9._/-]*)?$"
_STATUS: Final = re.compile(r"\b([45]\d\d) [A-Z]")
_CODE: Final = re.compile(r"<Code>([A-Za-z]{1,60})</Code>")


@dataclass(frozen=True, slots=True)
class S3Access:
    """Which store, and how to get in. `endpoint`: None for AWS itself; `ca_file`: whom to trust for it."""

    url: str
    credentials: Credentials = field(repr=False)
    endpoint: str | None = None
    region: str = "us-east-1"
    ca_file: Path | None = None

    @property
    def bucket(self) -> str:
        return urlsplit(self.url).netloc

    @property
    def prefix(self) -> str:
        """Without slashes at its ends."""
        return urlsplit(self.url).path.strip("/")

    @property
    def endpoint_or_aws(self) -> str:
        return self.endpoint or f"https://s3.{self.region}.amazonaws.com"


class S3Archive:
    """All consultations below one URL."""

    def __init__(self, access: S3Access) -> None:
        """Raises `OSError` when the authority's file cannot be read."""
        self.access = access
        self.place = f"s3://{access.bucket}/{access.prefix}".rstrip("/")
        self.store = _open(access)

    def folder(self, name: str) -> S3Folder:
        return S3Folder(self, name)

    def names(self) -> list[str]:
        with self.errors():
            found = obstore.list_with_delimiter(self.store)["common_prefixes"]
        names = (prefix.strip("/").rpartition("/")[2] for prefix in found)
        return sorted(
            name for name in names if name != FOLDER and re.match(layout.CONSULTATION_PATTERN, name)
        )

    def read_root(self, name: str) -> bytes | None:
        try:
            return self.read(name)
        except FileNotFoundError:
            return None

    def write_root(self, name: str, data: bytes) -> None:
        self.write(name, data)

    def read(self, key: str) -> bytes:
        with self.errors():
            return bytes(obstore.get(self.store, key).bytes())

    def write(self, key: str, data: bytes) -> None:
        """Whole or not at all; the store compares what arrives with its SHA-256."""
        with self.errors():
            obstore.put(self.store, key, data, use_multipart=False)

    def sizes(self, prefix: str) -> dict[str, int]:
        """Every key below `prefix` (relative to it) and its size."""
        with self.errors():
            found = [meta for page in obstore.list(self.store, f"{prefix}/") for meta in page]
        start = f"{prefix}/"
        return {meta["path"].partition(start)[2]: meta["size"] for meta in found}

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        """What the library raises → `OSError`, without the answer's text."""
        try:
            yield
        except FileNotFoundError:
            raise FileNotFoundError(errno.ENOENT, "no such object", self.place) from None
        except (BaseError, ValueError, OSError) as error:
            raise StoreError(self.place, reason_of(str(error))) from None


class S3Folder:
    """One consultation's objects in a store."""

    copied = True

    def __init__(self, archive: S3Archive, name: str) -> None:
        self.archive = archive
        self.name = name

    @property
    def place(self) -> str:
        return f"{self.archive.place}/{self.name}"

    def objects(self) -> list[str]:
        found = self.archive.sizes(self.name)
        return sorted(path for path in found if path.startswith(OBJECT_FOLDERS))

    def has(self, path: str) -> bool:
        try:
            self.size(path)
        except FileNotFoundError:
            return False
        return True

    def size(self, path: str) -> int:
        with self.archive.errors():
            return int(obstore.head(self.archive.store, self._key(path))["size"])

    def read(self, path: str) -> bytes:
        return self.archive.read(self._key(path))

    def read_range(self, path: str, begin: int, length: int) -> bytes:
        if length <= 0:
            return b""
        length = min(length, self.size(path) - begin)
        if length <= 0:
            return b""
        with self.archive.errors():
            return bytes(obstore.get_range(self.archive.store, self._key(path), start=begin, length=length))

    def hash(self, path: str) -> tuple[str, int]:
        digest, size = hashlib.sha256(), 0
        for block in self._blocks(path):
            digest.update(block)
            size += len(block)
        return digest.hexdigest(), size

    def lines(self, path: str) -> Iterator[bytes]:
        yield from split_lines(self._blocks(path))

    def write(self, path: str, data: bytes) -> None:
        self.archive.write(self._key(path), data)

    def _blocks(self, path: str) -> Iterator[bytes]:
        with self.archive.errors():
            stream = obstore.get(self.archive.store, self._key(path)).stream(min_chunk_size=BLOCK_BYTES)
            for block in stream:
                yield bytes(block)

    def _key(self, path: str) -> str:
        return f"{self.name}/{path}"


def _open(access: S3Access) -> S3Store:
    config: S3Config = {
        "endpoint": access.endpoint_or_aws,
        "region": access.region,
        "access_key_id": access.credentials.key_id,
        "secret_access_key": access.credentials.secret,
        "checksum_algorithm": "SHA256",
    }
    if access.credentials.session_token is not None:
        config["session_token"] = access.credentials.session_token
    options: ClientConfig = {"connect_timeout": CONNECT_WITHIN, "timeout": ANSWER_WITHIN}
    if access.endpoint_or_aws.startswith("http://"):
        options["allow_http"] = True
    if access.ca_file is not None:
        options["root_certificate"] = access.ca_file.read_text(encoding="ascii")
    retry: RetryConfig = {"max_retries": MAX_RETRIES, "retry_timeout": RETRY_WITHIN}
    prefix = access.prefix or None
    return S3Store(access.bucket, prefix=prefix, config=config, client_options=options, retry_config=retry)


def reason_of(text: str) -> str:
    """Why a request failed, from the library's message: its code and status, and nothing else of it."""
    status, code = _STATUS.search(text), _CODE.search(text)
    if status is None:
        return "the store does not answer"
    return f"the store refuses: {code[1] if code else 'HTTP'} ({status[1]})"
