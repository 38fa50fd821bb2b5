"""What listens, and carries the connections to their handlers."""

from __future__ import annotations

import asyncio
import socket
import ssl as tls
from collections.abc import Awaitable, Callable, Coroutine, Generator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Optional, Union, cast

from .. import _core
from ..connection import LoggerLike, ServerSide
from ..exceptions import ConnectionClosed
from ..frames import CloseCode
from ..handler import Handler
from ..handshake import Opening
from .connection import Connection
from .listening import BACKLOG, file_of, remove_file
from .reactor import Carrier, reactor_of

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Server", "ServerConnection"]

GRACE = 0.5
"""Seconds that connections have for their closing handshake, and handlers to end, when a server is cancelled."""

CoroutineHandler = Callable[[Any], Awaitable[Any]]
AnyHandler = Union[CoroutineHandler, Handler, type[Handler]]


class ServerConnection(Connection, ServerSide):
    """A connection of a `server`. `request` and `response` are those of the opening handshake."""

    _too_late = False

    def __init__(self, server: Server) -> None:
        super().__init__(server._reactor, server._settings, True)
        self.server = server
        self.logger = server.logger
        self._loop = server._loop

    def _on_request(self, method: str, target: str, fields: list[tuple[str, str]], websocket: bool) -> None:
        self._take_request(method, target, fields, websocket)
        self.server._begin(self)

    def _on_lost(self, error: Optional[BaseException]) -> None:
        super()._on_lost(error)
        self.server._connections.discard(self)
        self.server._check_closed()


class ServerCarrier(Carrier):
    """Carries a server's connection inside TLS."""

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._connection.server._connections.add(self._connection)
        super().connection_made(transport)
        if self._connection.server._opening.closing:
            self._connection.abort()


class Server:
    """A server that listens, as `asyncio.Server` is one. `async with` and `await` begin it; `close` ends it."""

    _loop: asyncio.AbstractEventLoop
    _reactor: _core.Reactor

    def __init__(
        self,
        handler: AnyHandler,
        bind: Callable[[], Coroutine[Any, Any, list[socket.socket]]],
        *,
        settings: _core.Settings,
        opening: Opening,
        create_connection: Callable[[Server], ServerConnection] = ServerConnection,
        logger: LoggerLike,
        open_timeout: Optional[float] = 10,
        ssl: Optional[tls.SSLContext] = None,
        ssl_options: Optional[dict[str, Any]] = None,
        backlog: int = BACKLOG,
        start_serving: bool = True,
    ) -> None:
        self.handler = handler
        self.logger = logger
        self._make_handler: Optional[Callable[[], Handler]] = None
        if isinstance(handler, Handler):
            self._make_handler = lambda: handler
        elif isinstance(handler, type) and issubclass(handler, Handler):
            self._make_handler = handler
        elif not callable(handler):
            raise TypeError(f"a handler is a coroutine function or a tidewire.Handler, not {handler!r}")
        self._bind = bind
        self._settings = settings
        self._opening = opening
        self._create_connection = create_connection
        self._ssl = ssl
        self._ssl_options = ssl_options or {}
        self._backlog = backlog
        self._open_timeout = open_timeout
        self._start = start_serving
        self._sockets: list[socket.socket] = []
        self._files: list[tuple[Union[str, bytes], int]] = []
        self._keys: list[int] = []
        self._tls_servers: list[asyncio.AbstractServer] = []
        self._connections: set[ServerConnection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed: Optional[asyncio.Future[None]] = None
        self._serving = False

    # Beginning and end.

    async def _open(self) -> Self:
        if self._closed is not None:
            raise RuntimeError("this server was begun already: call serve() for another one")
        self._loop = asyncio.get_running_loop()
        self._reactor = reactor_of(self._loop)
        self._closed = self._loop.create_future()
        self._sockets = await self._bind()
        self._files = [file for file in map(file_of, self._sockets) if file is not None]
        try:
            if self._start:
                await self.start_serving()
        except BaseException:
            self.close()
            raise
        return self

    def __await__(self) -> Generator[Any, None, Self]:
        return self._open().__await__()

    async def __aenter__(self) -> Self:
        return await self

    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()
        if kind is not None and not issubclass(kind, Exception):
            # Cancelled, as by Ctrl-C: it ends at once, whatever handlers and peers do.
            await self._end_soon()
        else:
            await self.wait_closed()

    async def start_serving(self) -> None:
        """Begins to accept, where `start_serving=False` held it back. OSError: the port is in use."""
        if self._serving:
            return
        if self._closed is None or self._opening.closing:
            raise RuntimeError("this server is not begun (await it), or closed")
        self._serving = True
        for sock in self._sockets:
            if self._ssl is not None:
                server = await self._loop.create_server(
                    self._carrier, sock=sock.dup(), ssl=self._ssl, backlog=self._backlog, **self._ssl_options
                )
                self._tls_servers.append(server)
            else:
                try:
                    sock.listen(self._backlog)
                except OSError as error:
                    name = sock.getsockname()
                    raise OSError(error.errno, f"can't listen on {name!r}: {error.strerror}") from None
                self._keys.append(self._reactor.listen(sock.dup().detach(), self._accepted))

    def _accepted(self) -> ServerConnection:
        connection = self._create_connection(self)
        self._connections.add(connection)
        return connection

    def _carrier(self) -> Carrier:
        # It counts from the end of the TLS handshake: of one that fails nothing more is heard.
        return ServerCarrier(self._create_connection(self))

    def close(self, close_connections: bool = True, code: int = CloseCode.GOING_AWAY, reason: str = "") -> None:
        """Stops listening, answers requests from now on with 503, and with `close_connections` closes what is open with
        `code` and `reason`. Does not wait: `wait_closed` does. A second call can only close connections that the first
        one kept. ValueError for a code that must not be sent."""
        if not self._opening.closing:
            self._opening.closing = True
            self._serving = False
            for key in self._keys:
                self._reactor.unlisten(key)
            for server in self._tls_servers:
                server.close()
            for sock in self._sockets:
                sock.close()
            for file in self._files:
                remove_file(file)
        if close_connections:
            for connection in list(self._connections):
                if connection.state == 1:
                    connection.begin_close(code, reason)
                elif connection.state == 0 and connection.request is None:
                    connection.abort()
        self._check_closed()

    async def wait_closed(self) -> None:
        """Waits until the server is closed: all connections are gone and all handlers have ended. A handler learns of
        it by its `recv`, `send` or `wait_closed`."""
        if self._closed is not None:
            await asyncio.shield(self._closed)

    def _check_closed(self) -> None:
        if self._closed is None or self._closed.done() or self._loop.is_closed():
            return
        if self._opening.closing and not self._connections and not self._tasks:
            self._closed.set_result(None)

    async def _end_soon(self) -> None:
        assert self._closed is not None
        try:
            await asyncio.wait([self._closed], timeout=GRACE)
        finally:
            for task in list(self._tasks):
                task.cancel()
            for connection in list(self._connections):
                connection.abort()
        if not self._closed.done():
            # Cancelled handlers may still clean up: they have as long again.
            await asyncio.wait([self._closed], timeout=GRACE)

    async def serve_forever(self) -> None:
        """Serves until the server is closed, or this is cancelled: then it closes the server."""
        await self.start_serving()
        try:
            await self.wait_closed()
        except asyncio.CancelledError:
            self.close()
            await self._end_soon()
            raise

    # What is known.

    def is_serving(self) -> bool:
        """Whether it accepts connections."""
        return self._serving

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The loop that it runs on."""
        return self._loop

    @property
    def sockets(self) -> tuple[socket.socket, ...]:
        """The sockets that it listens on; none once it is closed."""
        return () if self._opening.closing else tuple(self._sockets)

    @property
    def connections(self) -> set[ServerConnection]:
        """The connections that are open."""
        return {connection for connection in self._connections if is_open(connection)}

    # A connection's way.

    def _begin(self, connection: ServerConnection) -> None:
        """The request of `connection` has been read."""
        steps = self._opening.steps(connection)
        if self._make_handler is None:
            self._spawn(self._run(connection, steps))
            return
        value: Any = None
        try:
            value = next(steps)
            while not asyncio.iscoroutine(value) and not asyncio.isfuture(value) and not hasattr(value, "__await__"):
                value = steps.send(value)
        except StopIteration as stop:
            if stop.value:
                self._attach(connection)
        else:
            self._spawn(self._run(connection, steps, value))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        steps = cast("Coroutine[Any, Any, None]", _core.Steps(self._loop, work))
        task = self._loop.create_task(steps)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._check_closed()

    async def _run(self, connection: ServerConnection, steps: Generator[Any, Any, bool], begun: Any = None) -> None:
        timer = self._watch(connection)
        try:
            if not await drive(steps, begun):
                return
        except BaseException:
            connection.abort()
            if connection._too_late:
                connection.logger.info("opening handshake took longer than open_timeout")
                return
            raise
        finally:
            if timer is not None:
                timer.cancel()
        if self._make_handler is not None:
            self._attach(connection)
            return
        code = CloseCode.NORMAL_CLOSURE
        try:
            await self.handler(connection)  # type: ignore[operator, misc, call-arg]
        except ConnectionClosed as error:
            # Of another connection, where this one is open: the handler could not do its work.
            connection.logger.info("connection handler ended: %s", error)
            code = CloseCode.INTERNAL_ERROR
        except Exception:
            connection.logger.error("connection handler failed", exc_info=True)
            code = CloseCode.INTERNAL_ERROR
        except BaseException:
            connection.begin_close(CloseCode.GOING_AWAY)
            connection.flush()
            raise
        connection.begin_close(code)

    def _watch(self, connection: ServerConnection) -> Optional[asyncio.TimerHandle]:
        """Ends callbacks of the opening handshake that take longer than `open_timeout`."""
        task = asyncio.current_task()
        has_callbacks = self._opening.process_request is not None or self._opening.process_response is not None
        if self._open_timeout is None or task is None or not has_callbacks:
            return None

        def too_late() -> None:
            if not connection._serves_page:
                connection._too_late = True
                task.cancel()

        return self._loop.call_later(self._open_timeout, too_late)

    def _attach(self, connection: ServerConnection) -> None:
        assert self._make_handler is not None
        try:
            handler = self._make_handler()
            on_open = getattr(handler, "on_open", None)
            if on_open is not None:
                on_open(connection)
            connection.set_handler(handler, handler.payload)
        except Exception as error:
            connection._on_handler_error(error)
            connection.begin_close(CloseCode.INTERNAL_ERROR)


async def drive(steps: Generator[Any, Any, bool], value: Any = None) -> bool:
    """Runs the steps of an opening handshake, and awaits what is awaitable. `value`: what they have yielded already."""
    try:
        if value is None:
            value = next(steps)
        while True:
            try:
                result = await value if hasattr(value, "__await__") else value
            except Exception as error:
                value = steps.throw(error)
            else:
                value = steps.send(result)
    except StopIteration as stop:
        return bool(stop.value)


_state_of = _core.Connection.__dict__["state"].__get__


def is_open(connection: _core.Connection) -> bool:
    return bool(_state_of(connection) == 1)
