"""Sends archives to the configured store while they grow, and catches up after whatever went wrong.

One task, one consultation after the other, in a thread: recording never waits for it. What happens is in the
log, and in `<archive_dir>/.upload/status.json` for whoever watches the service.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import structlog

from archive import layout, store
from archive.log_copy import LogCopy
from archive.log_records import FOLDER, TRUSTED_LOGS
from archive.store_base import StoreError, is_consultation
from archive.store_open import store_of
from archive.store_s3 import S3Archive
from archive.upload import STATE_DIRECTORY, ConsultationUpload
from core.clock import NS_PER_S, NS_PER_US, Clock
from core.config import Settings
from core.errors import ConfigError

PAUSE_S: Final = 1.0
FIRST_RETRY_S: Final = 1.0
LONGEST_RETRY_S: Final = 60.0
LOOK_AGAIN_NS: Final = 30 * NS_PER_S
"""Consultations whose copy is whole: their decisions may grow, and their time here may be over."""
STATUS_FILE: Final = "status.json"

log = structlog.get_logger()


@dataclass(frozen=True)
class UploadStatus:
    """`failing_since_us`: None while the store works. `behind_us`: since when the oldest it lacks waits."""

    place: str
    failing_since_us: int | None = None
    reason: str = ""
    waiting: int = 0
    behind_us: int | None = None


class Uploader:
    """Give it a store; `run` it beside the recorder."""

    def __init__(self, root: Path, far: S3Archive, clock: Clock, local_days: int | None = None) -> None:
        self._root, self._far, self._clock = root, far, clock
        self._local_days = local_days
        self._uploads: dict[str, ConsultationUpload] = {}
        self._behind: dict[str, int] = {}
        self._log = LogCopy(root / FOLDER, far, clock)
        self._looked_ns: int | None = None
        self._retry_s = FIRST_RETRY_S
        self._sent_root: dict[str, bytes] = {}
        self.status = UploadStatus(far.place)

    async def run(self, stopping: asyncio.Event) -> None:
        """Until `stopping` is set; what is on its way then is sent again after the next start."""
        log.info("upload.begins", place=self._far.place)
        self._write_status()
        while not stopping.is_set():
            pause_s = await asyncio.to_thread(self.round)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await stopping.wait()

    def round(self) -> float:
        """One step of every consultation that needs one; returns how long to wait before the next round."""
        try:
            more = self._work()
        except Exception as error:
            self._failed(error)
            delay_s = self._retry_s * (0.5 + random.random() / 2)  # noqa: S311 - spreads load, hides nothing
            self._retry_s = min(self._retry_s * 2, LONGEST_RETRY_S)
            return delay_s
        self._worked()
        return 0.0 if more else PAUSE_S

    def _work(self) -> bool:
        again = self._look_again()
        more = False
        trouble: OSError | None = None
        self._send_root()
        try:
            more |= self._log.step(self._lines_there)  # first: it says which copies may begin
        except StoreError:
            raise
        except OSError as error:
            trouble = error
        for upload in self._in_turn(again):
            try:
                if upload.begun or self._log.admits(upload.name):
                    more |= self._step(upload)
            except StoreError:
                raise
            except OSError as error:  # something here, with this one: the others go on
                trouble = trouble or error
        if trouble is not None:
            raise trouble
        if again:
            self._looked_ns = self._clock.monotonic_ns()
        return more

    def _in_turn(self, again: bool) -> Iterator[ConsultationUpload]:
        for name in sorted(os.listdir(self._root)):
            upload = self._upload_of(name)
            if upload is not None and (again or not upload.done):
                yield upload

    def _upload_of(self, name: str) -> ConsultationUpload | None:
        if name not in self._uploads:
            if not is_consultation(self._root / name):
                return None
            self._uploads[name] = ConsultationUpload(self._root, name, self._far, self._clock)
        return self._uploads[name]

    def _lines_there(self, consultation: str) -> int:
        upload = self._upload_of(consultation)
        return 0 if upload is None else upload.lines

    def _look_again(self) -> bool:
        return self._looked_ns is None or self._clock.monotonic_ns() - self._looked_ns >= LOOK_AGAIN_NS

    def _step(self, upload: ConsultationUpload) -> bool:
        whole = upload.done
        step = upload.step()
        if step.behind_us is None:
            self._behind.pop(upload.name, None)
        else:
            self._behind[upload.name] = step.behind_us
        if upload.done and not whole:
            log.info("upload.complete", consultation=upload.name)
        if self._local_days is not None and (removed := upload.prune(self._local_days)):
            log.info("upload.local_objects_removed", consultation=upload.name, objects=removed)
        return step.more

    def _send_root(self) -> None:
        """The lists of whom to trust: for convenience there as here."""
        for name in (layout.TRUSTED_SIGNERS, layout.TRUSTED_PEOPLE, TRUSTED_LOGS):
            data = store.read_optional(self._root / name)
            if data is not None and data != self._sent_root.get(name):
                self._far.write_root(name, data)
                self._sent_root[name] = data

    def _failed(self, error: Exception) -> None:
        known = isinstance(error, OSError)
        reason = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
        since_us = self.status.failing_since_us
        if since_us is None:
            since_us = self._clock.unix_ns() // NS_PER_US
            log.error("upload.failing", place=self._far.place, reason=reason, exc_info=not known)
        self._set_status(UploadStatus(self._far.place, since_us, reason, len(self._behind), self._oldest()))

    def _worked(self) -> None:
        self._retry_s = FIRST_RETRY_S
        if self.status.failing_since_us is not None:
            log.info("upload.works_again", place=self._far.place, waiting=len(self._behind))
        self._set_status(UploadStatus(self._far.place, None, "", len(self._behind), self._oldest()))

    def _oldest(self) -> int | None:
        return min(self._behind.values(), default=None)

    def _set_status(self, status: UploadStatus) -> None:
        if status != self.status:
            self.status = status
            self._write_status()

    def _write_status(self) -> None:
        """Not being able to say so must not end the upload."""
        with contextlib.suppress(OSError):
            directory = self._root / STATE_DIRECTORY
            directory.mkdir(parents=True, exist_ok=True)
            store.write_whole(directory / STATUS_FILE, json.dumps(asdict(self.status)).encode())


@contextlib.asynccontextmanager
async def uploading(settings: Settings, stopping: asyncio.Event, clock: Clock) -> AsyncIterator[None]:
    """Upload as configured meanwhile; nothing without a store. A wrong configuration is said, and recording
    goes on: what is recorded is on this machine.
    """
    try:
        far = store_of(settings)
    except ConfigError as error:
        log.error("upload.not_possible", reason=str(error))
        far = None
    if far is None:
        yield
        return
    uploader = Uploader(settings.archive_dir, far, clock, settings.archive_local_days)
    task = asyncio.create_task(uploader.run(stopping))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
