"""Firefox as a specialist's computer has it: headless, driven by `web_client/e2e/firefox-driver.mjs`."""

from __future__ import annotations

import contextlib
import itertools
import json
import queue
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

EXECUTABLE = "/usr/bin/firefox-esr"
DRIVER = Path(__file__).parents[2] / "web_client" / "e2e" / "firefox-driver.mjs"
START_WITHIN_S = 60.0
ACT_WITHIN_S = 30.0
END_WITHIN_S = 15.0


class Firefox:
    """One running Firefox. `with firefox() as browser: page = browser.open()`.

    `profile`: an existing folder instead of a new one; `preferences`: besides the driver's; `inside`: what to
    run instead of a command, as `OnlyTcp.command` says it.
    """

    def __init__(
        self,
        *,
        profile: Path | None = None,
        preferences: Mapping[str, Any] | None = None,
        inside: Callable[..., list[str]] = lambda *command: list(command),
    ) -> None:
        options = (str(profile or ""), json.dumps(dict(preferences or {})))
        self._process = subprocess.Popen(
            inside("node", str(DRIVER), EXECUTABLE, *options),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answers: queue.Queue[dict[str, Any] | None] = queue.Queue(1000)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._numbers = itertools.count(1)
        self.version = str(self._answer(0, START_WITHIN_S))

    def ask(self, action: str, within_s: float = ACT_WITHIN_S, **details: Any) -> Any:
        """Do one thing; its result. Raises `AssertionError` with the browser's words."""
        number = next(self._numbers)
        request = {"id": number, "do": action, "within_ms": int(within_s * 1000)} | details
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._answer(number, within_s + 5)

    def open(self, *, script: str | None = None, width: int = 1440, height: int = 900) -> FirefoxPage:
        """A page in a profile of its own; `script` runs in every document before its own scripts."""
        name = f"page-{next(self._numbers)}"
        details: dict[str, Any] = {"width": width, "height": height} | ({"script": script} if script else {})
        self.ask("open", page=name, **details)
        return FirefoxPage(self, name)

    def close(self) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(END_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise AssertionError("Firefox did not end") from None
        finally:
            self._reader.join(END_WITHIN_S)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._answers.put(json.loads(line))
        self._answers.put(None)

    def _answer(self, number: int, within_s: float) -> Any:
        until = time.monotonic() + within_s
        while True:
            try:
                answer = self._answers.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"Firefox did not answer within {within_s} s") from None
            assert answer is not None, "Firefox ended"
            if answer["id"] == number:
                assert "error" not in answer, answer["error"]
                return answer["value"]


@dataclass(frozen=True)
class FirefoxPage:
    """One page; test ids name what is acted on."""

    browser: Firefox
    name: str

    def goto(self, url: str) -> None:
        self.browser.ask("goto", page=self.name, url=url)

    def fill(self, testid: str, value: str) -> None:
        self.browser.ask("fill", page=self.name, testid=testid, value=value)

    def click(self, testid: str, within_s: float = ACT_WITHIN_S) -> None:
        self.browser.ask("click", within_s, page=self.name, testid=testid)

    def see(self, testid: str, within_s: float = ACT_WITHIN_S) -> None:
        """Waits until it is visible."""
        self.browser.ask("see", within_s, page=self.name, testid=testid)

    def press(self, key: str) -> None:
        self.browser.ask("press", page=self.name, key=key)

    def texts(self, testid: str) -> list[str]:
        """What all elements of that test id say."""
        found: list[str] = self.browser.ask("text", page=self.name, testid=testid)
        return found

    def evaluate(self, expression: str) -> Any:
        return self.browser.ask("evaluate", page=self.name, expression=expression)

    def screenshot(self, path: Path) -> None:
        self.browser.ask("screenshot", page=self.name, path=str(path))

    def wait_until(self, look: Callable[[FirefoxPage], Any], within_s: float, what: str) -> Any:
        """Ask again and again until `look` finds something."""
        until = time.monotonic() + within_s
        while not (found := look(self)):
            assert time.monotonic() < until, f"{what}: not within {within_s} s"
            time.sleep(0.1)
        return found

    def stats(self) -> dict[str, Any]:
        found: dict[str, Any] = self.evaluate("window.teleconsult.stats()")
        return found

    def close(self) -> None:
        self.browser.ask("close", page=self.name)


@contextlib.contextmanager
def firefox(**options: Any) -> Iterator[Firefox]:
    """One headless Firefox, ended with everything it started; `options`: of `Firefox`."""
    running = Firefox(**options)
    try:
        yield running
    finally:
        running.close()
