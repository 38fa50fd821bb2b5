"""The program in the package, where an interpreter could get in its way.

The end-to-end tests of crates/cli hold the command to everything else (`TIDEWIRE_PROGRAM`)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tidewire._core import __version__

MODULE = [sys.executable, "-m", "tidewire"]
COMMAND = [str(Path(sysconfig.get_path("scripts")) / "tidewire")]
LIMIT = 20


def run(arguments: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*MODULE, *arguments], capture_output=True, text=True, encoding="utf-8", timeout=LIMIT, check=False, **options
    )


@contextmanager
def serve(program: list[str] = MODULE, **options: Any) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A running `tidewire serve` and its URL."""
    server = subprocess.Popen(
        [*program, "serve", "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )
    with server:
        try:
            assert server.stdout is not None
            first = server.stdout.readline()
            assert first.startswith("listening on "), first
            yield server, first.split()[-1]
        finally:
            server.kill()


@pytest.mark.parametrize("program", [MODULE, COMMAND], ids=["module", "command"])
def test_the_program_is_in_the_package(program: list[str]) -> None:
    ran = subprocess.run([*program, "--version"], capture_output=True, text=True, timeout=LIMIT, check=True)
    assert (ran.stdout, ran.stderr) == (f"tidewire {__version__}\n", "")


def test_the_exit_status_is_the_programs() -> None:
    ran = run(["serve", "--port", "none"])
    assert ran.returncode == 2
    assert "Traceback" not in ran.stderr
    assert run([]).returncode == 2
    assert run(["--help"]).returncode == 0


@pytest.mark.parametrize("program", [MODULE, COMMAND], ids=["module", "command"])
def test_ctrl_c_is_heard_by_the_program_alone(program: list[str]) -> None:
    with serve(program) as (server, _):
        server.send_signal(signal.SIGINT)
        stdout, stderr = server.communicate(timeout=LIMIT)
        assert (server.returncode, stderr) == (0, "")
        assert "stopped" in stdout


def test_an_ignored_interrupt_stays_ignored() -> None:
    """As nohup and a shell's `&` have it, until the program asks for it."""
    script = (
        "import signal; from tidewire import __main__, _core;"
        "__main__.run_program = lambda _: print(signal.getsignal(signal.SIGINT).name);"
        "__main__.main()"
    )
    program = [sys.executable, "-c", script]
    for before, expected in [(signal.SIG_IGN, "SIG_IGN"), (signal.SIG_DFL, "SIG_DFL")]:
        ran = subprocess.run(
            program,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=True,
            preexec_fn=lambda before=before: signal.signal(signal.SIGINT, before),
        )
        assert ran.stdout == f"{expected}\n"


def test_echo_goes_through_pipes() -> None:
    with serve() as (_, url):
        assert run(["connect", "-1", url], input="Grüße 🌊\n").stdout == "Grüße 🌊\n"
        bench = run(["bench", "-c", "2", "--duration", "300ms", "--warm-up", "0s", url])
        assert bench.returncode == 0, bench.stderr


def test_a_reader_that_has_gone_is_no_error() -> None:
    ran = subprocess.run(
        f"'{sys.executable}' -m tidewire man serve | head -1; echo ${{PIPESTATUS[0]}}",
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=True,
    )
    assert (ran.stdout.splitlines()[-1], ran.stderr) == ("0", "")


def test_closed_streams_are_empty_ones() -> None:
    with serve() as (_, url):
        ran = run(["connect", "-n", "-x", "hi", "--count", "1", url], stdin=None, preexec_fn=lambda: os.close(0))
        assert (ran.returncode, ran.stdout) == (0, "hi\n"), ran.stderr


def test_arguments_need_not_be_text() -> None:
    ran = subprocess.run([*MODULE, "serve", b"--unix=/nowhere/\xff"], capture_output=True, timeout=LIMIT, check=False)
    assert (ran.returncode, ran.stderr.count(b"\n")) == (1, 1)
    assert b"its folder does not exist" in ran.stderr


def test_other_threads_run_meanwhile() -> None:
    script = """
import os, signal, sys, threading
from tidewire._core import run_program

url, server, go = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
status = []
client = threading.Thread(target=lambda: status.append(run_program(["connect", "-n", url])))
client.start()
os.read(go, 1)
print(client.is_alive(), flush=True)
os.kill(server, signal.SIGTERM)
client.join()
print(status)
"""
    wait, go = os.pipe()
    with serve() as (server, url), open(go, "wb") as gate:
        client = subprocess.Popen(
            [sys.executable, "-c", script, url, str(server.pid), str(wait)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            pass_fds=[wait],
        )
        os.close(wait)
        with client:
            assert server.stdout is not None
            assert any(" open " in line for line in server.stdout)
            gate.close()
            stdout, _ = client.communicate(timeout=LIMIT)
    assert stdout == "True\n[0]\n"
