"""WebSockets of ASGI applications: `uvicorn --ws tidewire.asgi:WebSocketProtocol` (or `ws=` of `uvicorn.run`).

The ASGI specification of WebSocket, 2.4, with `websocket.http.response`. uvicorn's settings keep their meanings:
`ws_max_size`, `ws_max_queue`, `ws_ping_interval`, `ws_ping_timeout`, `ws_per_message_deflate`. As with uvicorn's own
classes, the Origin is the application's to judge: pages of any host may connect."""

from __future__ import annotations

import asyncio
import email.utils
import logging
import urllib.parse
import weakref
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Optional

from . import _core
from .asyncio.reactor import reactor_of
from .exceptions import ConnectionClosed, connection_closed
from .http import Headers, reason_phrase

__all__ = ["ClientDisconnected", "WebSocketProtocol"]

CLOSE_TIMEOUT = 10.0
"""Seconds that a peer has to answer a close frame."""

Event = dict[str, Any]
Pairs = Iterable[tuple[bytes, bytes]]


class ClientDisconnected(OSError):
    """What `send` raises once the connection is closed (ASGI 2.4)."""


class WebSocketProtocol(_core.Protocol, asyncio.BufferedProtocol):
    """Takes over a connection whose request uvicorn has read."""

    def __new__(
        cls,
        config: Any,
        server_state: Any,
        app_state: dict[str, Any],
        _loop: Optional[asyncio.AbstractEventLoop] = None,
    ) -> WebSocketProtocol:
        if not config.loaded:
            config.load()
        loop = _loop or asyncio.get_running_loop()
        connection = _Connection(reactor_of(loop), _settings(config), True)
        self: WebSocketProtocol = super().__new__(cls, connection)  # type: ignore[assignment]
        self.connections = server_state.connections
        self.application = connection.application = _Application(
            self, connection, loop, config, server_state, app_state
        )
        return self

    connections: set[Any]
    application: _Application

    # asyncio.BufferedProtocol has none of its own, and object's takes no arguments.
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.connections.add(self)
        self.application.made(transport)
        super().connection_made(transport)

    def shutdown(self) -> None:
        """uvicorn stops: 1012 (service restart) where the connection is open, 503 where nothing is decided."""
        self.application.shutdown()


class _Connection(_core.Connection):
    application: _Application

    def _on_request(self, method: str, target: str, fields: list[tuple[str, str]], websocket: bool) -> None:
        self.application.requested(target, fields)

    def _on_refused(self, status: int, why: str) -> None:
        self.application.logger.info("%s - refused %d: %s", self.application.peer(), status, why)

    def _on_lost(self, error: Optional[BaseException]) -> None:
        self.application.lost()

    def _closed_error(self) -> BaseException:
        return connection_closed(self.close_frames)


class _Application:
    """One run of the ASGI application, and what it knows of its connection."""

    def __init__(
        self,
        protocol: WebSocketProtocol,
        connection: _Connection,
        loop: asyncio.AbstractEventLoop,
        config: Any,
        server_state: Any,
        app_state: dict[str, Any],
    ) -> None:
        self.protocol = protocol
        self.connection = connection
        self.loop = loop
        self.config = config
        self.server_state = server_state
        self.app_state = app_state
        self.logger = logging.getLogger("uvicorn.error")
        self.scope: Event = {"client": None, "server": None, "scheme": "ws"}
        self.told_connect = False
        self.accepted = False
        # Set once the request is accepted or refused, or its sender is gone.
        self.settled = asyncio.Event()
        self.closing = False
        self.gone = False
        self.denial: Optional[_Denial] = None

    # What the connection calls.

    def made(self, transport: asyncio.BaseTransport) -> None:
        self.scope = {
            "server": _address(transport, "sockname"),
            "client": _address(transport, "peername"),
            "scheme": "wss" if transport.get_extra_info("sslcontext") else "ws",
        }

    def requested(self, target: str, fields: list[tuple[str, str]]) -> None:
        refusal = self.connection.check()
        if refusal is not None:
            status, phrase, more, body, why = refusal
            self.logger.warning("%s - refused %d: %s", self.peer(), status, why)
            self.respond(status, phrase, more, body)
            return
        raw_path, _, query = target.partition("?")
        self.scope.update(
            {
                "type": "websocket",
                "asgi": {"version": self.config.asgi_version, "spec_version": "2.4"},
                "http_version": "1.1",
                "root_path": self.config.root_path,
                "path": self.config.root_path + urllib.parse.unquote(raw_path),
                "raw_path": (self.config.root_path + raw_path).encode("latin-1"),
                "query_string": query.encode("latin-1"),
                "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in fields],
                "subprotocols": self.connection.offered,
                "state": self.app_state.copy(),
                "extensions": {"websocket.http.response": {}},
            }
        )
        self.target = target
        task = self.loop.create_task(self.run())
        self.server_state.tasks.add(task)
        task.add_done_callback(self.server_state.tasks.discard)

    def lost(self) -> None:
        self.gone = True
        self.settled.set()
        self.server_state.connections.discard(self.protocol)

    def shutdown(self) -> None:
        if self.accepted:
            self.connection.begin_close(1012)
        elif not self.settled.is_set() and self.denial is None:
            self.refuse(HTTPStatus.SERVICE_UNAVAILABLE)

    # The application and its two ends.

    async def run(self) -> None:
        try:
            result = await self.config.loaded_app(self.scope, self.receive, self.send)
        except ClientDisconnected:
            self.finish(1000)
        except asyncio.CancelledError:
            # uvicorn's graceful stop took too long.
            self.finish(1012)
            raise
        except BaseException:
            self.logger.exception("Exception in ASGI application\n")
            self.finish(1011)
        else:
            if result is not None:
                self.logger.error("The ASGI application should return None, but returned %r.", result)
            if not self.settled.is_set() and self.denial is None:
                self.logger.error("The ASGI application returned and has neither accepted nor refused.")
            self.finish(1000)

    def finish(self, code: int) -> None:
        """The application has ended: so does what it left open."""
        if self.accepted:
            if not self.closing:
                self.closing = True
                self.connection.begin_close(code)
        elif self.denial is not None:
            if not self.denial.ended:
                self.connection.abort()
        elif not self.settled.is_set():
            self.refuse(HTTPStatus.INTERNAL_SERVER_ERROR)

    async def receive(self) -> Event:
        if not self.told_connect:
            self.told_connect = True
            return {"type": "websocket.connect"}
        if not self.settled.is_set():
            await self.settled.wait()
        if not self.accepted:
            return {"type": "websocket.disconnect", "code": 1006, "reason": ""}
        while True:
            try:
                data = await self.connection.recv()
            except ConnectionClosed as closed:
                return {"type": "websocket.disconnect", "code": int(closed.code), "reason": closed.reason}
            # What comes behind the application's own close is not for it.
            if not self.closing:
                return {"type": "websocket.receive", "text" if isinstance(data, str) else "bytes": data}

    async def send(self, event: Event) -> None:
        kind = event["type"]
        if self.accepted:
            await self.send_open(kind, event)
        elif self.denial is not None:
            if kind != "websocket.http.response.body" or self.denial.ended:
                raise RuntimeError(f"{kind!r} can't be sent here: the response to the request is {self.denial.stage}.")
            await self.denial.body(event.get("body", b""), event.get("more_body", False))
        elif self.gone:
            raise ClientDisconnected("the client is gone")
        elif self.settled.is_set():
            raise RuntimeError(f"{kind!r} can't be sent here: the request was refused.")
        elif kind == "websocket.accept":
            self.accept(event)
        elif kind == "websocket.close":
            self.log("%d", 403)
            self.refuse(HTTPStatus.FORBIDDEN)
        elif kind == "websocket.http.response.start":
            self.denial = _Denial(self, event)
            self.log("%d", event["status"])
        else:
            raise RuntimeError(
                f"{kind!r} can't be sent here: accept, close or answer the request first "
                "('websocket.accept', 'websocket.close', 'websocket.http.response.start')."
            )

    async def send_open(self, kind: str, event: Event) -> None:
        if kind not in ("websocket.send", "websocket.close"):
            raise RuntimeError(f"{kind!r} can't be sent here: the connection is open.")
        if self.closing:
            raise RuntimeError(f"{kind!r} can't be sent here: the application has closed the connection.")
        if kind == "websocket.close":
            self.closing = True
            self.connection.begin_close(event.get("code", 1000), event.get("reason") or "")
            return
        data = event.get("bytes")
        try:
            await self.connection.send(event["text"] if data is None else data)
        except ConnectionClosed as closed:
            raise ClientDisconnected(str(closed)) from closed

    # Answers to the request.

    def accept(self, event: Event) -> None:
        subprotocol = event.get("subprotocol")
        fields = []
        for name, value in _decoded([*self.server_state.default_headers, *event.get("headers", ())]):
            # Some applications choose the subprotocol so.
            if name.lower() == "sec-websocket-protocol" and not subprotocol:
                subprotocol = value
            else:
                fields.append((name, value))
        self.connection.negotiate(subprotocol or None, fields)
        self.connection.open()
        self.accepted = True
        self.settled.set()
        self.log("[accepted]")

    def refuse(self, status: HTTPStatus) -> None:
        body = b"" if status == HTTPStatus.FORBIDDEN else f"{status.phrase}\n".encode()
        self.respond(status, status.phrase, [("Content-Type", "text/plain; charset=utf-8")], body)

    def respond(self, status: int, phrase: str, fields: Iterable[tuple[str, str]], body: bytes) -> None:
        self.settled.set()
        self.connection.respond(self.head(status, phrase, fields, len(body)) + body)

    def head(self, status: int, phrase: str, fields: Iterable[tuple[str, str]], length: Optional[int]) -> bytes:
        """The head of a response behind which the connection ends. `length` of the body: None where it isn't known."""
        headers = Headers(_decoded(self.server_state.default_headers))
        headers.update(fields)
        for name in ("Connection", "Transfer-Encoding"):
            if name in headers:
                del headers[name]
        if "Date" not in headers:
            headers["Date"] = email.utils.formatdate(usegmt=True)
        if length is not None and "Content-Length" not in headers:
            headers["Content-Length"] = str(length)
        headers["Connection"] = "close"
        return f"HTTP/1.1 {status} {phrase}\r\n".encode("latin-1") + headers.serialize()

    # For the log.

    def peer(self) -> str:
        client = self.scope["client"]
        return f"{client[0]}:{client[1]}" if client else ""

    def log(self, outcome: str, *args: object) -> None:
        self.logger.info('%s - "WebSocket %s" ' + outcome, self.peer(), self.target, *args)


class _Denial:
    """The application's own answer to the request (`websocket.http.response`)."""

    def __init__(self, application: _Application, event: Event) -> None:
        self.application = application
        self.status = int(event["status"])
        if not 200 <= self.status < 600:
            raise RuntimeError(f"{self.status} is no status that ends a request: give one from 200 to 599.")
        self.fields = _decoded(event.get("headers", ()))
        self.begun = False
        self.ended = False

    @property
    def stage(self) -> str:
        return "complete" if self.ended else "begun"

    async def body(self, data: bytes, more: bool) -> None:
        application = self.application
        if application.gone:
            raise ClientDisconnected("the client is gone")
        if not self.begun:
            data = (
                application.head(self.status, reason_phrase(self.status), self.fields, None if more else len(data))
                + data
            )
        self.begun = True
        self.ended = not more
        if not more:
            application.settled.set()
        try:
            await application.connection.respond_more(data, not more)
        except ConnectionClosed as closed:
            raise ClientDisconnected("the client is gone") from closed


def _decoded(pairs: Pairs) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in pairs]


def _address(transport: asyncio.BaseTransport, which: str) -> Optional[tuple[str, Optional[int]]]:
    """As ASGI tells it: host and port, or path and None."""
    address = transport.get_extra_info(which)
    if isinstance(address, (tuple, list)) and len(address) >= 2:
        return str(address[0]), int(address[1])
    return (address, None) if isinstance(address, str) and address and which == "sockname" else None


_all_settings: weakref.WeakKeyDictionary[Any, _core.Settings] = weakref.WeakKeyDictionary()


def _settings(config: Any) -> _core.Settings:
    settings = _all_settings.get(config)
    if settings is None:
        settings = _all_settings[config] = _core.Settings(
            max_size=config.ws_max_size,
            max_queue=config.ws_max_queue,
            ping_interval=config.ws_ping_interval or None,
            ping_timeout=config.ws_ping_timeout or None,
            close_timeout=CLOSE_TIMEOUT,
            # The application takes its time to decide.
            open_timeout=None,
            compression="deflate" if config.ws_per_message_deflate else None,
            origins=["*", None],
        )
    return settings
