"""The callback face on asyncio's and uvloop's loops."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
import websockets
import websockets.asyncio.client as peers
from loops import on_loops, serving, until

import tidewire
from tidewire import ConnectionClosedOK, Handler


def connect(url: str, **options: Any) -> Any:
    return peers.connect(url, proxy=None, **options)


class Noted(Handler):
    """Notes what it is told, and echoes."""

    told: list[tuple[Any, ...]]

    def on_open(self, connection: tidewire.ServerConnection) -> None:
        Noted.told.append(("open", connection.state, connection.subprotocol))

    def on_message(self, connection: Any, message: Any) -> None:
        Noted.told.append(("message", message))
        connection.send_nowait(message)

    def on_ping(self, connection: Any, data: bytes) -> None:
        Noted.told.append(("ping", data))

    def on_pong(self, connection: Any, data: bytes) -> None:
        Noted.told.append(("pong", data))

    def on_close(self, connection: Any, code: int, reason: str) -> None:
        Noted.told.append(("close", code, reason))


@on_loops
async def test_all_callbacks() -> None:
    Noted.told = []
    async with serving(Noted, subprotocols=["a"]) as (server, url):
        async with connect(url, subprotocols=["a"]) as peer:
            await until(lambda: server.connections)
            (connection,) = server.connections
            for message in ("text", b"binary", "", "x" * 200_000):
                await peer.send(message)
                assert await peer.recv() == message
            await (await peer.ping(b"to it"))
            connection.write_ping(b"from it")
            await until(lambda: ("pong", b"from it") in Noted.told)
            await peer.close(4002, "mine")
        await until(lambda: not server._connections)
        assert not server._tasks
    assert Noted.told[0] == ("open", 1, "a")
    assert [told for told in Noted.told if told[0] == "message"] == [
        ("message", message) for message in ("text", b"binary", "", "x" * 200_000)
    ]
    assert ("ping", b"to it") in Noted.told
    assert Noted.told[-1] == ("close", 4002, "mine")


@on_loops
async def test_payload() -> None:
    class Bytes(Handler):
        payload = "bytes"

        def on_message(self, connection: Any, message: Any) -> None:
            kinds.append((type(message), bytes(message)))
            connection.send_nowait(message, True)

    class Views(Bytes):
        payload = "memoryview"

    for handler, kind in ((Bytes, bytes), (Views, memoryview)):
        kinds: list[Any] = []
        async with serving(handler) as (_, url), connect(url) as peer:
            await peer.send("ä")
            assert await peer.recv() == "ä"
            await peer.send(b"b")
            assert await peer.recv() == "b"
        assert kinds == [(kind, b"\xc3\xa4"), (kind, b"b")]


@on_loops
async def test_one_object_for_all_connections() -> None:
    class Room(Handler):
        def __init__(self) -> None:
            self.joined: set[Any] = set()

        def on_open(self, connection: Any) -> None:
            self.joined.add(connection)

        def on_message(self, connection: Any, message: Any) -> None:
            tidewire.broadcast(self.joined, message)

        def on_close(self, connection: Any, code: int, reason: str) -> None:
            self.joined.discard(connection)

    room = Room()
    async with serving(room) as (_, url):
        all_peers = [await connect(url) for _ in range(4)]
        await until(lambda: len(room.joined) == 4)
        await all_peers[0].send("to all")
        assert [await peer.recv() for peer in all_peers] == ["to all"] * 4
        for peer in all_peers:
            await peer.close()
        await until(lambda: not room.joined)


@on_loops
async def test_errors_of_callbacks_are_logged_and_close_with_1011(caplog: pytest.LogCaptureFixture) -> None:
    class InMessage(Handler):
        def on_message(self, connection: Any, message: Any) -> None:
            raise LookupError("in on_message")

    class InOpen(InMessage):
        def on_open(self, connection: Any) -> None:
            raise LookupError("in on_open")

    class InItself(InMessage):
        def __init__(self) -> None:
            raise LookupError("in __init__")

    for handler, text in ((InMessage, "on_message"), (InOpen, "on_open"), (InItself, "__init__")):
        caplog.clear()
        async with serving(handler) as (_, url), connect(url) as peer:
            with pytest.raises(websockets.ConnectionClosedError):  # noqa: PT012
                await peer.send("x")
                await peer.recv()
            assert peer.close_code == 1011
        (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
        assert record.exc_info is not None
        assert text in str(record.exc_info[1])


@on_loops
async def test_process_request_may_be_async() -> None:
    async def process_request(connection: Any, request: Any) -> Any:
        await asyncio.sleep(0)
        return connection.respond(403, "no") if request.path == "/no" else None

    Noted.told = []
    async with serving(Noted, process_request=process_request) as (server, url):
        async with connect(url) as peer:
            await peer.send("x")
            assert await peer.recv() == "x"
            assert not server._tasks
        with pytest.raises(websockets.InvalidStatus):
            await connect(url + "no")


@on_loops
async def test_a_server_of_callbacks_ends() -> None:
    """edge 60: 1001 to all."""
    Noted.told = []
    async with serving(Noted) as (server, url):
        peer = await connect(url)
        await until(lambda: server.connections)
        server.close()
        await server.wait_closed()
        await peer.wait_closed()
        assert peer.close_code == 1001


@on_loops
async def test_a_client_can_be_called_back() -> None:
    class Client(Handler):
        def on_message(self, connection: Any, message: Any) -> None:
            received.append(message)

        def on_close(self, connection: Any, code: int, reason: str) -> None:
            received.append(code)

    received: list[Any] = []

    async def handler(connection: Any) -> None:
        for number in range(3):
            await connection.send(str(number))

    async with serving(handler) as (_, url):
        for late in (False, True):
            received = []
            ours = await tidewire.connect(url)
            if late:
                await ours.wait_closed()
            ours.set_handler(Client())
            await ours.wait_closed()
            assert received == ["0", "1", "2", 1000]
            with pytest.raises(ConnectionClosedOK):
                await ours.recv()
