"""Callbacks that interrupt the loop, peers that flood, transports that are cut: what must not take anybody else along."""

from __future__ import annotations

import asyncio
import asyncio.sslproto
import contextlib
import socket
import ssl
import sys
import threading
import time
from typing import Any

import pytest
import trustme
from loops import LOOPS, on_loops, serving

import tidewire
import tidewire.sync


@pytest.mark.parametrize("loop", list(LOOPS))
@pytest.mark.parametrize("ends", ["by the peer", "by abort"])
def test_keyboard_interrupt_of_on_close_leaves_the_loop(loop: str, ends: str) -> None:
    class Interrupted(tidewire.Handler):
        def on_message(self, connection: Any, message: Any) -> None:
            connection.abort()

        def on_close(self, connection: Any, code: int, reason: str) -> None:
            raise KeyboardInterrupt

    async def main() -> None:
        async with serving(Interrupted) as (_, url):
            async with tidewire.connect(url) as client:
                if ends == "by abort":
                    await client.send("abort")
                await client.close()
            await asyncio.sleep(0.2)

    running = LOOPS[loop]()
    try:
        with pytest.raises(KeyboardInterrupt):
            running.run_until_complete(main())
    finally:
        for task in asyncio.all_tasks(running):
            task.cancel()
        with contextlib.suppress(BaseException):
            running.run_until_complete(asyncio.sleep(0.05))
        running.close()


@pytest.mark.parametrize("loop", list(LOOPS))
def test_keyboard_interrupt_of_a_factory_leaves_the_loop_and_loses_no_connection(loop: str) -> None:
    """What comes behind the connection that was being made is accepted once the loop goes on."""
    made: list[Any] = []

    def make(server: Any) -> Any:
        made.append(server)
        if len(made) == 1:
            raise KeyboardInterrupt
        return tidewire.asyncio.server.ServerConnection(server)

    async def begin() -> Any:
        return await tidewire.serve(lambda _: asyncio.sleep(0), "127.0.0.1", 0, create_connection=make)

    running = LOOPS[loop]()
    running.set_exception_handler(lambda *_: None)
    try:
        server = running.run_until_complete(begin())
        address = server.sockets[0].getsockname()
        first, second = socket.create_connection(address), socket.create_connection(address)
        with first, second:
            with pytest.raises(KeyboardInterrupt):
                running.run_until_complete(asyncio.sleep(0.5))
            running.run_until_complete(asyncio.sleep(0.1))
            assert len(made) == 2
        server.close()
        running.run_until_complete(asyncio.wait_for(server.wait_closed(), 5))
    finally:
        running.close()


@on_loops
async def test_abort_cuts_a_transport_whose_peer_reads_nothing() -> None:
    """What still waits to be written does not keep the socket."""
    reading = asyncio.Event()

    async def stalls(connection: Any) -> None:
        await reading.wait()

    async with serving(stalls, max_queue=1) as (_, url):
        client = await tidewire.connect(url, compression=None)
        transport = client.transport
        for _ in range(200):
            client.send_nowait(bytes(100_000))
        assert transport.get_write_buffer_size() > 0
        descriptor = transport.get_extra_info("socket").fileno()
        client.abort()
        await asyncio.sleep(0.05)
        assert transport.get_write_buffer_size() == 0
        with pytest.raises(OSError):
            socket.socket(fileno=socket.dup(descriptor)).getpeername()
        reading.set()


FLOOD = """
import socket, sys
peer = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
peer.sendall(b"NOT HTTP" + bytes((13, 10, 13, 10)))
block = bytes(1 << 20)
try:
    while True:
        peer.sendall(block)
except OSError:
    pass
"""


@on_loops
async def test_a_refused_client_that_floods_holds_up_nobody() -> None:
    async with serving(lambda connection: connection.wait_closed()) as (server, _):
        port = server.sockets[0].getsockname()[1]
        flood = await asyncio.create_subprocess_exec(sys.executable, "-c", FLOOD, str(port))
        try:
            longest, before = 0.0, time.perf_counter()
            while flood.returncode is None:
                await asyncio.sleep(0.01)
                now = time.perf_counter()
                longest, before = max(longest, now - before), now
            assert longest < 0.5
        finally:
            with contextlib.suppress(ProcessLookupError):
                flood.kill()
            await flood.wait()


@pytest.mark.parametrize("loop", list(LOOPS))
def test_a_loop_may_go_on_in_another_thread(loop: str) -> None:
    """What was begun on the thread before is carried on."""

    async def echo(connection: Any) -> None:
        async for message in connection:
            await connection.send(message)

    async def begin() -> Any:
        server = await tidewire.serve(echo, "127.0.0.1", 0)
        client = await tidewire.connect(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        await client.send("one")
        assert await client.recv() == "one"
        return server, client

    async def go_on(server: Any, client: Any) -> Any:
        await client.send("two")
        answer = await asyncio.wait_for(client.recv(), 2)
        await client.close()
        server.close()
        await server.wait_closed()
        return answer

    running = LOOPS[loop]()
    server, client = running.run_until_complete(begin())
    thread = threading.Thread(target=running.run_forever)
    thread.start()
    try:
        assert asyncio.run_coroutine_threadsafe(go_on(server, client), running).result(5) == "two"
    finally:
        running.call_soon_threadsafe(running.stop)
        thread.join()
        running.close()


@pytest.mark.skipif(sys.version_info < (3, 11), reason="transports of TLS tell of unclosed ones before Python 3.11")
def test_threads_leave_the_transports_of_tls_to_the_loop() -> None:
    """The answer of a callback that ran in a thread is written by the loop's thread, and early messages come in order."""
    authority = trustme.CA()
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(server_side)
    client_side = ssl.create_default_context()
    authority.configure_trust(client_side)
    writers: set[int] = set()
    write = asyncio.sslproto._SSLProtocolTransport.write

    def watched(self: Any, data: Any) -> None:
        writers.add(threading.get_ident())
        write(self, data)

    def refuses(connection: Any, request: Any) -> Any:
        return connection.respond(403, "no") if request.path == "/no" else None

    def greets(connection: Any) -> None:
        connection.send(connection.recv())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio.sslproto._SSLProtocolTransport, "write", watched)
        with tidewire.sync.serve(greets, "127.0.0.1", 0, ssl=server_side, process_request=refuses) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            url = f"wss://127.0.0.1:{server.socket.getsockname()[1]}/"
            with tidewire.sync.connect(url, ssl=client_side) as client:
                client.send("early")
                assert client.recv(5) == "early"
            with pytest.raises(tidewire.InvalidStatus):
                tidewire.sync.connect(url + "no", ssl=client_side)
    carriers = {thread.ident for thread in threading.enumerate() if thread.name == "tidewire"}
    assert writers and writers <= carriers


@on_loops
async def test_a_handler_that_cancels_itself_and_then_yields_is_cancelled() -> None:
    """Also where it was resumed past its task, and waits for nothing but its next turn."""
    caught: list[BaseException] = []

    async def handler(connection: Any) -> None:
        async for message in connection:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            try:
                await asyncio.sleep(0)
            except BaseException as error:
                caught.append(error)
            if hasattr(task, "uncancel"):
                task.uncancel()
            await connection.send(message)

    async with serving(handler) as (_, url), tidewire.connect(url) as client:
        for message in ("one", "two"):
            await client.send(message)
            assert await asyncio.wait_for(client.recv(), 2) == message
    assert [type(error) for error in caught] == [asyncio.CancelledError] * 2


def test_a_connection_that_is_handed_out_twice_stays_what_it_was() -> None:
    made: list[Any] = []
    told: list[dict[str, Any]] = []

    def make(server: Any) -> Any:
        if not made:
            made.append(tidewire.asyncio.server.ServerConnection(server))
        return made[0]

    async def echo(connection: Any) -> None:
        async for message in connection:
            await connection.send(message)

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
        async with serving(echo, create_connection=make) as (_, url), tidewire.connect(url) as client:
            with pytest.raises((tidewire.InvalidHandshake, OSError)):
                await tidewire.connect(url)
            await client.send("still here")
            assert await client.recv() == "still here"

    asyncio.run(asyncio.wait_for(main(), 5))
    assert [type(context["exception"]) for context in told] == [ConnectionError]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks are of Python 3.12")
@pytest.mark.parametrize("ends", ["with a message", "cancelled"])
def test_an_eager_task_of_a_handler_waits_on_its_own(ends: str) -> None:
    """It begins inside of a handler that was resumed past its task, and receives in its stead."""

    async def handler(connection: Any) -> None:
        async for message in connection:
            receiving = asyncio.create_task(connection.recv())
            if ends == "cancelled":
                receiving.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await receiving
                assert receiving.cancelled()
            else:
                message = await receiving
            await connection.send(message)

    async def main() -> None:
        async with serving(handler) as (_, url), tidewire.connect(url) as client:
            asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
            for message in ("one", "two", "three"):
                await client.send(message)
                if ends == "with a message":
                    await asyncio.sleep(0.01)
                    await client.send(message)
                assert await client.recv() == message

    asyncio.run(asyncio.wait_for(main(), 5))
