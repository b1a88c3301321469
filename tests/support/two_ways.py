"""Two Linux networks joined by ways that can appear and disappear: a server's, and that of a person or a box.

Both are namespaces of a user namespace of our own, so it takes no privileges. Inside the far one a way is an
interface with a route to the server; the one added first is preferred while it is there.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Self

SERVER = "10.99.0.1"
CLONE_NEWNET = 0x40000000
START_WITHIN_S = 20.0


class TwoWays:
    """`with TwoWays() as networks:`; `near(…)` and `far(…)` make commands run in one of the two."""

    def __init__(self) -> None:
        self._added = 0
        self._devices: dict[str, str] = {}
        self.present: dict[str, str] = {}
        """Far address → name of the way, of those that are there."""
        self._keeper: subprocess.Popen[str]
        self._near = self._far = 0

    def __enter__(self) -> Self:
        self._keeper = subprocess.Popen(
            ["unshare", "-rn", sys.executable, "-m", "tests.support.two_ways"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._keeper.stdout is not None
        self._near, self._far = map(int, self._keeper.stdout.readline().split())
        return self

    def __exit__(self, *_: object) -> None:
        """The namespaces end with whoever is in them."""
        assert self._keeper.stdin is not None
        self._keeper.stdin.close()
        self._keeper.wait(START_WITHIN_S)

    def near(self, *arguments: str) -> list[str]:
        """To be run beside the server instead of `arguments`."""
        return _inside(self._near, arguments)

    def far(self, *arguments: str) -> list[str]:
        """To be run beyond the ways."""
        return _inside(self._far, arguments)

    def program(self, folder: Path, executable: str, *, far: bool) -> Path:
        """A program that runs `executable` there, with the arguments it is given."""
        folder.mkdir(parents=True, exist_ok=True)
        script = folder / ("far" if far else "near")
        words = " ".join(f"'{word}'" for word in (self.far if far else self.near)(executable))
        script.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        script.chmod(0o700)
        return script

    def add(self, name: str) -> None:
        """A way appears, and is the last resort."""
        self._added += 1
        number, subnet = self._added, f"10.98.{self._added}"
        near, far = f"near{number}", f"{name}{number}"
        self._ip(near=f"link add {near} type veth peer name {far} netns {self._far}")
        self._ip(near=f"addr add {subnet}.1/24 dev {near}")
        self._ip(near=f"link set {near} addrgenmode none up")
        self._ip(far=f"addr add {subnet}.2/24 dev {far}")
        self._ip(far=f"link set {far} addrgenmode none up")
        self._ip(far=f"route add default via {subnet}.1 dev {far} metric {100 * number}")
        self.present[f"{subnet}.2"] = name
        self._devices[name] = far

    def remove(self, name: str) -> None:
        """The interface is unplugged: its addresses and routes are gone, and nobody is told."""
        self.present = {address: other for address, other in self.present.items() if other != name}
        self._ip(far=f"link del {self._devices.pop(name)}")

    def _ip(self, near: str = "", far: str = "") -> None:
        command = self.near("ip", *near.split()) if near else self.far("ip", *far.split())
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def _inside(process: int, arguments: Sequence[str]) -> list[str]:
    return ["nsenter", "-t", str(process), "-U", "-n", "--preserve-credentials", *arguments]


# inside the namespace


def _keep() -> None:
    """Be the server's network; a child is the other one. Both are there until the input ends."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "no network namespace")
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        os.write(writing, b"1")
    else:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        subprocess.run(["ip", "addr", "add", f"{SERVER}/32", "dev", "lo"], check=True)
        os.read(reading, 1)
        print(os.getpid(), child, flush=True)
    sys.stdin.read()
    if child:
        os.waitpid(child, 0)


if __name__ == "__main__":
    _keep()
