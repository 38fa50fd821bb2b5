"""What the tests of the threads' face share."""

from __future__ import annotations

import contextlib
import inspect
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import websockets.sync.client

import tidewire.sync


@contextlib.contextmanager
def serving(handler: Any, **options: Any) -> Iterator[tuple[tidewire.sync.Server, str]]:
    """A server that runs, and its URL."""
    with tidewire.sync.serve(handler, "127.0.0.1", 0, **options) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server, f"ws://127.0.0.1:{server.socket.getsockname()[1]}/"
        finally:
            server.shutdown()
            thread.join(10)
            assert not thread.is_alive()


def dial(url: str, **options: Any) -> Any:
    """A client of python-websockets."""
    return websockets.sync.client.connect(url, **_as_ever, **options)


def unix_dial(path: str) -> Any:
    return websockets.sync.client.unix_connect(path, **_as_ever)


# From version 17 on it warns where this is not said.
_signature = inspect.signature(websockets.sync.client.connect)
_as_ever: dict[str, Any] = {"legacy": True} if "legacy" in _signature.parameters else {}


def echo(connection: Any) -> None:
    for message in connection:
        connection.send(message)


def flood(peer: Any) -> None:
    """Sends more than anybody takes, until the peer is closed."""
    while True:
        peer.send(bytes(100_000))


def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    """Waits until it holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to this in time"
        time.sleep(0.005)


def ask(port: int, request: str, host: str = "127.0.0.1") -> tuple[str, dict[str, str], bytes]:
    """Sends a request as it stands (`Host` and the empty line are added) and reads to the end: the status line, the
    fields with names in lower case, and the body."""
    with socket.create_connection((host, port), timeout=10) as sock:
        sock.sendall(f"{request}\r\nHost: {host}:{port}\r\n\r\n".encode())
        data = bytearray()
        while piece := sock.recv(65536):
            data += piece
    head, _, body = bytes(data).partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return status, fields, body


class Program:
    """A Python program of its own, `-X dev`; it is killed at the end of `with`."""

    def __init__(self, source: str, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-X", "dev", "-u", "-c", source, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def ended(self, seconds: float) -> tuple[int, str, str]:
        """Its status, and what it still wrote."""
        out, err = self.process.communicate(timeout=seconds)
        # What asyncio's debug mode tells of a machine that is busy.
        err = "".join(line for line in err.splitlines(True) if not line.startswith("Executing <"))
        return self.process.returncode, out, err
