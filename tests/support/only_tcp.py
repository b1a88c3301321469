"""A network that lets nothing through but TCP to a few ports: a Linux namespace, and forwarders.

`OnlyTcp(folder, ports)` serves Unix sockets outside; `command(…)` runs something inside, where 127.0.0.1 has
these ports and nothing else: no UDP, no DNS, no other host. Firefox takes loopback for no way at all: for it
there is an `interface`, and outside all comes from our own address. Inside, this file runs as a program.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import fcntl
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from tests.support.loop_thread import LoopThread
from tests.support.network import own_address

ADDRESS = "10.97.0.1"
GATEWAY = "10.97.0.2"
"""Of the network inside. There is nobody at the gateway, but Firefox uses no interface without a route."""
CHUNK_BYTES = 65_536
SIOCSIFFLAGS = 0x8914
IFF_UP = 1
PR_SET_PDEATHSIG = 1


class OnlyTcp:
    """`with OnlyTcp(folder, [8443, 443]) as network:`; the ports are 127.0.0.1's, outside as inside.

    `interface`: one beside loopback, with `ADDRESS`, under which the ports are, too.
    """

    def __init__(self, folder: Path, ports: Sequence[int], *, interface: bool = False) -> None:
        self._folder, self._ports, self._interface = folder, ports, interface
        self._loop = LoopThread()
        self._servers: list[asyncio.Server] = []

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._loop.__enter__()
        for port in self._ports:
            self._servers.append(self._loop.run(self._serve(port)))
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._servers:
            self._loop.call(server.close)
        self._loop.__exit__()

    def command(self, *arguments: str) -> list[str]:
        """To be run instead of `arguments`, from the repository's root."""
        interface = "interface" if self._interface else ""
        inside = [sys.executable, "-m", "tests.support.only_tcp", str(self._folder)]
        return ["unshare", "-rn", *inside, ",".join(map(str, self._ports)), interface, *arguments]

    def program(self, executable: str) -> Path:
        """A program that runs `executable` inside, with the arguments it is given."""
        script = self._folder / "inside"
        words = " ".join(f"'{word}'" for word in self.command(executable))
        script.write_text(f"#!/bin/sh\ncd '{Path.cwd()}' && exec {words} \"$@\"\n")
        script.chmod(0o700)
        return script

    async def _serve(self, port: int) -> asyncio.Server:
        async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError):
                source = own_address() if self._interface else "127.0.0.1"
                server = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
                await _join(reader, writer, *server)
            writer.close()

        return await asyncio.start_unix_server(converse, self._folder / f"{port}.sock")


async def _join(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    far_reader: asyncio.StreamReader,
    far_writer: asyncio.StreamWriter,
) -> None:
    """Pass everything both ways until one side ends."""
    ways = [asyncio.create_task(_pass(*way)) for way in ((reader, far_writer), (far_reader, writer))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        far_writer.close()
        writer.close()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK_BYTES):
            writer.write(data)
            await writer.drain()


# inside the namespace


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sh", b"lo", IFF_UP))


def _add_interface() -> None:
    """One whose other end leads nowhere."""
    for command in (
        "link add way type veth peer name nowhere",
        f"addr add {ADDRESS}/24 dev way",
        "link set way up",
        "link set nowhere up",
        f"route add default via {GATEWAY} dev way",
    ):
        subprocess.run(["ip", *command.split()], check=True, stdin=subprocess.DEVNULL)


async def _forward(folder: Path, listeners: dict[int, socket.socket]) -> None:
    async def serve(port: int, listener: socket.socket) -> None:
        async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            path = folder / f"{port}.sock"
            with contextlib.suppress(OSError):
                await _join(reader, writer, *await asyncio.open_unix_connection(path))
            writer.close()

        await (await asyncio.start_server(converse, sock=listener)).serve_forever()

    await asyncio.gather(*(serve(port, listener) for port, listener in listeners.items()))


def main(folder: Path, ports: list[int], interface: bool, command: list[str]) -> None:
    """A child forwards while its parent becomes the command, and ends with it."""
    _raise_loopback()
    if interface:
        _add_interface()
    listeners = {port: socket.create_server(("0.0.0.0", port)) for port in ports}
    parent = os.getpid()
    if os.fork():
        os.execvp(command[0], command)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit()
    for descriptor in (3, 4):  # a browser's debugging pipe must close with the browser
        with contextlib.suppress(OSError):
            if descriptor not in [listener.fileno() for listener in listeners.values()]:
                os.close(descriptor)
    asyncio.run(_forward(folder, listeners))


if __name__ == "__main__":
    main(Path(sys.argv[1]), [int(port) for port in sys.argv[2].split(",")], bool(sys.argv[3]), sys.argv[4:])
