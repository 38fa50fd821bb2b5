"""Cancelled at each place where the asyncio face waits: nothing is lost, nothing comes twice, nothing stays behind."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from collections.abc import Awaitable
from typing import Any

import pytest
from loops import echo, on_loops, serving, until, url_of
from websockets.asyncio.client import connect as peer_connect

import tidewire

NO_PINGS: dict[str, Any] = {"ping_interval": None, "compression": None}


def deaf() -> socket.socket:
    """Accepts connections, in the kernel, and never answers."""
    sock = socket.create_server(("127.0.0.1", 0))
    sock.setblocking(False)
    return sock


async def cancel(task: asyncio.Task[Any]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@on_loops
async def test_recv_in_a_storm_of_timeouts() -> None:
    """edge 54, edge 64: a message that comes in the same moment as a timeout or a cancellation is the next one's."""
    count = 400
    noise = random.Random(4)

    async def handler(connection: Any) -> None:
        for number in range(count):
            await connection.send(str(number))
            for _ in range(noise.randrange(8)):
                await asyncio.sleep(0)
        await connection.wait_closed()

    async with serving(handler, **NO_PINGS) as (_, url), tidewire.connect(url, **NO_PINGS) as connection:
        came: list[str] = []
        cancelled = 0
        while len(came) < count:
            # As a task that is cancelled: what it has received then, it still gives.
            task = asyncio.ensure_future(connection.recv())
            for _ in range(noise.randrange(4)):
                await asyncio.sleep(0)
            cancelled += task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                came.append(await task)
        assert came == [str(number) for number in range(count)]
        assert cancelled > 50


@on_loops
async def test_recv_and_iteration_given_up_by_wait_for() -> None:
    """edge 64: with `wait_for`, with `timeout=0`, and in the middle of `async for`."""

    async with serving(echo, **NO_PINGS) as (_, url), tidewire.connect(url, **NO_PINGS) as connection:
        for seconds in (0, 0.001, 0.01):
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(connection.recv(), seconds)
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(connection.__anext__(), seconds)
        await connection.send("a")
        await until(lambda: connection.stats[0] == 1)
        assert await asyncio.wait_for(connection.recv(), 5) == "a"


@on_loops
async def test_a_piece_given_up() -> None:
    """edge 54: of a message in fragments, the next fragment comes to the next call."""

    async def handler(connection: Any) -> None:
        async def pieces() -> Any:
            for piece in ("one", "two", "three"):
                yield piece
                await connection.recv()

        await connection.recv()
        await connection.send(pieces())
        await connection.wait_closed()

    async with serving(handler, **NO_PINGS) as (_, url), tidewire.connect(url, **NO_PINGS) as connection:
        came = []
        for _ in range(3):
            task = asyncio.ensure_future(connection.recv_piece())
            await asyncio.sleep(0.01)
            await cancel(task)
            await connection.send("next")
            came.append((await connection.recv_piece())[0])
        assert came == ["one", "two", "three"]


@on_loops
async def test_a_send_that_waits_is_given_up() -> None:
    """edge 54: what was handed over is sent once, whether or not its caller waited for room."""
    messages = [bytes([number]) * 300_000 for number in range(40)]
    ready = asyncio.Event()
    came: list[Any] = []

    async def handler(connection: Any) -> None:
        await ready.wait()
        async for message in connection:
            came.append(message)

    async with serving(handler, **NO_PINGS) as (_, url), tidewire.connect(url, **NO_PINGS) as connection:
        given_up = 0
        for message in messages:
            try:
                await asyncio.wait_for(connection.send(message), 0.005)
            except asyncio.TimeoutError:
                given_up += 1
        assert given_up > 5
        ready.set()
        await connection.send(b"end")
        await connection.close()
    await until(lambda: len(came) == len(messages) + 1)
    assert came == [*messages, b"end"]


@on_loops
async def test_a_fragmented_send_that_is_given_up_is_not_taken_for_whole() -> None:
    """edge 53, edge 54: the peer learns that there is no end to the message."""

    async def pieces() -> Any:
        yield "begun"
        await asyncio.sleep(60)

    async with serving(echo) as (server, url), peer_connect(url) as peer:
        (connection,) = server.connections
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(connection.send(pieces()), 0.01)
        with pytest.raises(tidewire.ConnectionClosed):
            await connection.send("more")
        with contextlib.suppress(Exception):
            assert await peer.recv() is None
        await peer.wait_closed()
        assert peer.close_code == 1011


@on_loops
async def test_a_ping_and_a_close_given_up() -> None:
    """edge 54, edge 59: a pong that nobody waits for, and a closing handshake that goes on by itself."""
    async with serving(echo) as (_, url):
        connection = await tidewire.connect(url, ping_interval=None)
        waiting: Awaitable[float] = await connection.ping(b"1")
        assert isinstance(waiting, asyncio.Future)
        waiting.cancel()
        assert await (await connection.ping(b"2")) > 0
        task = asyncio.ensure_future(connection.close(4000, "enough"))
        await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await asyncio.wait_for(connection.wait_closed(), 5)
        assert (connection.close_code, connection.close_reason) == (4000, "enough")


@on_loops
async def test_a_close_that_nobody_answers_is_given_up() -> None:
    """edge 39, edge 54: the waiting ends at once, the connection within close_timeout."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        key = next(
            line[19:].decode() for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key: ")
        )
        from websockets.utils import accept_key

        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Accept: " + accept_key(key).encode() + b"\r\n\r\n"
        )
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()

    peer = await asyncio.start_server(handler, "127.0.0.1", 0)
    connection = await tidewire.connect(url_of(peer), close_timeout=0.3, **NO_PINGS)
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(connection.close(), 0.05)
    await asyncio.wait_for(connection.wait_closed(), 2)
    assert connection.close_code == 1006
    peer.close()
    await peer.wait_closed()


@on_loops
async def test_connecting_given_up_at_each_moment() -> None:
    """edge 54: at every turn of the loop from the first to the open connection. The server is left with nothing,
    and what was opened in the last moment is not left open."""
    async with serving(echo) as (server, url):
        opened = 0
        for turns in range(40):
            task = asyncio.ensure_future(tidewire.connect(url, **NO_PINGS)._connect())
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            try:
                connection = await task
            except asyncio.CancelledError:
                continue
            opened += 1
            await connection.close()
        await until(lambda: not server._connections)
        assert opened < 40
        async with tidewire.connect(url) as connection:
            await connection.send("x")
            assert await connection.recv() == "x"


@on_loops
async def test_connecting_given_up_while_the_server_is_silent() -> None:
    """edge 54: `wait_for` around it, and its own `open_timeout`; the peer sees the end."""
    with deaf() as sock:
        url = f"ws://127.0.0.1:{sock.getsockname()[1]}/"
        loop = asyncio.get_running_loop()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(tidewire.connect(url, proxy=None)._connect(), 0.05)
        with pytest.raises(TimeoutError):
            await tidewire.connect(url, proxy=None, open_timeout=0.05)
        for _ in range(2):
            taken, _ = await loop.sock_accept(sock)
            with taken:
                while await asyncio.wait_for(loop.sock_recv(taken, 4096), 2):
                    pass


@on_loops
async def test_beginning_to_serve_given_up() -> None:
    """edge 54: the port is free again, at whatever turn it is cancelled."""
    for turns in range(12):
        server = tidewire.serve(echo, "localhost", 0)
        task = asyncio.ensure_future(server._open())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        server.close()
        await asyncio.wait_for(server.wait_closed(), 2)
        assert server.sockets == ()


@on_loops
async def test_those_who_only_read_or_only_write_answer_pings() -> None:
    """edge 55"""

    async def reads(connection: Any) -> None:
        async for _ in connection:
            pass

    async def writes(connection: Any) -> None:
        with contextlib.suppress(tidewire.ConnectionClosed):
            while True:
                await connection.send("x" * 1000)
                await asyncio.sleep(0.001)

    async def sleeps(connection: Any) -> None:
        await connection.wait_closed()

    for handler in (reads, writes, sleeps):
        async with serving(handler, **NO_PINGS) as (_, url), peer_connect(url, ping_interval=None) as peer:

            async def take(peer: Any = peer) -> None:
                async for _ in peer:
                    pass

            taking = asyncio.ensure_future(take())
            for _ in range(5):
                await asyncio.wait_for(await peer.ping(), 2)
            await peer.close()
            await taking


@on_loops
async def test_two_that_receive_at_once() -> None:
    """edge 64: the second is refused, the first one's message is not lost."""
    async with serving(echo) as (_, url), tidewire.connect(url) as connection:
        first = asyncio.ensure_future(connection.recv())
        await asyncio.sleep(0.01)
        for second in (connection.recv(), connection.__anext__(), connection.recv_piece()):
            with pytest.raises(tidewire.ConcurrencyError):
                await second
        await connection.send("x")
        assert await asyncio.wait_for(first, 2) == "x"
