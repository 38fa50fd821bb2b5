"""The asyncio server, with python-websockets at the other end."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import http
import logging
import os
import socket
from pathlib import Path
from typing import Any

import pytest
import websockets
import websockets.asyncio.client as peers
from loops import UPGRADE, ask, contexts, echo, old_tls, on_loops, serving, until, url_of

import tidewire
from tidewire import ConnectionClosedOK, Response, State, basic_auth


def connect(url: str, **options: Any) -> Any:
    return peers.connect(url, proxy=None, **options)


@on_loops
async def test_text_and_binary_come_back() -> None:
    async with serving(echo) as (_, url), connect(url) as peer:
        for message in ("", "hello", "ä€😀", b"", b"\x00\xff", "x" * 100_000, os.urandom(300_000)):
            await peer.send(message)
            assert await peer.recv() == message


@on_loops
async def test_without_compression() -> None:
    async with serving(echo, compression=None) as (_, url), connect(url) as peer:
        assert "Sec-WebSocket-Extensions" not in peer.response.headers
        await peer.send("x" * 1000)
        assert await peer.recv() == "x" * 1000


@on_loops
async def test_what_a_handler_knows() -> None:
    seen: list[Any] = []

    async def handler(connection: tidewire.ServerConnection) -> None:
        seen.append(connection)
        assert connection.state is State.OPEN
        assert connection.request is not None
        assert (connection.request.path, connection.request.method) == ("/path?query", "GET")
        assert connection.request.headers["X-Mine"] == "yes"
        assert connection.response is not None
        assert connection.response.status_code == 101
        assert connection.response.headers["Server"].startswith("Python/3.")
        assert connection.subprotocol is None
        assert connection.close_code is None
        await connection.send(f"{connection.remote_address[1]} {connection.local_address[1]} {connection.id}")
        await connection.wait_closed()

    async with serving(handler) as (server, url):
        async with connect(url + "path?query", additional_headers={"X-Mine": "yes"}) as peer:
            there, here, name = (await peer.recv()).split()
            assert int(there) == peer.local_address[1]
            assert int(here) == peer.remote_address[1]
            assert str(seen[0].id) == name
            assert server.connections == {seen[0]}
        await until(lambda: not server.connections)
    connection = seen[0]
    assert connection.state is State.CLOSED
    assert (connection.close_code, connection.close_reason) == (1000, "")
    with pytest.raises(ConnectionClosedOK) as caught:
        await connection.recv()
    assert caught.value.rcvd_then_sent is True
    assert caught.value.rcvd == (1000, "")
    with pytest.raises(ConnectionClosedOK):
        await connection.send("late")
    with pytest.raises(ConnectionClosedOK):
        await connection.ping()


@on_loops
async def test_the_end_of_a_handler_closes() -> None:
    async def handler(connection: Any) -> None:
        await connection.send("last words")

    async with serving(handler) as (_, url), connect(url) as peer:
        assert await peer.recv() == "last words"
        with pytest.raises(websockets.ConnectionClosedOK):
            await peer.recv()
        assert peer.close_code == 1000


@on_loops
async def test_an_error_of_a_handler_is_logged_and_closes_with_1011(caplog: pytest.LogCaptureFixture) -> None:
    async def handler(connection: Any) -> None:
        await connection.recv()
        raise LookupError("the handler's own")

    async with serving(handler) as (_, url), connect(url) as peer:
        await peer.send("go")
        with pytest.raises(websockets.ConnectionClosedError):
            await peer.recv()
        assert peer.close_code == 1011
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.name == "tidewire.server"
    assert record.message == "connection handler failed"
    assert record.exc_info is not None
    assert "the handler's own" in str(record.exc_info[1])


@on_loops
async def test_a_connection_that_closes_is_no_error_of_the_handler(caplog: pytest.LogCaptureFixture) -> None:
    ends: list[BaseException] = []

    async def handler(connection: Any) -> None:
        try:
            while True:
                await connection.recv()
        except BaseException as error:
            ends.append(error)
            raise

    async with serving(handler) as (_, url):
        async with connect(url):
            pass
        await until(lambda: ends)
        peer = await connect(url)
        peer.transport.abort()
        await until(lambda: len(ends) == 2)
    assert type(ends[0]) is ConnectionClosedOK
    assert type(ends[1]) is tidewire.ConnectionClosedError
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@on_loops
async def test_process_request_answers_or_lets_in() -> None:
    async def later(connection: Any, request: Any) -> Any:
        await asyncio.sleep(0)
        return at_once(connection, request)

    def at_once(connection: Any, request: Any) -> Any:
        if request.path == "/health":
            return connection.respond(http.HTTPStatus.OK, "fine\n")
        if request.headers.get("X-Token") != "right":
            response = connection.respond(403, "no\n")
            response.headers["X-Why"] = "token"
            return response
        connection.user = "me"
        return None

    async def handler(connection: Any) -> None:
        await connection.send(connection.user)

    for process_request in (at_once, later):
        async with serving(handler, process_request=process_request) as (_, url):
            status, fields, body = await ask(url, "GET /health HTTP/1.1")
            assert (status, body) == ("HTTP/1.1 200 OK", b"fine\n")
            assert (fields["connection"], fields["content-length"]) == ("close", "5")
            status, fields, body = await ask(url, "HEAD /health HTTP/1.1")
            assert (status, body, fields["content-length"]) == ("HTTP/1.1 200 OK", b"", "5")
            with pytest.raises(websockets.InvalidStatus) as caught:
                await connect(url)
            assert caught.value.response.status_code == 403
            assert caught.value.response.headers["X-Why"] == "token"
            async with connect(url, additional_headers={"X-Token": "right"}) as peer:
                assert await peer.recv() == "me"


@on_loops
async def test_process_response_adds_fields_or_refuses(caplog: pytest.LogCaptureFixture) -> None:
    def process_response(connection: Any, request: Any, response: Any) -> Any:
        if request.path == "/add":
            response.headers["Set-Cookie"] = "a=1"
            response.headers["Set-Cookie"] = "b=2"
            del response.headers["Server"]
        elif request.path == "/refuse":
            return connection.respond(409, "no\n")
        elif request.path == "/break":
            del response.headers["Sec-WebSocket-Accept"]
        return None

    async with serving(echo, process_response=process_response) as (_, url):
        async with connect(url + "add") as peer:
            assert peer.response.headers.get_all("Set-Cookie") == ["a=1", "b=2"]
            assert "Server" not in peer.response.headers
            await peer.send("works")
            assert await peer.recv() == "works"
        for path, status in (("refuse", 409), ("break", 500)):
            with pytest.raises(websockets.InvalidStatus) as caught:
                await connect(url + path)
            assert caught.value.response.status_code == status
    assert "handshake's own fields" in caplog.text


@on_loops
async def test_errors_of_callbacks_are_answered_with_500(caplog: pytest.LogCaptureFixture) -> None:
    def fails(connection: Any, request: Any) -> Any:
        raise LookupError("mine")

    async def fails_later(connection: Any, request: Any) -> Any:
        await asyncio.sleep(0)
        raise LookupError("mine")

    def is_wrong(connection: Any, request: Any) -> Any:
        return 200

    def forges(connection: Any, request: Any) -> Any:
        return Response(101, "Switching Protocols", tidewire.Headers())

    for process_request in (fails, fails_later, is_wrong, forges):
        caplog.clear()
        async with serving(echo, process_request=process_request) as (_, url):
            status, _, body = await ask(url, UPGRADE)
            assert status == "HTTP/1.1 500 Internal Server Error"
            assert b"mine" not in body
        assert "opening handshake failed" in caplog.text


@on_loops
async def test_callbacks_have_no_more_than_open_timeout() -> None:
    async def forever(connection: Any, request: Any) -> Any:
        await asyncio.sleep(60)

    async with serving(echo, process_request=forever, open_timeout=0.1) as (server, url):
        with pytest.raises((websockets.InvalidMessage, OSError)):
            await connect(url)
        await until(lambda: not server._tasks)


@on_loops
async def test_no_field_can_be_injected() -> None:
    def process_request(connection: Any, request: Any) -> Any:
        response = connection.respond(302, "")
        with pytest.raises(ValueError, match="can't be sent"):
            response.headers["Location"] = "/\r\nSet-Cookie: stolen"
        response.reason_phrase = "Found\r\nSet-Cookie: stolen"
        return response

    async with serving(echo, process_request=process_request) as (_, url):
        status, fields, _ = await ask(url, UPGRADE)
        assert status == "HTTP/1.1 500 Internal Server Error"
        assert "set-cookie" not in fields


@on_loops
async def test_a_name_of_another_machine() -> None:
    """A page whose host's name was made to lead to this machine has that host for its origin."""

    async def status_of(url: str) -> bytes:
        _, host, port, _, _ = tidewire._core.parse_url(url)
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(f"{UPGRADE}\r\nHost: app.example\r\nOrigin: http://app.example\r\n\r\n".encode())
        line = await reader.readline()
        writer.close()
        return line

    async with serving(echo) as (_, url):
        assert await status_of(url) == b"HTTP/1.1 403 Forbidden\r\n"
    async with serving(echo, origins=["app.example"]) as (_, url):
        assert await status_of(url) == b"HTTP/1.1 101 Switching Protocols\r\n"


@on_loops
async def test_a_request_that_is_no_websocket() -> None:
    async with serving(echo) as (_, url):
        status, fields, body = await ask(url, "GET / HTTP/1.1")
        assert status == "HTTP/1.1 426 Upgrade Required"
        assert b"WebSocket server" in body
        assert (fields["connection"], fields["upgrade"]) == ("Upgrade, close", "websocket")
        status, fields, _ = await ask(url, UPGRADE.replace("Version: 13", "Version: 8"))
        assert status == "HTTP/1.1 426 Upgrade Required"
        assert fields["sec-websocket-version"] == "13"
        status, *_ = await ask(url, "POST / HTTP/1.1\r\nContent-Length: 0")
        assert status.startswith("HTTP/1.1 4")
        status, *_ = await ask(url, "nonsense")
        assert status.startswith("HTTP/1.1 400")


@on_loops
async def test_subprotocols() -> None:
    async with serving(echo, subprotocols=["b", "a"]) as (_, url):
        async with connect(url, subprotocols=["a", "b", "c"]) as peer:
            assert peer.subprotocol == "b"
        for offered in (["c"], None):
            with pytest.raises(websockets.InvalidStatus) as caught:
                await connect(url, subprotocols=offered)
            assert caught.value.response.status_code == 400

    def select(connection: Any, offered: list[str]) -> Any:
        assert connection.request is not None
        if "none" in offered:
            return None
        if "bad" in offered:
            raise tidewire.NegotiationError("not this one")
        return offered[-1]

    async with serving(echo, select_subprotocol=select) as (_, url):
        async with connect(url, subprotocols=["a", "b"]) as peer:
            assert peer.subprotocol == "b"
        async with connect(url, subprotocols=["none"]) as peer:
            assert peer.subprotocol is None
        with pytest.raises(websockets.InvalidStatus) as caught:
            await connect(url, subprotocols=["bad"])
        assert b"not this one" in caught.value.response.body


@on_loops
async def test_origins() -> None:
    async with serving(echo, origins=["https://good.test", None]) as (_, url):
        async with connect(url, origin="https://good.test"), connect(url):
            pass
        with pytest.raises(websockets.InvalidStatus) as caught:
            await connect(url, origin="https://evil.test")
        assert caught.value.response.status_code == 403
    # Not given: the pages of the own host.
    async with serving(echo) as (_, url):
        async with connect(url, origin=url.replace("ws", "http").rstrip("/")):
            pass
        with pytest.raises(websockets.InvalidStatus):
            await connect(url, origin="https://evil.test")


def basic(login: str) -> str:
    return f"Basic {base64.b64encode(login.encode()).decode()}"


@on_loops
async def test_logins() -> None:
    async def check(user: str, password: str) -> bool:
        await asyncio.sleep(0)
        return (user, password) == ("ä", "p:w")

    async def handler(connection: Any) -> None:
        await connection.send(connection.username)

    for options in (
        {"credentials": ("ä", "p:w")},
        {"credentials": [("x", "y"), ("ä", "p:w")]},
        {"check_credentials": check},
        {"check_credentials": lambda user, password: (user, password) == ("ä", "p:w")},
    ):
        async with serving(handler, process_request=basic_auth("here", **options)) as (_, url):
            async with connect(url, additional_headers={"Authorization": basic("ä:p:w")}) as peer:
                assert await peer.recv() == "ä"
            for login in ("ä:no", "x:p:w", ":", "ä:"):
                with pytest.raises(websockets.InvalidStatus) as caught:
                    await connect(url, additional_headers={"Authorization": basic(login)})
                assert caught.value.response.status_code == 401
                assert caught.value.response.headers["WWW-Authenticate"] == 'Basic realm="here", charset="UTF-8"'
            assert (await ask(url, UPGRADE))[0] == "HTTP/1.1 401 Unauthorized"
            for value in ("Bearer x", "Basic !", "Basic eA==", "Basic /w=="):
                status, *_ = await ask(url, f"{UPGRADE}\r\nAuthorization: {value}")
                assert status == "HTTP/1.1 401 Unauthorized"


def test_logins_that_cannot_be_checked() -> None:
    for options in ({}, {"credentials": ("a", "b"), "check_credentials": bool}):
        with pytest.raises(ValueError, match="one of them"):
            basic_auth("r", **options)  # type: ignore[arg-type]
    for credentials in ((), ("a",), [("a", "b", "c")], [(1, 2)]):
        with pytest.raises(TypeError):
            basic_auth("r", credentials=credentials)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="realm"):
        basic_auth('"', credentials=("a", "b"))


@on_loops
async def test_shutdown_says_1001_and_waits_for_handlers() -> None:
    """edge 60: 1001 to all, handlers joined."""
    ended: list[str] = []

    async def handler(connection: Any) -> None:
        await connection.wait_closed()
        await asyncio.sleep(0.05)
        ended.append("handler")

    async with serving(handler) as (server, url):
        one, two = await connect(url), await connect(url)
        await until(lambda: len(server.connections) == 2)
        server.close()
        assert not server.is_serving()
        assert server.sockets == ()
        await server.wait_closed()
        assert ended == ["handler", "handler"]
        for peer in (one, two):
            await peer.wait_closed()
            assert peer.close_code == 1001
        with pytest.raises(OSError, match="."):
            await connect(url)
        server.close()
        await server.wait_closed()


@on_loops
async def test_a_server_closes_with_another_code_or_keeps_its_connections() -> None:
    async with serving(echo) as (server, url):
        peer = await connect(url)
        server.close(close_connections=False)
        waiting = asyncio.ensure_future(server.wait_closed())
        await peer.send("still here")
        assert await peer.recv() == "still here"
        assert not waiting.done()
        server.close(code=1012, reason="restart")
        await peer.wait_closed()
        assert (peer.close_code, peer.close_reason) == (1012, "restart")
        await waiting


@on_loops
async def test_what_has_not_asked_yet_does_not_hold_a_server() -> None:
    async with serving(echo) as (server, url):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url[15:-1]))
        writer.write(b"GET / HTTP/1.1\r\n")
        await until(lambda: server._connections)
        server.close()
        await server.wait_closed()
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
        writer.transport.abort()


@on_loops
async def test_requests_to_a_server_that_ends_get_503() -> None:
    came = asyncio.Event()
    go_on = asyncio.Event()

    async def process_request(connection: Any, request: Any) -> None:
        came.set()
        await go_on.wait()

    async with serving(echo, process_request=process_request) as (server, url):
        asking = asyncio.ensure_future(ask(url, UPGRADE))
        await came.wait()
        server.close()
        go_on.set()
        status, *_ = await asking
        assert status == "HTTP/1.1 503 Service Unavailable"
        await server.wait_closed()


@on_loops
async def test_serve_forever_ends_with_the_server_or_with_its_task() -> None:
    async with serving(echo) as (server, _):
        asyncio.get_running_loop().call_later(0.05, server.close)
        await server.serve_forever()
    async with serving(echo) as (server, url):
        task = asyncio.ensure_future(server.serve_forever())
        peer = await connect(url)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not server.is_serving()
        await peer.wait_closed()
        assert peer.close_code == 1001


@on_loops
async def test_a_cancelled_server_does_not_wait_for_handlers_that_hang() -> None:
    """edge 65: Ctrl-C, which cancels the main task, ends a server whose handlers and peers do not."""
    cancelled: list[Any] = []

    async def handler(connection: Any) -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(connection)
            raise

    async def main() -> None:
        async with serving(handler) as (server, url):
            urls.append(url)
            await server.serve_forever()

    urls: list[str] = []
    task = asyncio.ensure_future(main())
    await until(lambda: urls)
    sock = socket.create_connection(("127.0.0.1", int(urls[0][15:-1])))
    sock.sendall(UPGRADE.encode() + b"\r\nHost: localhost\r\n\r\n")
    await asyncio.sleep(0.1)
    loop = asyncio.get_running_loop()
    began = loop.time()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert loop.time() - began < 3
    assert len(cancelled) == 1
    sock.close()


@on_loops
async def test_it_can_start_to_serve_later() -> None:
    server = await tidewire.serve(echo, "127.0.0.1", 0, start_serving=False)
    assert not server.is_serving()
    url = url_of(server)
    with pytest.raises(OSError, match="."):
        await connect(url)
    await server.start_serving()
    await server.start_serving()
    assert server.is_serving()
    assert server.get_loop() is asyncio.get_running_loop()
    async with connect(url):
        pass
    server.close()
    await server.wait_closed()
    with pytest.raises(RuntimeError):
        await server


@on_loops
async def test_every_way_to_listen(tmp_path: Path) -> None:
    async with tidewire.serve(echo, "localhost", 0) as server:
        for sock in server.sockets:
            async with peers.connect(
                "ws://localhost/", host=sock.getsockname()[0], port=sock.getsockname()[1], proxy=None
            ):
                pass
    async with tidewire.serve(echo, None, 0, family=socket.AF_INET) as server:
        assert [sock.getsockname()[0] for sock in server.sockets] == ["0.0.0.0"]
    async with tidewire.serve(echo, ["127.0.0.1", "127.0.0.2"], 0) as server:
        assert [sock.getsockname()[0] for sock in server.sockets] == ["127.0.0.1", "127.0.0.2"]
    async with tidewire.serve(echo, "127.0.0.1", 0, reuse_port=True) as one:
        async with tidewire.serve(echo, "127.0.0.1", one.sockets[0].getsockname()[1], reuse_port=True):
            pass
    own = socket.create_server(("127.0.0.1", 0))
    async with tidewire.serve(echo, sock=own) as server:
        async with connect(url_of(server)) as peer:
            await peer.send("x")
            assert await peer.recv() == "x"
    path = tmp_path / "socket"
    for _ in range(2):
        async with tidewire.unix_serve(echo, path, mode=0o600):
            assert path.stat().st_mode & 0o777 == 0o600
            async with peers.unix_connect(str(path), "ws://localhost/") as peer:
                await peer.send("x")
                assert await peer.recv() == "x"
        assert not path.exists()
        # One that a process left there.
        left = socket.socket(socket.AF_UNIX)
        left.bind(str(path))
        left.close()


@on_loops
async def test_a_port_in_use() -> None:
    async with serving(echo) as (server, _):
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(OSError, match=f"127.0.0.1.*{port}"):
            await tidewire.serve(echo, "127.0.0.1", port)


def test_what_cannot_be_served() -> None:
    for options, error in [
        ({"sock": socket.socket, "port": 1}, ValueError),
        ({"unix": True}, ValueError),
        ({"nonsense": 1}, TypeError),
        ({"ssl_handshake_timeout": 1}, ValueError),
        ({"subprotocols": "chat"}, TypeError),
        ({"compression": "gzip"}, ValueError),
        ({"max_size": -1}, ValueError),
    ]:
        with pytest.raises(error):
            tidewire.serve(echo, **options)
    with pytest.raises(TypeError):
        tidewire.serve(None, "127.0.0.1", 0)  # type: ignore[arg-type]


@old_tls
@on_loops
async def test_inside_tls() -> None:
    for_server, for_client = contexts()
    async with serving(echo, ssl=for_server) as (server, url):
        async with connect(url, ssl=for_client) as peer:
            for message in ("hello", os.urandom(300_000)):
                await peer.send(message)
                assert await peer.recv() == message
            assert len(server.connections) == 1
        # A handshake of TLS that fails is no connection, and holds nothing. asyncio tells of it in its debug mode.
        loop = asyncio.get_running_loop()
        before = loop.get_exception_handler()
        loop.set_exception_handler(lambda *_: None)
        with pytest.raises((OSError, EOFError, websockets.InvalidMessage)):
            await connect(url.replace("wss", "ws"))
        loop.set_exception_handler(before)
        peer = await connect(url, ssl=for_client)
        server.close()
        await server.wait_closed()
        await peer.wait_closed()
        assert peer.close_code == 1001


@on_loops
async def test_a_connection_class_of_ones_own() -> None:
    class Mine(tidewire.ServerConnection):
        def __init__(self, server: tidewire.Server) -> None:
            super().__init__(server)
            self.mine = "mine"

    async def handler(connection: Any) -> None:
        await connection.send(connection.mine)

    async with serving(handler, create_connection=Mine) as (_, url), connect(url) as peer:
        assert await peer.recv() == "mine"


@on_loops
async def test_one_reactor_serves_several_servers_of_a_loop() -> None:
    async with serving(echo) as (one, url), serving(echo) as (two, other), connect(url) as peer, connect(other):
        assert one._reactor is two._reactor
        await peer.send("x")
        assert await peer.recv() == "x"


@on_loops
async def test_many_at_once() -> None:
    async def client(number: int) -> None:
        async with connect(url) as peer:
            for turn in range(5):
                await peer.send(f"{number} {turn}")
                assert await peer.recv() == f"{number} {turn}"

    async with serving(echo) as (server, url):
        await asyncio.gather(*(client(number) for number in range(100)))
        await until(lambda: not server._connections and not server._tasks)
