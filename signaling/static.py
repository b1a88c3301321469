"""Serves the built web client: hashed assets for ever, pages always fresh, precompressed where possible."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from aiohttp import web

from core.config import Settings
from core.errors import NotFound

_PACKAGED: Final = Path(__file__).parent / "static"
_BUILT: Final = Path(__file__).parent.parent / "web_client" / "dist"
_ASSETS: Final = "assets"
"""Vite puts files with a hash in their names here."""
_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".wasm": "application/wasm",
    ".txt": "text/plain; charset=utf-8",
}
"""Only these are served at all: no source maps of other builds, no dot files."""


def find_web_root(settings: Settings) -> Path:
    """The configured directory, else the packaged client, else the one built in the source tree."""
    if settings.web_root is not None:
        return settings.web_root
    return _PACKAGED if (_PACKAGED / "index.html").is_file() else _BUILT


class StaticFiles:
    """Handler of everything no other route takes."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """A file, or the page for a route of the client. Raises `NotFound`."""
        path = await asyncio.to_thread(self._find, request.path)
        if path is None:
            raise NotFound("there is no such page", code="page_not_found")
        headers = {
            "Content-Type": _TYPES[path.suffix],
            "Cache-Control": "no-cache",
            "Vary": "Accept-Encoding",
        }
        if path.is_relative_to(self._root / _ASSETS):
            headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return web.FileResponse(path, headers=headers)

    def _find(self, url_path: str) -> Path | None:
        """The file or page; None also for paths no file system takes."""
        try:
            return self._find_inside(url_path)
        except (OSError, ValueError):
            return None

    def _find_inside(self, url_path: str) -> Path | None:
        """Resolved and checked to lie under the root: neither `..` nor a link leads out of it."""
        path = (self._root / url_path.lstrip("/")).resolve()
        if not path.is_relative_to(self._root):
            return None
        if path.suffix in _TYPES:
            return path if path.is_file() else None
        index = self._root / "index.html"
        is_page = "." not in path.name and not url_path.startswith(f"/{_ASSETS}/")
        return index if (path == self._root or is_page) and index.is_file() else None
