"""Messages, pings and ends on the asyncio face: nothing lost, nothing twice, nobody left waiting."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
import socket
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
import websockets
import websockets.asyncio.client as peers
from loops import UPGRADE, echo, on_loops, serving, until

import tidewire
from tidewire import ConcurrencyError, ConnectionClosedError, ConnectionClosedOK, PayloadTooBig, ProtocolError, State


def connect(url: str, **options: Any) -> Any:
    return peers.connect(url, proxy=None, **options)


class Held:
    """A handler that holds its connection until the test lets go."""

    def __init__(self) -> None:
        self.connection: Any = None
        self.came = asyncio.Event()
        self.done = asyncio.Event()

    async def __call__(self, connection: tidewire.ServerConnection) -> None:
        self.connection = connection
        self.came.set()
        await self.done.wait()


class Pair:
    """A connection of ours on a server, and the foreign peer at its other end."""

    def __init__(self, peer_options: Any = None, **options: Any) -> None:
        self.peer_options = peer_options or {}
        self.options = options

    async def __aenter__(self) -> tuple[Any, Any]:
        self.held = Held()
        self.serving = serving(self.held, **self.options)
        _, url = await self.serving.__aenter__()
        self.peer = await connect(url, **self.peer_options)
        await self.held.came.wait()
        return self.held.connection, self.peer

    async def __aexit__(self, *error: Any) -> None:
        self.held.done.set()
        await self.peer.close()
        await self.serving.__aexit__(None, None, None)


@on_loops
async def test_recv_decodes_as_it_is_asked() -> None:
    async with Pair() as (ours, peer):
        for decode, sent, received in [
            (None, "ä", "ä"),
            (None, b"\xc3\xa4", b"\xc3\xa4"),
            (True, b"\xc3\xa4", "ä"),
            (False, "ä", b"\xc3\xa4"),
        ]:
            await peer.send(sent)
            assert await ours.recv(decode) == received
            await peer.send(sent)
            assert await ours.recv(decode=decode) == received
        await peer.send(b"\xff")
        with pytest.raises(UnicodeDecodeError):
            await ours.recv(decode=True)


@on_loops
async def test_send_takes_str_and_bytes_like() -> None:
    async with Pair() as (ours, peer):
        for message, received in [
            ("ä", "ä"),
            (b"a", b"a"),
            (bytearray(b"b"), b"b"),
            (memoryview(b"xcx")[1:2], b"c"),
            (memoryview(b"a_b_c")[::2], b"abc"),
        ]:
            await ours.send(message)
            assert await peer.recv() == received
        await ours.send(b"\xc3\xa4", text=True)
        assert await peer.recv() == "ä"
        await ours.send("ä", text=False)
        assert await peer.recv() == b"\xc3\xa4"
        for wrong in (None, 1, {"a": 1}, object()):
            with pytest.raises(TypeError):
                await ours.send(wrong)
        with pytest.raises(ValueError, match="UTF-8"):
            await ours.send(b"\xff", text=True)
        await ours.send("still open")
        assert await peer.recv() == "still open"


@on_loops
async def test_send_hands_over_at_once() -> None:
    async with Pair() as (ours, peer):
        waits = [ours.send(str(number)) for number in range(10)]
        for number in range(10):
            assert await peer.recv() == str(number)
        for wait in waits:
            await wait
        # It is a coroutine as far as asyncio looks at one.
        await asyncio.create_task(ours.send("in a task"))
        assert await peer.recv() == "in a task"


@on_loops
async def test_fragments_of_an_iterable() -> None:
    async def later(*pieces: Any) -> AsyncIterator[Any]:
        for piece in pieces:
            await asyncio.sleep(0.001)
            yield piece

    async with Pair() as (ours, peer):
        for pieces in (["a", "ä", "b"], [b"a", bytearray(b"b")], ("one",), later("a", "b"), later(b"a", b"", b"b")):
            kept = pieces if isinstance(pieces, (list, tuple)) else None
            await ours.send(pieces)
            if kept is not None:
                assert [piece async for piece in peer.recv_streaming()] == [
                    piece if isinstance(piece, str) else bytes(piece) for piece in kept
                ]
            else:
                assert await peer.recv() in ("ab", b"ab")
        await ours.send([])
        await ours.send(later())
        await ours.send([b"\xc3", b"\xa4"], text=True)
        assert await peer.recv() == "ä"


@on_loops
async def test_a_message_waits_for_the_end_of_a_fragmented_one() -> None:
    go_on = asyncio.Event()

    async def slowly() -> AsyncIterator[str]:
        yield "a"
        await go_on.wait()
        yield "b"

    async with Pair() as (ours, peer):
        first = asyncio.ensure_future(ours.send(slowly()))
        await until(lambda: ours.sending_pieces)
        second = asyncio.ensure_future(ours.send("whole"))
        third = asyncio.ensure_future(ours.send(["c", "d"]))
        with pytest.raises(ConcurrencyError):
            ours.send_nowait("at once")
        # Control frames go between the fragments.
        assert await (await ours.ping()) > 0
        assert not second.done()
        go_on.set()
        await asyncio.gather(first, second, third)
        assert [await peer.recv() for _ in range(3)] == ["ab", "whole", "cd"]


@on_loops
async def test_a_message_that_is_not_sent_to_its_end_closes() -> None:
    """edge 54: send cancelled between two fragments."""

    async def fails() -> AsyncIterator[str]:
        yield "a"
        raise LookupError("mine")

    async def hangs() -> AsyncIterator[str]:
        yield "a"
        await asyncio.sleep(60)

    for message, error in ((fails(), LookupError), (["a", "b", b"c"], TypeError), (["a", "b", 1], TypeError)):
        async with Pair() as (ours, peer):
            with pytest.raises(error):
                await ours.send(message)
            with pytest.raises(websockets.ConnectionClosedError):
                await peer.recv()
            assert peer.close_code == 1011
            with pytest.raises(tidewire.ConnectionClosed):
                await ours.send("more")
            with pytest.raises(tidewire.ConnectionClosed):
                await ours.send(["more"])
    async with Pair() as (ours, peer):
        task = asyncio.ensure_future(ours.send(hangs()))
        await until(lambda: ours.sending_pieces)
        waiting = asyncio.ensure_future(ours.send("behind it"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(tidewire.ConnectionClosed):
            await waiting
        with pytest.raises(websockets.ConnectionClosedError):
            await peer.recv()
    # Before its first fragment, nothing has begun.
    async with Pair() as (ours, peer):
        with pytest.raises(TypeError):
            await ours.send([1, "b"])
        with pytest.raises(TypeError):
            await ours.send(["a", b"b"])
        await ours.send("whole")
        assert await peer.recv() == "whole"


@on_loops
async def test_recv_streaming() -> None:
    async with Pair() as (ours, peer):
        await peer.send(["ab", "ä", "c"])
        assert "".join([piece async for piece in ours.recv_streaming()]) == "abäc"
        await peer.send([b"ab", b"c"])
        assert b"".join([piece async for piece in ours.recv_streaming()]) == b"abc"
        await peer.send("ä")
        assert [piece async for piece in ours.recv_streaming(decode=False)] == [b"\xc3\xa4"]
        await peer.send([b"\xc3", b"\xa4"])
        assert "".join([piece async for piece in ours.recv_streaming(decode=True)]) == "ä"
        await peer.send("whole again")
        assert await ours.recv() == "whole again"


@on_loops
async def test_a_message_that_was_begun_in_pieces_is_taken_to_its_end() -> None:
    go_on = asyncio.Event()

    async def slowly() -> AsyncIterator[str]:
        yield "first"
        await go_on.wait()
        yield "last"

    async with Pair({"compression": None}) as (ours, peer):
        sending = asyncio.ensure_future(peer.send(slowly()))
        pieces = ours.recv_streaming()
        assert await pieces.__anext__() == "first"
        with pytest.raises(ConcurrencyError):
            await ours.recv()
        go_on.set()
        assert "".join([piece async for piece in pieces]) == "last"
        await sending
        await peer.send("next")
        assert await ours.recv() == "next"


@on_loops
async def test_a_cancelled_recv_loses_no_message() -> None:
    """edge 64: recv cancelled loses no message; edge 54: nothing lost, nothing twice."""
    rng = random.Random(64)
    async with Pair() as (ours, peer):
        total = 300

        async def send_all() -> None:
            for number in range(total):
                await peer.send(str(number))
                if rng.random() < 0.5:
                    await asyncio.sleep(rng.random() * 0.002)

        sending = asyncio.ensure_future(send_all())
        received: list[str] = []
        cancelled = 0
        while len(received) < total:
            task = asyncio.ensure_future(ours.recv())
            for _ in range(rng.randrange(3)):
                await asyncio.sleep(0)
            if rng.random() < 0.5:
                task.cancel()
            try:
                received.append(await task)
            except asyncio.CancelledError:
                cancelled += 1
        await sending
        assert received == [str(number) for number in range(total)]
        assert cancelled > 10


@on_loops
async def test_a_recv_with_a_timeout_loses_no_message() -> None:
    """edge 64: timeout=0, and timeouts that end as the message comes."""
    async with Pair() as (ours, peer):
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(ours.recv(), 0)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(ours.recv(), 0.01)
        received = []
        for number in range(50):
            await peer.send(str(number))
        while len(received) < 50:
            try:
                received.append(await asyncio.wait_for(ours.recv(), 0.0001))
            except asyncio.TimeoutError:
                pass
        assert received == [str(number) for number in range(50)]


@on_loops
async def test_two_recv_at_once_are_refused() -> None:
    """edge 64: two recv at once are refused, and the first one still gets its message."""
    async with Pair() as (ours, peer):
        first = asyncio.ensure_future(ours.recv())
        await asyncio.sleep(0)
        for second in (ours.recv, ours.__anext__, ours.recv_streaming().__anext__):
            with pytest.raises(ConcurrencyError):
                await second()
        await peer.send("for the first")
        assert await first == "for the first"
        # Afterwards, and after a cancelled one, there is room again.
        task = asyncio.ensure_future(ours.recv())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        await peer.send("again")
        assert await ours.recv() == "again"


@on_loops
async def test_a_send_that_waits_can_be_cancelled() -> None:
    """edge 54: send is cancelled while the peer does not read: the message was handed over, and comes once."""
    async with Pair({"max_queue": 1, "max_size": None}, compression=None) as (ours, peer):
        peer.transport.pause_reading()
        block = "x" * 1_000_000
        sent = 0
        while True:
            task = asyncio.ensure_future(ours.send(f"{sent}{block}"))
            sent += 1
            await asyncio.sleep(0.01)
            if not task.done():
                break
            await task
        assert ours.pending > 32768
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        waiting = asyncio.ensure_future(ours.drained())
        peer.transport.resume_reading()
        for number in range(sent):
            assert await peer.recv() == f"{number}{block}"
        await asyncio.wait_for(waiting, 5)
        await ours.send("end")
        assert await peer.recv() == "end"


@on_loops
async def test_every_await_can_be_cancelled_and_done_again() -> None:
    """edge 54: close, wait_closed, ping, drained, recv, recv_streaming."""
    async with Pair() as (ours, peer):
        peer.transport.pause_reading()
        pong = await ours.ping()
        for wait in (
            ours.wait_closed,
            ours.recv,
            ours.recv_streaming().__anext__,
            lambda: asyncio.wait_for(asyncio.shield(pong), 60),
        ):
            task = asyncio.ensure_future(wait())
            await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        closing = asyncio.ensure_future(ours.close())
        await asyncio.sleep(0.01)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        assert ours.state is State.CLOSING
        peer.transport.resume_reading()
        await ours.wait_closed()
        assert ours.state is State.CLOSED
        assert ours.close_code == 1000
        # Pongs come before the peer's close frame.
        assert await pong > 0
        await ours.close()


@on_loops
async def test_halves_in_two_tasks() -> None:
    """edge 55: no lost wake-up with one task that reads and one that writes."""
    async with Pair() as (ours, peer):
        total = 500

        async def read() -> list[str]:
            return [await ours.recv() for _ in range(total)]

        async def write() -> None:
            for number in range(total):
                await ours.send(str(number))
                if number % 7 == 0:
                    await asyncio.sleep(0)

        async def echo_at_the_peer() -> None:
            for _ in range(total):
                await peer.send(await peer.recv())

        received, *_ = await asyncio.wait_for(asyncio.gather(read(), write(), echo_at_the_peer()), 20)
        assert received == [str(number) for number in range(total)]


@on_loops
async def test_pings_are_answered_whatever_the_handler_does() -> None:
    """edge 55: a user who only reads, only writes or does neither still answers pings."""

    async def only_reads(connection: Any) -> None:
        await connection.recv()

    async def only_writes(connection: Any) -> None:
        while True:
            await connection.send("x")
            await asyncio.sleep(0.01)

    async def neither(connection: Any) -> None:
        await asyncio.sleep(0.5)

    for handler in (only_reads, only_writes, neither):
        async with serving(handler, logger=tidewire_log()) as (_, url), connect(url) as peer:
            for _ in range(3):
                assert await asyncio.wait_for(await peer.ping(), 2) >= 0


def tidewire_log() -> Any:
    import logging

    return logging.getLogger("tidewire.tests")


@on_loops
async def test_pings() -> None:
    async with Pair() as (ours, peer):
        assert ours.latency == 0
        assert 0 < await (await ours.ping()) < 2
        assert 0 < await (await ours.ping("ä")) < 2
        latency = await (await ours.ping(b"x" * 125))
        assert ours.latency == latency
        for wrong in (b"x" * 126, "ä" * 63):
            with pytest.raises(ValueError, match="125"):
                await ours.ping(wrong)
        with pytest.raises(TypeError):
            await ours.ping(5)
        peer.transport.pause_reading()
        first = await ours.ping(b"same")
        with pytest.raises(ConcurrencyError):
            await ours.ping(b"same")
        second = await ours.ping(b"other")
        peer.transport.resume_reading()
        assert await second > 0
        assert await first > 0
        await ours.pong(b"by itself")
        await ours.pong()
        await ours.send("still open")
        assert await peer.recv() == "still open"


@on_loops
async def test_a_pong_to_a_later_ping_answers_those_before() -> None:
    async with raw_pair() as (_reader, writer, ours):
        first, second, third = [await ours.ping(payload) for payload in (b"1", b"2", b"3")]
        # A pong that nobody asked for, and one to the second.
        writer.write(masked(0xA, b"0") + masked(0xA, b"2"))
        await asyncio.wait_for(asyncio.gather(first, second), 5)
        assert not third.done()
        writer.transport.abort()
        with pytest.raises(ConnectionClosedError):
            await third


def masked(opcode: int, payload: bytes, fin: bool = True) -> bytes:
    """A frame of a client, under the key zero."""
    return bytes([(0x80 if fin else 0) | opcode, 0x80 | len(payload)]) + bytes(4) + payload


@contextlib.asynccontextmanager
async def raw_pair(**options: Any) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter, Any]]:
    """A connection of ours, and the bytes at its other end."""
    held = Held()
    async with serving(held, **options) as (_, url):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url[15:-1]))
        try:
            writer.write(UPGRADE.encode() + b"\r\nHost: localhost\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            await held.came.wait()
            yield reader, writer, held.connection
        finally:
            held.done.set()
            writer.transport.abort()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


@on_loops
async def test_a_peer_that_breaks_the_protocol() -> None:
    for frames, code, cause in [
        (b"\xc1\x80\0\0\0\0", 1002, ProtocolError),
        (masked(0x1, b"\xff"), 1007, ProtocolError),
        (b"\x82\xfe\x04\x01\0\0\0\0", 1009, PayloadTooBig),
    ]:
        async with raw_pair(max_size=1024, compression=None) as (reader, writer, ours):
            writer.write(masked(0x1, b"good") + frames)
            assert await ours.recv() == "good"
            with pytest.raises(ConnectionClosedError) as caught:
                await ours.recv()
            assert caught.value.sent is not None
            assert caught.value.sent.code == code
            assert caught.value.rcvd is None
            assert caught.value.code == 1006
            assert type(caught.value.__cause__) is cause
            assert (await reader.read())[:2] == b"\x88" + bytes([2 + len(caught.value.sent.reason.encode())])
            writer.close()
            await ours.wait_closed()
            with pytest.raises(ConnectionClosedError) as caught:
                await ours.recv()
            assert type(caught.value.__cause__) is cause


@on_loops
async def test_messages_that_came_before_the_end_are_received() -> None:
    async with raw_pair() as (reader, writer, ours):
        writer.write(masked(0x1, b"a") + masked(0x2, b"b") + masked(0x8, b"\x03\xe8bye"))
        assert await reader.read() == b"\x88\x05\x03\xe8bye"
        writer.close()
        await ours.wait_closed()
        assert [message async for message in ours] == ["a", b"b"]
        with pytest.raises(ConnectionClosedOK, match="bye"):
            await ours.recv()


@on_loops
async def test_how_an_iteration_ends() -> None:
    for frame, error in [(b"\x03\xe8", None), (b"\x03\xe9", None), (b"", None), (b"\x03\xf3", True)]:
        async with raw_pair() as (_, writer, ours):
            writer.write(masked(0x1, b"a") + masked(0x8, frame))
            received = []
            try:
                async for message in ours:
                    received.append(message)
            except ConnectionClosedError as closed:
                assert error
                assert closed.code == 1011
            else:
                assert not error
            assert received == ["a"]


@on_loops
async def test_a_keepalive_that_is_not_answered_ends_the_connection() -> None:
    async with raw_pair(ping_interval=0.05, ping_timeout=0.1) as (_, _writer, ours):
        with pytest.raises(ConnectionClosedError) as caught:
            await asyncio.wait_for(ours.recv(), 5)
        assert caught.value.sent is not None
        assert caught.value.rcvd is None
        assert "ping" in caught.value.sent.reason


@on_loops
async def test_keepalives_measure_the_latency() -> None:
    async with Pair(ping_interval=0.02) as (ours, _):
        await until(lambda: ours.latency > 0)
        assert ours.latency < 2


@on_loops
async def test_a_close_that_is_not_answered_ends_in_time() -> None:
    async with raw_pair(close_timeout=0.1) as (_, _, ours):
        loop = asyncio.get_running_loop()
        began = loop.time()
        await ours.close(4000, "because")
        assert 0.05 < loop.time() - began < 2
        with pytest.raises(ConnectionClosedError) as caught:
            await ours.recv()
        assert caught.value.sent == (4000, "because")


@on_loops
async def test_codes_that_cannot_be_sent() -> None:
    async with Pair() as (ours, peer):
        for code, reason in ((999, ""), (1004, ""), (1006, ""), (1015, ""), (5000, ""), (1000, "x" * 124)):
            with pytest.raises(ValueError, match="."):
                await ours.close(code, reason)
        await ours.send("still open")
        assert await peer.recv() == "still open"


@on_loops
async def test_backpressure_reaches_the_peer() -> None:
    """A handler that does not receive lets no more in than max_queue allows, and what the kernels hold."""
    async with Pair({"compression": None}, compression=None, max_queue=4) as (ours, peer):
        sent = 0

        async def flood() -> None:
            nonlocal sent
            for _ in range(400):
                await peer.send(b"x" * 100_000)
                sent += 1

        task = asyncio.ensure_future(flood())
        await asyncio.sleep(0.3)
        assert not task.done()
        assert ours.stats[0] < 40
        for _ in range(400):
            assert len(await ours.recv()) == 100_000
        await task


@on_loops
async def test_broadcast() -> None:
    """Encoded once, sent to all that are open, past those in the middle of a fragmented message."""
    joined: set[Any] = set()
    go_on = asyncio.Event()

    async def handler(connection: Any) -> None:
        joined.add(connection)
        await connection.wait_closed()

    async def slowly() -> AsyncIterator[str]:
        yield "a"
        await go_on.wait()

    async with serving(handler) as (server, url):
        all_peers = [await connect(url, compression="deflate" if number % 2 else None) for number in range(6)]
        await until(lambda: len(joined) == 6)
        for message in ("text", b"binary", "long " * 1000):
            tidewire.broadcast(joined, message)
            assert [await peer.recv() for peer in all_peers] == [message] * 6
        tidewire.broadcast(server.connections, b"\xc3\xa4", text=True)
        assert [await peer.recv() for peer in all_peers] == ["ä"] * 6
        busy = next(iter(joined))
        sending = asyncio.ensure_future(busy.send(slowly()))
        await until(lambda: busy.sending_pieces)
        tidewire.broadcast(joined, "others")
        if sys.version_info >= (3, 11):
            with pytest.raises(ExceptionGroup) as caught:  # noqa: F821
                tidewire.broadcast(joined, "others", raise_exceptions=True)
            assert [type(error) for error in caught.value.exceptions] == [ConcurrencyError]
        else:
            with pytest.raises(ValueError, match=r"3\.11"):
                tidewire.broadcast(joined, "others", raise_exceptions=True)
        go_on.set()
        await sending
        received = [await peer.recv() for peer in all_peers]
        assert sorted(received) == ["a", *["others"] * 5]
        with pytest.raises(TypeError):
            tidewire.broadcast(joined, ["not", "fragments"])  # type: ignore[arg-type]
        await all_peers[0].close()
        await until(lambda: len(server.connections) == 5)
        tidewire.broadcast(joined, "once more")
        for peer in all_peers:
            await peer.close()


@on_loops
async def test_a_connection_is_forgotten() -> None:
    """Nothing holds a connection that has ended: not its server, not the core."""
    import weakref

    gone: list[Any] = []

    async def handler(connection: Any) -> None:
        gone.append(weakref.ref(connection))
        async for message in connection:
            await connection.send(message)

    async with serving(handler) as (_, url):
        for _ in range(3):
            async with connect(url) as peer:
                await peer.send("x")
                await peer.recv()

        def all_gone() -> bool:
            gc.collect()
            return all(reference() is None for reference in gone)

        await until(all_gone)


@on_loops
async def test_ours_at_both_ends() -> None:
    """edge 58: both send with full buffers, and both receive."""
    async with serving(echo, max_size=None) as (_, url), tidewire.connect(url, max_size=None) as ours:
        block = bytes(500_000)

        async def send() -> None:
            for _ in range(40):
                await ours.send(block)

        async def receive() -> None:
            for _ in range(40):
                assert await ours.recv() == block

        await asyncio.wait_for(asyncio.gather(send(), receive()), 20)


@on_loops
async def test_a_socket_that_breaks() -> None:
    async with raw_pair() as (_, writer, ours):
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        waiting = [asyncio.ensure_future(wait) for wait in (ours.recv(), ours.wait_closed(), await ours.ping())]
        await asyncio.sleep(0)
        writer.transport.abort()
        results = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 5)
        assert [type(result) for result in results] == [ConnectionClosedError, type(None), ConnectionClosedError]
        with pytest.raises(ConnectionClosedError):
            await ours.send("x")
        assert ours.close_code == 1006
