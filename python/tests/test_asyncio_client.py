"""The asyncio client, with python-websockets at the other end."""

from __future__ import annotations

import asyncio
import contextlib
import http
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import websockets.asyncio.server as peers
from loops import contexts, echo, old_tls, on_loops, serving, until, url_of

import tidewire
from tidewire import (
    ConnectionClosedError,
    InvalidMessage,
    InvalidProxy,
    InvalidProxyMessage,
    InvalidProxyStatus,
    InvalidStatus,
    InvalidUpgrade,
    InvalidURI,
    ProxyError,
    SecurityError,
    State,
    connect,
)


@contextlib.asynccontextmanager
async def foreign(handler: Any = echo, **options: Any) -> AsyncIterator[tuple[Any, str]]:
    """A server of python-websockets, and its URL."""
    async with peers.serve(handler, "127.0.0.1", 0, **options) as server:
        yield server, url_of(server, secure="ssl" in options)


Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def scripted(script: Script) -> AsyncIterator[str]:
    """A server that does as the script says, byte by byte."""
    tasks = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.current_task())
        try:
            # Told to end, it ends: a cancelled task would be told of.
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await script(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()
        # What was accepted in this turn begins in the next one.
        await asyncio.sleep(0.02)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)


def answering(answer: bytes) -> Script:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()

    return script


@on_loops
async def test_text_and_binary_come_back() -> None:
    async with foreign() as (_, url), connect(url) as ours:
        assert ours.compressed
        for message in ("", "hello", "ä€😀", b"", b"\x00\xff", "x" * 100_000, os.urandom(300_000)):
            await ours.send(message)
            assert await ours.recv() == message
    async with foreign() as (_, url), connect(url, compression=None) as ours:
        assert not ours.compressed
        assert ours.extensions == ""


@on_loops
async def test_what_a_client_knows() -> None:
    async with foreign(subprotocols=["b", "a"]) as (_, url):
        async with connect(url + "path?query", subprotocols=["a", "b"]) as ours:
            assert ours.state is State.OPEN
            assert ours.subprotocol == "b"
            assert ours.response is not None
            assert ours.response.status_code == 101
            assert ours.response.headers["Upgrade"] == "websocket"
            assert ours.request is not None
            assert ours.request.path == "/path?query"
            assert ours.remote_address[1] == int(url[15:-1])
            assert ours.local_address[0] == "127.0.0.1"
            assert ours.transport is not None
            assert 0 < await (await ours.ping()) < 2
        assert ours.state is State.CLOSED
        assert ours.close_code == 1000
        ours = await connect(url, subprotocols=["a"])
        await ours.close(4001, "mine")
        with pytest.raises(ConnectionClosedError) as caught:
            await ours.send("x")
        assert caught.value.sent == (4001, "mine")
        assert caught.value.rcvd == (4001, "mine")
        assert caught.value.rcvd_then_sent is False


@on_loops
async def test_the_fields_of_the_request() -> None:
    seen: list[Any] = []

    async def handler(connection: Any) -> None:
        seen.append(connection.request.headers)

    async with foreign(handler) as (_, url):
        async with connect(url, origin="https://o.test", additional_headers=[("A", "1"), ("A", "2")]):
            pass
        async with connect(url, user_agent_header=None):
            pass
        async with connect(url.replace("ws://", "ws://m%C3%A9:p%3Aw@"), user_agent_header="mine"):
            pass
    assert seen[0]["Origin"] == "https://o.test"
    assert seen[0].get_all("A") == ["1", "2"]
    assert seen[0]["User-Agent"].startswith("Python/3.")
    assert "tidewire/" in seen[0]["User-Agent"]
    assert "User-Agent" not in seen[1]
    assert "Origin" not in seen[1]
    assert seen[2]["Authorization"] == "Basic bcOpOnA6dw=="
    assert seen[2]["User-Agent"] == "mine"


@on_loops
async def test_what_cannot_be_asked() -> None:
    for url in ("127.0.0.1:1", "ftp://h/", "ws://", "ws://h:99999/", "ws://h/ä b", "ws://a:b:c@h@x/"):
        with pytest.raises(InvalidURI):
            await connect(url)
    for options in ({"additional_headers": {"Upgrade": "x"}}, {"subprotocols": ["a b"]}, {"subprotocols": ["a", "a"]}):
        with pytest.raises(ValueError, match="."):
            await connect("ws://127.0.0.1:1/", **options)
    with pytest.raises(ValueError, match="can't be sent"):
        connect("ws://h/", additional_headers={"A": "b\r\nC: d"})
    with pytest.raises(TypeError):
        connect("ws://h/", subprotocols="chat")
    with pytest.raises(ValueError, match="wss"):
        await connect("ws://h/", ssl=contexts()[1])
    with pytest.raises(InvalidProxy):
        await connect("ws://h.test/", proxy="gopher://p")


@on_loops
async def test_a_server_that_is_not_there() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        with pytest.raises(OSError, match="."):
            await connect(f"ws://127.0.0.1:{sock.getsockname()[1]}/")


@on_loops
async def test_a_refusal() -> None:
    def process_request(connection: Any, request: Any) -> Any:
        return connection.respond(http.HTTPStatus.FORBIDDEN, "not you")

    async with foreign(process_request=process_request) as (_, url):
        with pytest.raises(InvalidStatus, match="403") as caught:
            await connect(url)
        assert caught.value.response.status_code == 403
        assert caught.value.response.body == b"not you"
        assert caught.value.response.headers["Content-Type"].startswith("text/plain")


@on_loops
async def test_answers_that_make_no_websocket() -> None:
    head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    for answer, error in [
        (b"", InvalidMessage),
        (b"HTTP/1.1 200 OK\r\n", InvalidMessage),
        (b"SSH-2.0-x\r\n\r\n", InvalidMessage),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", InvalidStatus),
        (head + b"\r\n", InvalidUpgrade),
        (head + b"Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n", InvalidUpgrade),
    ]:
        async with scripted(answering(answer)) as url:
            with pytest.raises(error) as caught:
                await connect(url)
        assert isinstance(caught.value, tidewire.InvalidHandshake)
        if answer in (b"", b"HTTP/1.1 200 OK\r\n"):
            assert isinstance(caught.value.__cause__, EOFError)


@on_loops
async def test_open_timeout() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    async with scripted(script) as url:
        for timeout in (0.1, 0.001):
            with pytest.raises(TimeoutError):
                await connect(url, open_timeout=timeout)


@on_loops
async def test_a_cancelled_handshake_leaves_nothing() -> None:
    """edge 54: the handshake is cancelled at each of its awaits."""
    closed: list[bool] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        closed.append(True)

    async with scripted(script) as url:
        for turns in range(12):
            task = asyncio.ensure_future(connect(url)._connect())
            for _ in range(turns):
                await asyncio.sleep(0.001)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await asyncio.sleep(0.05)
        begun = len(closed)
        task = asyncio.ensure_future(connect(url)._connect())
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.wait([task])
        await until(lambda: len(closed) > begun)


@on_loops
async def test_redirects() -> None:
    seen: list[tuple[str, Any]] = []

    def process_request(connection: Any, request: Any) -> Any:
        seen.append((request.path, request.headers))
        if request.path in targets:
            response = connection.respond(302, "")
            response.headers["Location"] = targets[request.path]
            return response
        return None

    targets: dict[str, str] = {}
    secret = {"X-Secret": "s", "Cookie": "c"}
    async with foreign(process_request=process_request) as (_, url):
        async with foreign(process_request=process_request) as (_, other):
            login = url.replace("ws://", "ws://me:pw@")
            targets.update({"/a": "b?c", "/b?c": f"{other}d", "/loop": "/loop"})
            async with connect(login + "a", additional_headers=secret, origin="https://o.test") as ours:
                await ours.send("there")
                assert await ours.recv() == "there"
            assert [path for path, _ in seen] == ["/a", "/b?c", "/d"]
            for _, headers in seen[:2]:
                assert headers["X-Secret"] == "s"
                assert headers["Authorization"] == "Basic bWU6cHc="
            for name in ("X-Secret", "Cookie", "Authorization"):
                assert name not in seen[2][1]
            assert seen[2][1]["Origin"] == "https://o.test"
            with pytest.raises(SecurityError, match="circle"):
                await connect(url + "loop")
            targets.update({f"/{number}": f"/{number + 1}" for number in range(11)})
            async with connect(url + "1"):
                pass
            with pytest.raises(SecurityError, match="more than 10"):
                await connect(url + "0")
            with pytest.raises(SecurityError, match="one place"):
                await connect(url + "b?c", host="127.0.0.1")


@old_tls
@on_loops
async def test_inside_tls() -> None:
    for_server, for_client = contexts()
    async with foreign(ssl=for_server) as (_, url):
        async with connect(url, ssl=for_client) as ours:
            await ours.send("x" * 300_000)
            assert await ours.recv() == "x" * 300_000
        async with connect(url.replace("127.0.0.1", "localhost"), ssl=for_client, host="127.0.0.1") as ours:
            await ours.send("x")
            assert await ours.recv() == "x"
        # Nobody vouches for it. asyncio tells of the server's end in its debug mode.
        loop = asyncio.get_running_loop()
        before = loop.get_exception_handler()
        loop.set_exception_handler(lambda *_: None)
        with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
            await connect(url)
        await asyncio.sleep(0.01)
        loop.set_exception_handler(before)


@on_loops
async def test_every_way_to_connect(tmp_path: Path) -> None:
    async with foreign() as (_, url):
        port = int(url[15:-1])
        sock = socket.create_connection(("127.0.0.1", port))
        async with connect(url, sock=sock) as ours:
            await ours.send("x")
            assert await ours.recv() == "x"
        async with connect("ws://elsewhere.test/", host="127.0.0.1", port=port, local_addr=("127.0.0.2", 0)) as ours:
            assert ours.local_address[0] == "127.0.0.2"
    path = str(tmp_path / "socket")
    async with peers.unix_serve(echo, path), tidewire.unix_connect(path) as ours:
        await ours.send("x")
        assert await ours.recv() == "x"
    with pytest.raises(ValueError, match="path"):
        await tidewire.unix_connect()


@on_loops
async def test_it_connects_again() -> None:
    turns = 0

    async def handler(connection: Any) -> None:
        nonlocal turns
        turns += 1
        await connection.send(str(turns))
        if turns < 3:
            connection.transport.abort()
        else:
            await connection.wait_closed()

    def process_request(connection: Any, request: Any) -> Any:
        nonlocal refusals
        refusals += 1
        return connection.respond(503, "later") if refusals in (2, 3) else None

    refusals = 0
    waits: list[float] = []

    def delays() -> Any:
        while True:
            waits.append(0.01)
            yield 0.01

    received = []
    async with foreign(handler, process_request=process_request) as (_, url):
        async for ours in connect(url, reconnect_delays=delays):
            try:
                async for message in ours:
                    received.append(message)
                    if message == "3":
                        break
            except ConnectionClosedError:
                continue
            break
        await ours.close()
    assert received == ["1", "2", "3"]
    assert len(waits) == 4


@on_loops
async def test_final_errors_end_the_attempts() -> None:
    def process_request(connection: Any, request: Any) -> Any:
        return connection.respond(404, "no")

    async with foreign(process_request=process_request) as (_, url):
        with pytest.raises(InvalidStatus):  # noqa: PT012
            async for _ in connect(url):
                raise AssertionError

        def judge(error: Exception) -> Any:
            judged.append(error)
            return None if len(judged) < 3 else LookupError("mine")

        judged: list[Exception] = []
        with pytest.raises(LookupError, match="mine") as caught:  # noqa: PT012
            async for _ in connect(url, process_exception=judge, reconnect_delays=lambda: iter([0.0] * 9)):
                raise AssertionError
        assert caught.value.__cause__ is judged[-1]


@on_loops
async def test_waiting_to_connect_again_can_be_cancelled() -> None:
    async def forever() -> None:
        async for _ in connect("ws://127.0.0.1:1/", reconnect_delays=lambda: iter([60.0])):
            raise AssertionError

    task = asyncio.ensure_future(forever())
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@on_loops
async def test_a_cancelled_client_does_not_wait_for_a_server_that_hangs() -> None:
    """edge 65: Ctrl-C at once."""
    key = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        import base64
        import hashlib

        head = await reader.readuntil(b"\r\n\r\n")
        (line,) = [line for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:")]
        told = hashlib.sha1(line.split(b":")[1].strip() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + base64.b64encode(told) + b"\r\n\r\n"
        )
        await asyncio.sleep(60)

    async def main() -> None:
        async with connect(url) as ours:
            key.set()
            await ours.recv()

    async with scripted(script) as url:
        task = asyncio.ensure_future(main())
        await key.wait()
        loop = asyncio.get_running_loop()
        began = loop.time()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert loop.time() - began < 3


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()


def proxying(kind: str, seen: list[bytes]) -> Script:
    """A proxy of our own: CONNECT, or SOCKS5 with a login."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if kind == "http":
            head = await reader.readuntil(b"\r\n\r\n")
            seen.append(head)
            host, _, port = head.split()[1].decode().rpartition(":")
            writer.write(b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n")
        else:
            _, count = await reader.readexactly(2)
            methods = await reader.readexactly(count)
            if 2 in methods:
                writer.write(b"\x05\x02")
                _, length = await reader.readexactly(2)
                seen.append(await reader.readexactly(length))
                seen.append(await reader.readexactly((await reader.readexactly(1))[0]))
                writer.write(b"\x01\x00")
            else:
                writer.write(b"\x05\x00")
            _, _, _, form = await reader.readexactly(4)
            if form == 3:
                host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
            else:
                host = socket.inet_ntoa(await reader.readexactly(4))
            seen.append(host.encode())
            port = str(int.from_bytes(await reader.readexactly(2), "big"))
            writer.write(b"\x05\x00\x00\x01" + bytes(6))
        there, back = await asyncio.open_connection("127.0.0.1", int(port))
        try:
            await asyncio.gather(pump(reader, back), pump(there, writer))
        finally:
            back.transport.abort()
            with contextlib.suppress(ConnectionError):
                await back.wait_closed()

    return script


@old_tls
@on_loops
async def test_through_proxies() -> None:
    for_server, for_client = contexts()
    for secure in (False, True):
        async with foreign(**({"ssl": for_server} if secure else {})) as (_, url):
            options: Any = {"ssl": for_client, "server_hostname": "localhost"} if secure else {}
            port = int(url.rpartition(":")[2][:-1])
            far = f"{'wss' if secure else 'ws'}://far.test:{port}/"
            for scheme in ("http", "socks5h", "socks5"):
                seen: list[bytes] = []
                async with scripted(proxying("http" if scheme == "http" else "socks", seen)) as proxy:
                    through = proxy.replace("ws://", f"{scheme}://me:p%40w@").rstrip("/")
                    to = url if scheme == "socks5" else far
                    async with connect(to, proxy=through, **options) as ours:
                        await ours.send("x" * 100_000)
                        assert await ours.recv() == "x" * 100_000
                if scheme == "http":
                    assert seen[0].startswith(b"CONNECT far.test:")
                    assert b"\r\nProxy-Authorization: Basic bWU6cEB3\r\n" in seen[0]
                else:
                    assert seen == [b"me", b"p@w", b"127.0.0.1" if scheme == "socks5" else b"far.test"]


@on_loops
async def test_proxies_that_refuse() -> None:
    for answer, error in [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n", InvalidProxyStatus),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", InvalidProxyStatus),
        (b"SSH-2.0\r\n\r\n", InvalidProxyMessage),
        (b"HTTP/1.1 200", ProxyError),
        (b"x" * 20_000, ProxyError),
    ]:
        async with scripted(answering(answer)) as proxy:
            with pytest.raises(error):
                await connect("ws://far.test/", proxy=proxy.replace("ws://", "http://"))


@on_loops
async def test_proxies_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes] = []
    async with foreign() as (_, url), scripted(proxying("http", seen)) as proxy:
        monkeypatch.setenv("ws_proxy", proxy.replace("ws://", "http://"))
        far = url.replace("127.0.0.1", "far.test")
        async with connect(far):
            pass
        assert len(seen) == 1
        # This machine is reached directly, and so is what no_proxy names.
        async with connect(url):
            pass
        assert len(seen) == 1
        monkeypatch.setenv("no_proxy", "far.test")
        with pytest.raises(OSError, match="."):
            await connect(far)
        with pytest.raises(OSError, match="."):
            await connect(far, proxy=None)


@on_loops
async def test_many_clients_of_our_own_server() -> None:
    async with serving(echo) as (server, url):

        async def client(number: int) -> None:
            async with connect(url) as ours:
                for turn in range(5):
                    await ours.send(f"{number} {turn}")
                    assert await ours.recv() == f"{number} {turn}"

        await asyncio.gather(*(client(number) for number in range(100)))
        await until(lambda: not server._connections)
