"""The asyncio face as programs of their own, in development mode: how they end, and calls from where none belong."""

from __future__ import annotations

import signal
import time

import pytest
from threads import Program

BEGIN = """
import asyncio, os, sys, threading, time
import tidewire

async def echo(connection):
    async for message in connection:
        await connection.send(message)

def url(server):
    return "ws://127.0.0.1:%d/" % server.sockets[0].getsockname()[1]
"""

EXITS = {
    "main ends": """
async def main():
    server = await tidewire.serve(echo, "127.0.0.1", 0)
    connections = [await tidewire.connect(url(server)) for _ in range(3)]
    await connections[0].send("x")
    print(await connections[0].recv())
    # Else Python warns of its socket.
    server.close(close_connections=False)
asyncio.run(main())
""",
    "a loop that is never closed": """
async def begin():
    global server, connection
    server = await tidewire.serve(echo, "127.0.0.1", 0)
    connection = await tidewire.connect(url(server))
    await connection.send("x")
    print(await connection.recv())
loop = asyncio.new_event_loop()
loop.run_until_complete(begin())
import warnings
warnings.simplefilter("ignore", ResourceWarning)
""",
    "a thread with a loop": """
ready = threading.Event()
async def main():
    async with tidewire.serve(echo, "127.0.0.1", 0) as server:
        async with tidewire.connect(url(server)) as connection:
            await connection.send("x")
            print(await connection.recv())
            ready.set()
            await asyncio.sleep(60)
threading.Thread(target=lambda: asyncio.run(main()), daemon=True).start()
ready.wait()
""",
}


@pytest.mark.parametrize("how", EXITS)
def test_the_interpreter_exits_with_live_connections(how: str) -> None:
    """edge 65: at once, and without a word of ours."""
    with Program(BEGIN + EXITS[how]) as program:
        status, out, err = program.ended(10)
        assert (status, out) == (0, "x\n")
        # Of tasks that are left on a loop which nobody closed, asyncio itself tells.
        assert err == "" or (how == "a loop that is never closed" and "panicked" not in err and "Fatal" not in err)


def test_ctrl_c_with_live_connections() -> None:
    """edge 65: handlers and peers that wait do not hold it up."""
    source = (
        BEGIN
        + """
async def main():
    async with tidewire.serve(echo, "127.0.0.1", 0) as server:
        connection = await tidewire.connect(url(server))
        print("ready")
        await connection.recv()
asyncio.run(main())
"""
    )
    with Program(source) as program:
        assert program.line() == "ready"
        began = time.monotonic()
        program.process.send_signal(signal.SIGINT)
        status, _, err = program.ended(10)
        assert time.monotonic() - began < 3
        assert status in (-signal.SIGINT, 130)
        assert err.rstrip().endswith("KeyboardInterrupt")
        assert "never" not in err


def test_calls_from_another_thread() -> None:
    """edge 65: what is awaited belongs to the loop, and says so; what may be called from anywhere arrives."""
    source = (
        BEGIN
        + """
async def main():
    async with tidewire.serve(echo, "127.0.0.1", 0) as server, tidewire.connect(url(server)) as connection:
        def elsewhere():
            async def wrong(call):
                try:
                    await call()
                except RuntimeError as error:
                    assert "loop" in str(error), error
                    return
                print("accepted:", call)
            for call in (connection.recv, connection.wait_closed, connection.ping):
                asyncio.run(wrong(call))
            for number in range(100):
                connection.send_nowait(str(number))
        await asyncio.get_running_loop().run_in_executor(None, elsewhere)
        assert [await connection.recv() for _ in range(100)] == [str(number) for number in range(100)]
        threading.Thread(target=connection.begin_close, args=(4000, "from a thread")).start()
        await connection.wait_closed()
        print(connection.close_code)
asyncio.run(main())
"""
    )
    with Program(source) as program:
        assert program.ended(10) == (0, "4000\n", "")


def test_descriptors_are_used_up() -> None:
    """What can't be accepted waits, and is accepted once others have gone. It is told once, not in each attempt."""
    source = (
        BEGIN
        + """
import resource, socket
told = []

async def main():
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: told.append(context["exception"]))
    async with tidewire.serve(echo, "127.0.0.1", 0) as server:
        address = server.sockets[0].getsockname()
        peers = [socket.socket() for _ in range(30)]
        for peer in peers:
            peer.connect(address)
        highest = max(int(name) for name in os.listdir("/proc/self/fd"))
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 10, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        await asyncio.sleep(0.5)
        assert 0 < len(server._connections) < 30
        for peer in peers[:-5]:
            peer.close()
        async with tidewire.connect(url(server), proxy=None) as connection:
            await connection.send("x")
            print(await connection.recv(), [type(error).__name__ for error in told])
        for peer in peers:
            peer.close()
asyncio.run(main())
"""
    )
    with Program(source) as program:
        assert program.ended(10) == (0, "x ['OSError']\n", "")


def test_a_loop_that_is_blocked() -> None:
    """edge 65: pings wait as long as it is blocked, and are answered then; its own ping_timeout does not blame the peer
    for the time that it did not read."""
    source = (
        BEGIN
        + """
async def blocks(connection):
    async for seconds in connection:
        time.sleep(float(seconds))
        await connection.send("awake")

async def main():
    asyncio.get_running_loop().slow_callback_duration = 10
    async with tidewire.serve(blocks, "127.0.0.1", 0, ping_interval=0.2, ping_timeout=0.2) as server:
        print(url(server))
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
asyncio.run(main())
"""
    )
    from websockets.sync.client import connect

    with Program(source) as program:
        with connect(program.line(), ping_interval=None) as peer:
            for _ in range(2):
                peer.send("1")
                time.sleep(0.2)
                pong = peer.ping()
                assert not pong.wait(0.2)
                assert peer.recv(timeout=5) == "awake"
                assert pong.wait(2)
        assert program.process.stdin is not None
        program.process.stdin.close()
        program.process.stdin = None
        assert program.process.wait(10) == 0
