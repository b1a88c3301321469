"""Removing an object from an S3-compatible store for good: with every older version the store has kept.

Deleting in a bucket with versions only puts a marker on top; a key that must be destroyed needs each version
deleted by its id.
"""

from __future__ import annotations

import http.client
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit
from xml.etree import ElementTree

from archive.store_base import StoreError
from archive.store_s3 import S3Access
from archive.store_sign import query_string, quote, sign

TIMEOUT_S: Final = 30.0
MAX_ANSWER_BYTES: Final = 8 << 20
MAX_PAGES: Final = 1_000
_NO_VERSIONS: Final = frozenset({405, 501})
"""A store that answers so keeps none."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of one object; a delete marker is one, too."""

    key: str
    version_id: str


class VersionedStore:
    """Raises `StoreError` for whatever the store refuses."""

    def __init__(self, access: S3Access) -> None:
        self._access = access
        parts = urlsplit(access.endpoint_or_aws)
        self._host, self._secure = parts.netloc, parts.scheme == "https"
        self._base = parts.path.rstrip("/")
        self._trust = ssl.create_default_context(cafile=access.ca_file) if self._secure else None

    def destroy(self, keys: list[str]) -> int:
        """Delete objects with all their versions; returns how many were deleted. `keys` are relative to the
        archive's URL. Nothing is left when this returns.
        """
        count = 0
        for key in keys:
            full = f"{self._access.prefix}/{key}".lstrip("/")
            for version in self.versions(full):
                self._request("DELETE", full, {"versionId": version.version_id}, (200, 204, 404))
                count += 1
            if self._request("HEAD", full, {}, (200, 404))[0] == 200:  # versions are off, or suspended
                self._request("DELETE", full, {}, (200, 204, 404))
                count += 1
            if self._request("HEAD", full, {}, (200, 404))[0] == 200 or self.versions(full):
                raise StoreError(self._place, f"{key} is still there after it was deleted")
        return count

    def versions(self, key: str) -> list[Version]:
        """Every version and delete marker of exactly `key`; none where the store has no versions."""
        found: list[Version] = []
        query = {"versions": "", "prefix": key}
        for _ in range(MAX_PAGES):
            status, body = self._request("GET", "", query, (200, *_NO_VERSIONS))
            if status in _NO_VERSIONS:
                return []
            page = _parse(body, self._place)
            found += [item for item in _versions(page) if item.key == key]
            if _text(page, "IsTruncated") != "true":
                return found
            query["key-marker"] = _text(page, "NextKeyMarker")
            query["version-id-marker"] = _text(page, "NextVersionIdMarker")
        raise StoreError(self._place, "the list of versions does not end")

    @property
    def _place(self) -> str:
        return self._access.url

    def _request(
        self, method: str, key: str, query: Mapping[str, str], expected: tuple[int, ...]
    ) -> tuple[int, bytes]:
        path = f"{self._base}/{self._access.bucket}" + (f"/{key}" if key else "")
        moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        headers = sign(
            method,
            self._host,
            path,
            query,
            region=self._access.region,
            credentials=self._access.credentials,
            moment=moment,
        )
        target = quote(path, keep_slash=True) + (f"?{query_string(query)}" if query else "")
        try:
            status, body = self._exchange(method, target, headers)
        except (OSError, http.client.HTTPException):
            raise StoreError(self._place, "the store does not answer") from None
        if status not in expected:
            code = re.search(rb"<Code>([A-Za-z]{1,60})</Code>", body)
            raise StoreError(
                self._place, f"the store refuses: {code[1].decode() if code else 'HTTP'} ({status})"
            )
        return status, body

    def _exchange(self, method: str, target: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
        connection: http.client.HTTPConnection
        if self._trust is not None:
            connection = http.client.HTTPSConnection(self._host, timeout=TIMEOUT_S, context=self._trust)
        else:
            connection = http.client.HTTPConnection(self._host, timeout=TIMEOUT_S)
        try:
            connection.request(method, target, headers=dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.read(MAX_ANSWER_BYTES)
        finally:
            connection.close()


def _parse(body: bytes, place: str) -> ElementTree.Element:
    """An answer without entities: nothing in it can be made to grow."""
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise StoreError(place, "the list of versions cannot be read")
    try:
        return ElementTree.fromstring(body)  # noqa: S314  bounded, and entities were refused above
    except ElementTree.ParseError:
        raise StoreError(place, "the list of versions cannot be read") from None


def _versions(page: ElementTree.Element) -> list[Version]:
    tops = [item for item in page if item.tag.rpartition("}")[2] in ("Version", "DeleteMarker")]
    return [Version(_text(item, "Key"), _text(item, "VersionId")) for item in tops]


def _text(element: ElementTree.Element, name: str) -> str:
    for child in element:
        if child.tag.rpartition("}")[2] == name:
            return child.text or ""
    return ""
