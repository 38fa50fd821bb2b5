"""ASGI applications under uvicorn: the same tests with Tidewire and with uvicorn's own WebSocket class."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import fastapi
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from threads import ask, dial, flood, until
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus

VERSION = tuple(int(part) for part in uvicorn.__version__.split(".")[:2])

OURS = "tidewire.asgi:WebSocketProtocol"
Serving = Callable[..., Any]


@contextlib.contextmanager
def running(app: Any, http: str, ws: str, loop: str = "asyncio", **options: Any) -> Iterator[tuple[Any, int]]:
    config = uvicorn.Config(app, host="127.0.0.1", port=0, http=http, ws=ws, loop=loop, log_config=None, **options)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until(lambda: server.started)
        yield server, server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(15)
        assert not thread.is_alive()


@pytest.fixture(params=["h11", "httptools"])
def http(request: pytest.FixtureRequest) -> str:
    return str(request.param)


OUR_OWN = [(OURS, "asyncio"), (OURS, "uvloop")]
# The class of uvicorn's that we are compared with is as it is now from this version on.
UVICORNS = [("websockets-sansio", "asyncio")] if VERSION >= (0, 50) else []


@pytest.fixture(params=OUR_OWN + UVICORNS, ids=lambda param: f"{param[0].partition(':')[0]}-{param[1]}")
def serving(request: pytest.FixtureRequest, http: str) -> Serving:
    ws, loop = request.param
    return functools.partial(running, http=http, ws=ws, loop=loop)


@pytest.fixture(params=OUR_OWN, ids=lambda param: param[1])
def ours(request: pytest.FixtureRequest, http: str) -> Serving:
    ws, loop = request.param
    return functools.partial(running, http=http, ws=ws, loop=loop)


def url(port: int, path: str = "") -> str:
    return f"ws://127.0.0.1:{port}/{path}"


async def echo(scope: Any, receive: Any, send: Any) -> None:
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept"})
    while (event := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", **{key: event[key] for key in ("text", "bytes") if key in event}})


def websocket_only(app: Any) -> Any:
    """Leaves out the lifespan."""

    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] != "lifespan"
        await app(scope, receive, send)

    return wrapped


def test_messages_come_back(serving: Serving) -> None:
    with serving(websocket_only(echo)) as (_, port), dial(url(port)) as peer:
        for message in ("text", b"bytes", "", b"", "€" * 10_000, bytes(70_000)):
            peer.send(message)
            assert peer.recv(timeout=5) == message
        peer.send(["in ", "fragments"])
        assert peer.recv(timeout=5) == "in fragments"


def test_the_scope_tells_of_the_request(serving: Serving) -> None:
    scopes: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            scope["state"]["shared"] = "of the lifespan"
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        scopes.append(scope)
        await echo(scope, receive, send)

    with (
        serving(app, root_path="/api") as (_, port),
        dial(
            url(port, "a%20b/%E2%82%AC?x=1&y=%20"),
            subprotocols=["one", "two"],
            additional_headers={"X-Name": "me"},
        ) as peer,
    ):
        local = peer.local_address
    (scope,) = scopes
    assert scope["type"] == "websocket"
    assert scope["scheme"] == "ws"
    assert scope["http_version"] == "1.1"
    assert scope["path"] == "/api/a b/€"
    assert scope["raw_path"] == b"/api/a%20b/%E2%82%AC"
    assert scope["query_string"] == b"x=1&y=%20"
    assert scope["root_path"] == "/api"
    assert scope["subprotocols"] == ["one", "two"]
    assert (b"x-name", b"me") in scope["headers"]
    assert (b"host", f"127.0.0.1:{port}".encode()) in scope["headers"]
    assert scope["client"] == local
    assert scope["server"] == ("127.0.0.1", port)
    assert scope["state"] == {"shared": "of the lifespan"}
    assert "websocket.http.response" in scope["extensions"]
    assert scope["asgi"]["version"] == "3.0"


def test_accept_chooses_a_subprotocol_and_adds_fields(serving: Serving) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(
            {"type": "websocket.accept", "subprotocol": "two", "headers": [(b"x-seen", b"yes"), (b"x-seen", b"2")]}
        )
        await receive()

    with serving(app, lifespan="off") as (_, port), dial(url(port), subprotocols=["one", "two"]) as peer:
        assert peer.subprotocol == "two"
        assert peer.response is not None
        assert peer.response.headers.get_all("x-seen") == ["yes", "2"]
        assert peer.response.headers["Server"] == "uvicorn"


@pytest.mark.parametrize(("code", "reason"), [(1000, ""), (1001, "gone"), (4321, "grüße")])
def test_the_application_closes(serving: Serving, code: int, reason: str) -> None:
    told: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": "before"})
        await send({"type": "websocket.close", "code": code, "reason": reason})
        told.append(await receive())
        with pytest.raises(RuntimeError):
            await send({"type": "websocket.send", "text": "after"})
        told.append("refused")

    with serving(app, lifespan="off") as (_, port), dial(url(port)) as peer:
        assert peer.recv(timeout=5) == "before"
        with pytest.raises(ConnectionClosed) as closed:
            peer.recv(timeout=5)
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (code, reason)
        until(lambda: len(told) == 2)
    assert told[0]["type"] == "websocket.disconnect"
    assert told[0]["code"] == code


@pytest.mark.parametrize(("code", "reason"), [(1000, ""), (3500, "enough")])
def test_the_peer_closes(serving: Serving, code: int, reason: str) -> None:
    told: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        told.append(await receive())
        try:
            await send({"type": "websocket.send", "text": "too late"})
        except OSError as error:
            told.append(error)

    with serving(app, lifespan="off") as (_, port):
        dial(url(port)).close(code, reason)
        until(lambda: told)
    assert told[0] == {"type": "websocket.disconnect", "code": code, "reason": reason}


def test_send_raises_oserror_once_the_peer_is_gone(ours: Serving) -> None:
    """ASGI 2.4."""
    told: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        told.append((await receive())["code"])
        with pytest.raises(OSError, match="no close frame"):
            await send({"type": "websocket.send", "text": "too late"})
        told.append("refused")

    with ours(app, lifespan="off") as (_, port):
        peer = dial(url(port))
        peer.socket.shutdown(2)
        until(lambda: len(told) == 2)
    assert told == [1006, "refused"]


def test_refusals(serving: Serving) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        if scope["path"] == "/closed":
            await send({"type": "websocket.close"})
        elif scope["path"] == "/denied":
            headers = [(b"content-type", b"application/json"), (b"x-why", b"because")]
            await send({"type": "websocket.http.response.start", "status": 422, "headers": headers})
            await send({"type": "websocket.http.response.body", "body": b'{"a":', "more_body": True})
            await send({"type": "websocket.http.response.body", "body": b"1}"})
        elif scope["path"] == "/failed":
            raise ZeroDivisionError
        assert (await receive())["type"] == "websocket.disconnect"

    with serving(app, lifespan="off") as (_, port):
        for path, status in (("closed", 403), ("denied", 422), ("failed", 500)):
            with pytest.raises(InvalidStatus) as refused:
                dial(url(port, path))
            assert refused.value.response.status_code == status
            if path == "denied":
                assert refused.value.response.body == b'{"a":1}'
                assert refused.value.response.headers["x-why"] == "because"


def test_an_application_that_decides_nothing_is_a_500(serving: Serving, caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()

    caplog.set_level(logging.ERROR, "uvicorn.error")
    with serving(app, lifespan="off") as (_, port), pytest.raises(InvalidStatus) as refused:
        dial(url(port))
    assert refused.value.response.status_code == 500
    assert caplog.records


def test_a_failure_is_logged_and_closes_with_1011(ours: Serving, caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        raise ZeroDivisionError("of the application")

    caplog.set_level(logging.ERROR, "uvicorn.error")
    told = pytest.raises(ConnectionClosedError)
    with ours(app, lifespan="off") as (_, port), dial(url(port)) as peer, told as closed:
        peer.recv(timeout=5)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1011
    assert "of the application" in caplog.text
    assert "Traceback" in caplog.text


def test_events_out_of_turn_are_refused(ours: Serving) -> None:
    refused: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        for event in (
            {"type": "websocket.send", "text": "early"},
            {"type": "websocket.http.response.body", "body": b""},
        ):
            with pytest.raises(RuntimeError):
                await send(event)
        with pytest.raises(ValueError, match="sec-websocket-accept"):
            await send({"type": "websocket.accept", "headers": [(b"sec-websocket-accept", b"forged")]})
        with pytest.raises(ValueError, match="offer"):
            await send({"type": "websocket.accept", "subprotocol": "never offered"})
        await send({"type": "websocket.accept"})
        with pytest.raises(RuntimeError):
            await send({"type": "websocket.accept"})
        refused.append("all")

    with ours(app, lifespan="off") as (_, port), dial(url(port)) as peer, pytest.raises(ConnectionClosed) as closed:
        peer.recv(timeout=5)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1000
    assert refused == ["all"]


def test_a_slow_reader_holds_up_the_sender(serving: Serving) -> None:
    sent: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        for number in range(200):
            await send({"type": "websocket.send", "bytes": bytes(100_000)})
            sent.append(number)
        await send({"type": "websocket.close"})
        await receive()

    with serving(app, lifespan="off") as (_, port), dial(url(port), compression=None) as peer:
        time.sleep(0.3)
        assert len(sent) < 150
        assert sum(len(message) for message in peer) == 200 * 100_000


def test_a_slow_application_holds_up_the_peer(ours: Serving) -> None:
    go = threading.Event()
    count: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await asyncio.get_running_loop().run_in_executor(None, go.wait, 10)
        while (await receive())["type"] == "websocket.receive":
            count.append(1)

    with ours(app, lifespan="off", ws_max_queue=4) as (_, port), dial(url(port), compression=None) as peer:
        sent: list[int] = []

        def speak() -> None:
            for _ in range(300):
                peer.send(bytes(100_000))
                sent.append(1)

        thread = threading.Thread(target=speak)
        thread.start()
        time.sleep(0.5)
        assert len(sent) < 200
        go.set()
        thread.join(10)
    assert len(count) == 300


def test_a_close_is_not_held_up_by_what_the_application_does_not_receive(ours: Serving) -> None:
    codes: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await asyncio.sleep(0.3)
        await send({"type": "websocket.close", "code": 4000})
        codes.append((await receive())["code"])

    with ours(app, lifespan="off") as (_, port), dial(url(port), compression=None) as peer:
        began = time.monotonic()
        with pytest.raises(ConnectionClosedError) as closed:
            flood(peer)
        assert time.monotonic() - began < 5
        until(lambda: codes)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4000
    assert codes == [4000]


def test_a_message_that_is_too_large_ends_the_connection(serving: Serving) -> None:
    with serving(echo, lifespan="off", ws_max_size=1000) as (_, port), dial(url(port)) as peer:
        peer.send("x" * 1000)
        assert peer.recv(timeout=5) == "x" * 1000
        peer.send("x" * 1001)
        with pytest.raises(ConnectionClosedError) as closed:
            peer.recv(timeout=5)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009


@pytest.mark.parametrize("deflate", [True, False])
def test_compression_is_uvicorns_setting(serving: Serving, deflate: bool) -> None:
    with serving(echo, lifespan="off", ws_per_message_deflate=deflate) as (_, port), dial(url(port)) as peer:
        assert peer.response is not None
        assert ("Sec-WebSocket-Extensions" in peer.response.headers) == deflate


def test_a_peer_that_answers_no_ping_is_cut_off(serving: Serving) -> None:
    ended: list[float] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await echo(scope, receive, send)
        ended.append(time.monotonic())

    with serving(app, lifespan="off", ws_ping_interval=0.2, ws_ping_timeout=0.2) as (_, port):
        with socket.create_connection(("127.0.0.1", port)) as mute:
            began = time.monotonic()
            mute.sendall(
                b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            )
            until(lambda: ended, 15)
            assert ended[0] - began < 12


def test_a_stop_closes_with_1012(serving: Serving) -> None:
    told: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        told.append(await receive())

    with serving(app, lifespan="off") as (server, port), dial(url(port)) as peer:
        server.should_exit = True
        with pytest.raises(ConnectionClosedError) as closed:
            peer.recv(timeout=5)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
    assert told
    assert told[0]["type"] == "websocket.disconnect"
    assert told[0]["code"] == 1012


def test_a_stop_refuses_what_is_not_decided(ours: Serving) -> None:
    begun = threading.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        begun.set()
        assert (await receive())["type"] == "websocket.disconnect"

    with ours(app, lifespan="off") as (server, port):

        def stop() -> None:
            begun.wait(5)
            server.should_exit = True

        threading.Thread(target=stop).start()
        with pytest.raises(InvalidStatus) as refused:
            dial(url(port))
        assert refused.value.response.status_code == 503


def test_what_is_no_websocket_is_still_uvicorns(ours: Serving) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        await send({"type": "http.response.body", "body": b"page"})

    with ours(app, lifespan="off") as (_, port):
        status, _, body = ask(port, "GET / HTTP/1.1\r\nConnection: close")
        assert status == "HTTP/1.1 200 OK"
        assert body == b"page"


@pytest.mark.parametrize("field", ["Sec-WebSocket-Version: 12", "Sec-WebSocket-Key: short"])
def test_a_request_that_breaks_the_rules_reaches_no_application(ours: Serving, field: str) -> None:
    called: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        called.append(scope)

    fields = {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    name, _, value = field.partition(": ")
    fields[name] = value
    lines = "\r\n".join(f"{name}: {value}" for name, value in fields.items())
    with ours(app, lifespan="off") as (_, port):
        status, _, _ = ask(port, f"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{lines}")
    assert status.startswith("HTTP/1.1 4")
    assert not called


def test_starlette(serving: Serving) -> None:
    ends: list[Any] = []

    async def chat(socket: WebSocket) -> None:
        await socket.accept(subprotocol=socket.scope["subprotocols"][0])
        try:
            while True:
                await socket.send_json({"you": await socket.receive_json()})
        except WebSocketDisconnect as end:
            ends.append((end.code, end.reason))

    async def deny(socket: WebSocket) -> None:
        await socket.send_denial_response(JSONResponse({"error": "no"}, status_code=401))

    async def page(request: Any) -> JSONResponse:
        return JSONResponse({"page": True})

    app = Starlette(routes=[WebSocketRoute("/chat", chat), WebSocketRoute("/deny", deny), Route("/page", page)])
    with serving(app) as (_, port):
        with dial(url(port, "chat"), subprotocols=["chat"]) as peer:
            peer.send('{"a": [1, 2]}')
            assert peer.recv(timeout=5) == '{"you":{"a":[1,2]}}'
            peer.close(1000, "bye")
        with pytest.raises(InvalidStatus) as refused:
            dial(url(port, "deny"))
        assert refused.value.response.status_code == 401
        assert b'"no"' in refused.value.response.body
        with pytest.raises(InvalidStatus) as missing:
            dial(url(port, "missing"))
        assert missing.value.response.status_code in (403, 404)
        assert ask(port, "GET /page HTTP/1.1\r\nConnection: close")[2] == b'{"page":true}'
        until(lambda: ends)
    assert ends == [(1000, "bye")]


def test_fastapi(serving: Serving) -> None:
    app = fastapi.FastAPI()

    async def items(websocket, item, q="none"):  # type: ignore[no-untyped-def]
        await websocket.accept()
        await websocket.send_text(f"{item} {q}")
        async for text in websocket.iter_text():
            await websocket.send_text(text.upper())

    # FastAPI reads them, and does not know what this function imported.
    items.__annotations__.update(websocket=fastapi.WebSocket, item=int, q=str)
    app.websocket("/items/{item}")(items)
    with serving(app) as (_, port):
        with dial(url(port, "items/7?q=x")) as peer:
            assert peer.recv(timeout=5) == "7 x"
            peer.send("loud")
            assert peer.recv(timeout=5) == "LOUD"
        with pytest.raises(InvalidStatus) as refused:
            dial(url(port, "items/seven"))
        assert refused.value.response.status_code == 403
