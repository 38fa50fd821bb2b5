"""Running the programs of `python/examples`, as they stand there but for the port."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Optional

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"

PORT = "9876"
"""The port of the documentation; programs run with a free one in its place."""

LIMIT = 20.0


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def copied(example: str, to: Path, port: int) -> Path:
    """The folder of an example, with this port in its files."""
    folder = to / example
    shutil.copytree(EXAMPLES / example, folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in folder.rglob("*"):
        if file.suffix in (".py", ".html", ".js"):
            file.write_text(file.read_text("utf-8").replace(PORT, str(port)), "utf-8")
    return folder


class Program:
    """A program that runs, in development mode where every warning is an error. It is killed at the end of `with`."""

    def __init__(self, folder: Path, *arguments: str, development: bool = True, **environment: str) -> None:
        flags = ["-X", "dev", "-W", "error"] if development else []
        self.process = subprocess.Popen(
            [sys.executable, "-u", *flags, *arguments],
            cwd=folder,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._data = bytearray()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self._thread.join(LIMIT)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with contextlib.suppress(ValueError):
            while piece := self.process.stdout.read1(65536):  # type: ignore[attr-defined]
                self._data += piece

    @property
    def output(self) -> str:
        """What it has written, without the lines of a loop in development mode that tell of slow turns."""
        return re.sub(r"^Executing <.* seconds\n", "", self._data.decode(), flags=re.MULTILINE)

    def says(self, text: str) -> None:
        """Waits until it has written this."""
        deadline = time.monotonic() + LIMIT
        while text not in self.output:
            assert time.monotonic() < deadline, f"{text!r} did not come: {self.output}"
            assert self._thread.is_alive() or text in self.output, f"it ended without {text!r}: {self.output}"
            time.sleep(0.01)

    def listens(self, port: int) -> None:
        """Waits until it accepts connections."""
        wait_for(port, self)

    def ended(self, by: Optional[signal.Signals] = None, seconds: float = LIMIT) -> int:
        """Its exit status, after this signal."""
        if by is not None:
            self.process.send_signal(by)
        status = self.process.wait(seconds)
        self._thread.join(LIMIT)
        return status


def begun(folder: Path, port: int, *arguments: str, **options: Any) -> Program:
    """A program that listens."""
    program = Program(folder, *arguments, **options)
    try:
        program.listens(port)
    except BaseException:
        program.__exit__()
        raise
    return program


def wait_for(port: int, program: Optional[Program] = None) -> None:
    """Waits until somebody accepts connections."""
    deadline = time.monotonic() + LIMIT
    while True:
        with contextlib.suppress(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), 5).close()
            return
        told = "" if program is None else program.output
        assert program is None or program.process.poll() is None, f"it ended: {told}"
        assert time.monotonic() < deadline, f"nobody listens: {told}"
        time.sleep(0.02)
