"""edge 65: blocked loops, other threads and loops, forks, Ctrl-C, and the end of the interpreter."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import pytest
import websockets.asyncio.client as peers
from loops import LOOPS, echo, on_loops, run, serving

import tidewire

PREAMBLE = """
import asyncio, gc, os, signal, sys, threading, time
import tidewire
async def echo(connection):
    async for message in connection:
        await connection.send(message)
def say(*words):
    print(*words, flush=True)
def url_of(server):
    return f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
def run(main):
    if sys.argv[1] == "uvloop":
        import uvloop
        return uvloop.run(main)
    return asyncio.run(main)
"""


def program(source: str, *arguments: str, kill: Any = None, seconds: float = 15) -> tuple[int, str, str]:
    """Runs a program of its own in -X dev: status, what it said, what it complained of. `kill`: a signal that it is sent
    once it has said its first line."""
    process = subprocess.Popen(
        [sys.executable, "-X", "dev", "-c", PREAMBLE + source, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        first = ""
        if kill is not None:
            assert process.stdout is not None
            first = process.stdout.readline()
            process.send_signal(kill)
        out, errors = process.communicate(timeout=seconds)
        return process.returncode, first + out, errors
    finally:
        process.kill()
        process.wait()


both = pytest.mark.parametrize("loop", list(LOOPS))


@both
def test_the_interpreter_ends_with_live_connections(loop: str) -> None:
    status, out, errors = program(
        """
async def main():
    server = await tidewire.serve(echo, "127.0.0.1", 0)
    client = await tidewire.connect(url_of(server))
    await client.send("x")
    say(await client.recv())
    asyncio.ensure_future(client.recv())
    await asyncio.sleep(0.01)
run(main())
say("end")
""",
        loop,
    )
    assert (status, out) == (0, "x\nend\n"), errors
    assert "Traceback" not in errors
    assert "panicked" not in errors


@both
def test_a_loop_is_closed_and_another_one_follows(loop: str) -> None:
    status, out, errors = program(
        """
kept = []
async def main():
    server = await tidewire.serve(echo, "127.0.0.1", 0)
    client = await tidewire.connect(url_of(server))
    kept.append((server, client))
    await client.send("x")
    say(await client.recv())
for _ in range(3):
    run(main())
async def other():
    server, client = kept[0]
    for call in (client.recv, client.wait_closed, client.ping):
        try:
            await asyncio.wait_for(call(), 2)
        except asyncio.TimeoutError:
            say("hangs", call)
        except Exception as error:
            say(type(error).__name__)
run(other())
gc.collect()
say("end")
""",
        loop,
    )
    assert status == 0, errors
    assert "hangs" not in out
    assert out.startswith("x\nx\nx\n")
    assert out.endswith("end\n")
    assert "panicked" not in errors


@both
def test_ctrl_c_ends_a_server_at_once(loop: str) -> None:
    began = time.monotonic()
    status, out, errors = program(
        """
async def handler(connection):
    await asyncio.sleep(60)
async def main():
    async with tidewire.serve(handler, "127.0.0.1", 0) as server:
        client = await tidewire.connect(url_of(server))
        say("listens")
        await server.serve_forever()
try:
    run(main())
except KeyboardInterrupt:
    say("interrupted")
""",
        loop,
        kill=signal.SIGINT,
    )
    assert (status, out) == (0, "listens\ninterrupted\n"), errors
    assert time.monotonic() - began < 10
    assert "Traceback" not in errors


@both
def test_sigterm_ends_a_server_gracefully(loop: str) -> None:
    status, out, errors = program(
        """
async def main():
    async with tidewire.serve(echo, "127.0.0.1", 0) as server:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.close)
        client = await tidewire.connect(url_of(server))
        say("listens")
        await server.wait_closed()
        await client.wait_closed()
        say(client.close_code)
run(main())
""",
        loop,
        kill=signal.SIGTERM,
    )
    assert (status, out, errors) == (0, "listens\n1001\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@both
def test_a_fork_does_not_disturb_its_parent(loop: str) -> None:
    """The child may serve on a loop of its own; the parent's connections go on."""
    status, out, errors = program(
        """
import warnings
warnings.simplefilter("ignore", DeprecationWarning)
async def main():
    async with tidewire.serve(echo, "127.0.0.1", 0) as server, tidewire.connect(url_of(server)) as client:
        await client.send("before")
        await client.recv()
        child = os.fork()
        if child == 0:
            return "child", server, client
        await asyncio.get_running_loop().run_in_executor(None, os.waitpid, child, 0)
        for number in range(10):
            await client.send(str(number))
            assert await client.recv() == str(number)
    say("parent")
    return "parent", None, None
async def fresh():
    async with tidewire.serve(echo, "127.0.0.1", 0) as server, tidewire.connect(url_of(server)) as client:
        await client.send("fresh")
        say(await client.recv())
# The child leaves the loop of its parent behind.
pid = os.getpid()
loop = asyncio.new_event_loop() if sys.argv[1] == "asyncio" else __import__("uvloop").new_event_loop()
async def forking():
    server = await tidewire.serve(echo, "127.0.0.1", 0)
    client = await tidewire.connect(url_of(server))
    await client.send("before")
    await client.recv()
    return server, client
server, client = loop.run_until_complete(forking())
child = os.fork()
if child == 0:
    try:
        run(fresh())
        try:
            loop.run_until_complete(tidewire.serve(echo, "127.0.0.1", 0)._open())
        except RuntimeError as error:
            say("refused" if "fork" in str(error) else error)
        gc.collect()
    finally:
        os._exit(0)
os.waitpid(child, 0)
async def go_on():
    for number in range(10):
        await client.send(str(number))
        assert await client.recv() == str(number)
    await client.close()
    server.close()
    await server.wait_closed()
loop.run_until_complete(go_on())
loop.close()
say("parent")
""",
        loop,
    )
    assert (status, out) == (0, "fresh\nrefused\nparent\n"), errors


@on_loops
async def test_a_blocked_loop_answers_pings_when_it_goes_on() -> None:
    """Nothing answers while the loop is blocked: what came meanwhile is answered in the next turn."""
    async with serving(echo) as (_server, url):
        answered: list[float] = []
        ready = threading.Event()

        def peer() -> None:
            async def main() -> None:
                async with peers.connect(url, proxy=None) as connection:
                    await connection.send("x")
                    await connection.recv()
                    pong = await connection.ping()
                    ready.set()
                    answered.append(await asyncio.wait_for(pong, 10))

            asyncio.run(main())

        thread = threading.Thread(target=peer)
        thread.start()
        while not ready.is_set():
            await asyncio.sleep(0.001)
        time.sleep(0.3)
        await asyncio.get_running_loop().run_in_executor(None, thread.join)
        assert len(answered) == 1
        assert answered[0] < 5


@on_loops
async def test_awaiting_from_another_thread_is_refused() -> None:
    """What is awaited belongs to the loop's thread; what is not may be called from any."""
    async with serving(echo) as (_, url), tidewire.connect(url) as ours:

        def other() -> list[str]:
            told = []

            async def main() -> None:
                for call in (ours.recv, ours.wait_closed, ours.ping, ours.close, ours.recv_streaming().__anext__):
                    try:
                        await asyncio.wait_for(call(), 2)
                    except asyncio.TimeoutError:
                        told.append(f"{call} hangs")
                    except RuntimeError as error:
                        told.append(str(error))

            asyncio.run(main())
            ours.send_nowait("from a thread")
            return told

        told = await asyncio.get_running_loop().run_in_executor(None, other)
        assert len(told) == 5
        assert all("loop" in text for text in told), told
        assert await asyncio.wait_for(ours.recv(), 5) == "from a thread"
        await asyncio.get_running_loop().run_in_executor(None, ours.begin_close, 1000, "done")
        await asyncio.wait_for(ours.wait_closed(), 5)


def test_many_loops_leave_nothing_behind() -> None:
    """A closed loop takes its reactor along: descriptors do not pile up."""
    import gc

    async def main() -> None:
        async with serving(echo) as (_, url), tidewire.connect(url) as ours:
            await ours.send("x")
            await ours.recv()

    def descriptors() -> int:
        gc.collect()
        return len(os.listdir("/proc/self/fd"))

    for kind in LOOPS:
        run(kind, main())
        before = descriptors()
        for _ in range(10):
            run(kind, main())
        assert descriptors() <= before
