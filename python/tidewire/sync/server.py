"""The server of the threads' face."""

from __future__ import annotations

import functools
import inspect
import os
import socket
import ssl as tls
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Optional, TypeVar, Union

from .. import _core
from ..asyncio import serving as loops
from ..asyncio.listening import BACKLOG, bind_unix, file_of, remove_file
from ..asyncio.server import serve as serve_on_a_loop
from ..auth import BasicAuth, Check
from ..connection import SOFTWARE, LoggerLike, ServerSide
from ..exceptions import ConnectionClosed
from ..frames import CloseCode
from ..handler import Handler
from ..handshake import ProcessRequest, ProcessResponse, SelectSubprotocol
from ..http import Request, Response
from . import background
from .connection import Connection, broadcast
from .pool import Called, Pool, at_work, default_threads

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Server", "ServerConnection", "basic_auth", "broadcast", "serve", "unix_serve"]

GRACE = 1.0
"""Seconds that connections have for their closing handshake, and handlers for their end, after Ctrl-C."""

BlockingHandler = Callable[[Any], Any]
AnyHandler = Union[BlockingHandler, Handler, type[Handler]]
T = TypeVar("T")


class ServerConnection(Connection, ServerSide):
    """A connection of a server. `server` is that server; `request` and `response` are those of the opening handshake."""

    def __init__(self, listener: _Listener) -> None:
        super().__init__(listener._reactor, listener._settings, True)
        self._listener = listener
        self.server = listener.owner
        self.logger = listener.logger

    def _on_request(self, method: str, target: str, fields: list[tuple[str, str]], websocket: bool) -> None:
        self._take_request(method, target, fields, websocket)
        self._listener._begin(self)  # type: ignore[arg-type]

    def _on_lost(self, error: Optional[BaseException]) -> None:
        super()._on_lost(error)
        self._listener._connections.discard(self)  # type: ignore[arg-type]
        self._listener._check_closed()

    def _handler_ended(self) -> None:
        """Its callbacks are done."""
        self._listener._work_ended(self)


class _Listener(loops.Server):
    """The server of the asyncio face on the loop of `background`, whose handlers run in threads."""

    owner: Server
    pool: Optional[Pool] = None

    def __init__(self, *args: Any, threads: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self._make_handler is not None:
            self.pool = Pool(threads)
        opening = self._opening
        self._calls_back = (
            opening.process_request is not None
            or opening.process_response is not None
            or opening.select_subprotocol is not None
        )
        # What threads do, and the called-back connections whose handlers have not ended.
        self._work: set[Any] = set()

    # On the loop's thread.

    def _begin(self, connection: ServerConnection) -> None:  # type: ignore[override]
        steps = self._opening.steps(connection)
        if self._calls_back:
            # What the application does there may block.
            self._start(connection, functools.partial(self._handshake, connection, steps))
            return
        try:
            page = next(steps)
        except StopIteration as stop:
            if stop.value:
                self._opened(connection)
        else:
            self._spawn(self._run(connection, steps, page))  # type: ignore[arg-type]

    def _opened(self, connection: ServerConnection) -> None:
        """The opening handshake is done."""
        if self.pool is None:
            self._start(connection, functools.partial(self._handle, connection))
        else:
            self._attach(connection)  # type: ignore[arg-type]

    def _attach(self, connection: ServerConnection) -> None:  # type: ignore[override]
        assert self._make_handler is not None and self.pool is not None
        try:
            handler = self._make_handler()
        except Exception as error:
            connection._on_handler_error(error)
            connection.begin_close(CloseCode.INTERNAL_ERROR)
            return
        self._work.add(connection)
        called = Called(self.pool, connection, handler)
        if hasattr(handler, "on_pong"):
            connection._called = called
            connection.watch_pongs = True
        called.wake()

    def _start(self, connection: ServerConnection, work: Callable[[], None]) -> None:
        """Has the work done by a thread of its own, or of the pool."""
        self._work.add(work)
        try:
            if self.pool is not None:
                self.pool.put(functools.partial(self._do, work))
            else:
                threading.Thread(target=self._do, args=(work,), name="tidewire-handler", daemon=True).start()
        except RuntimeError as error:
            self._work.discard(work)
            connection.logger.error("no thread can be started for a connection: %s", error)
            connection.begin_close(CloseCode.TRY_AGAIN_LATER)

    def _check_closed(self) -> None:
        if not self._work:
            super()._check_closed()

    # On threads.

    def _do(self, work: Callable[[], None]) -> None:
        at_work.key = work
        try:
            work()
        finally:
            at_work.key = None
            self._work_ended(work)

    def _work_ended(self, key: object) -> None:
        self._work.discard(key)
        if self._opening.closing:
            try:
                self._loop.call_soon_threadsafe(self._check_closed)
            except RuntimeError:
                # The loop has ended, and nobody waits any more.
                pass

    def _handshake(self, connection: ServerConnection, steps: Generator[Any, Any, bool]) -> None:
        try:
            opened = _drive(steps)
        except BaseException:
            connection.abort()
            raise
        if not opened:
            return
        if self.pool is None:
            self._handle(connection)
        else:
            self._attach(connection)

    def _handle(self, connection: ServerConnection) -> None:
        code = CloseCode.INTERNAL_ERROR
        try:
            self.handler(connection)  # type: ignore[operator, arg-type]
            code = CloseCode.NORMAL_CLOSURE
        except ConnectionClosed as error:
            # Of another connection, where this one is open: the handler could not do its work.
            connection.logger.info("connection handler ended: %s", error)
        except Exception:
            connection.logger.error("connection handler failed", exc_info=True)
        except BaseException:
            code = CloseCode.GOING_AWAY
            raise
        finally:
            connection.begin_close(code)


class Server:
    """A server that listens, with the names of `socketserver.BaseServer`. It accepts while `serve_forever` runs."""

    def __init__(self, sock: socket.socket, listener: _Listener) -> None:
        self.socket = sock
        """What it listens on."""
        self.logger = listener.logger
        self._listener = listener
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._begun = False
        self._file = file_of(sock)
        # What its connections look up.
        self._connections = listener._connections
        self._opening = listener._opening
        listener.owner = self

    def serve_forever(self) -> None:
        """Serves until another thread, or a handler, calls `shutdown`. Ctrl-C interrupts it at once; leave `with` then,
        or call `shutdown`."""
        with self._lock:
            if self._stopped.is_set():
                return
            background.check()
            if not self._begun:
                self._begun = True
                background.on_exit(self, True)
                background.run(self._listener._open())
        self._stopped.wait()

    def shutdown(self, close_connections: bool = True, code: int = CloseCode.GOING_AWAY, reason: str = "") -> None:
        """Stops listening, answers requests from now on with 503, closes what is open with `code` and `reason`, and waits
        until all connections are gone and all handlers have ended. Without `close_connections` it waits for their own
        end. A handler may call it: it does not wait for itself. ValueError for a code that must not be sent."""
        self._end(None, close_connections, code, reason)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        if kind is None or issubclass(kind, Exception):
            self.shutdown()
        else:
            # Ctrl-C: it ends at once, whatever handlers and peers do.
            self._end(GRACE)

    def _end(
        self,
        grace: Optional[float],
        close_connections: bool = True,
        code: int = CloseCode.GOING_AWAY,
        reason: str = "",
    ) -> None:
        with self._lock:
            if not self._begun:
                self._stopped.set()
                self.socket.close()
                if self._file is not None:
                    remove_file(self._file)
                return
        listener = self._listener
        background.run(_called(listener.close, close_connections, code, reason))
        self._stopped.set()
        # A handler that calls this does not wait for itself.
        listener._work.discard(getattr(at_work, "key", None))
        background.run(_called(listener._check_closed))
        background.run(listener.wait_closed() if grace is None else listener._end_soon())
        if listener.pool is not None:
            listener.pool.close()
        background.on_exit(self, False)

    def fileno(self) -> int:
        """The descriptor of `socket`."""
        return self.socket.fileno()

    @property
    def connections(self) -> set[ServerConnection]:
        """The connections that are open."""
        return {connection for connection in list(self._listener._connections) if loops.is_open(connection)}  # type: ignore[misc]

    # When the interpreter exits.

    def _begin_exit(self) -> None:
        self._stopped.set()
        self._listener.close()

    def _end_exit(self, deadline: float) -> None:
        listener = self._listener
        soon = deadline - background.EXIT_TIMEOUT + GRACE
        while (listener._work and time.monotonic() < deadline) or (listener._connections and time.monotonic() < soon):
            time.sleep(0.01)


async def _called(call: Callable[..., T], *arguments: Any) -> T:
    """Calls it on the loop's thread."""
    return call(*arguments)


async def _awaited(value: Awaitable[T]) -> T:
    return await value


def _drive(steps: Generator[Any, Any, T]) -> T:
    """Runs steps on this thread. What is awaitable, the loop awaits."""
    try:
        value = next(steps)
        while True:
            try:
                result = background.run(_awaited(value)) if inspect.isawaitable(value) else value
            except Exception as error:
                value = steps.throw(error)
            else:
                value = steps.send(result)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]


def basic_auth(
    realm: str = "",
    credentials: Union[tuple[str, str], Iterable[tuple[str, str]], None] = None,
    check_credentials: Optional[Check] = None,
) -> Callable[[ServerConnection, Request], Optional[Response]]:
    """Makes a `process_request` that lets in who logs in, and answers others with 401. The user's name is
    `connection.username` then.

    `credentials`: one or several pairs of user and password; or `check_credentials(user, password)`, which may block.
    Only over TLS, or on this machine: passwords go in the clear."""
    login = BasicAuth(realm, credentials, check_credentials)

    def process_request(connection: ServerConnection, request: Request) -> Optional[Response]:
        return _drive(login.steps(connection, request))

    return process_request


def serve(
    handler: AnyHandler,
    host: Optional[str] = None,
    port: Optional[int] = None,
    *,
    sock: Optional[socket.socket] = None,
    ssl: Optional[tls.SSLContext] = None,
    origins: Optional[Sequence[Optional[str]]] = None,
    subprotocols: Optional[Sequence[str]] = None,
    select_subprotocol: Optional[SelectSubprotocol] = None,
    compression: Optional[str] = "deflate",
    process_request: Optional[ProcessRequest] = None,
    process_response: Optional[ProcessResponse] = None,
    server_header: Optional[str] = SOFTWARE,
    open_timeout: Optional[float] = 10,
    ping_interval: Optional[float] = 20,
    ping_timeout: Optional[float] = 20,
    close_timeout: Optional[float] = 10,
    max_size: Optional[int] = 1048576,
    max_queue: Union[int, None, tuple[Optional[int], Optional[int]]] = 16,
    write_limit: Union[int, tuple[int, Optional[int]]] = 32768,
    logger: Optional[LoggerLike] = None,
    create_connection: Optional[Callable[[Any], ServerConnection]] = None,
    static: Union[str, os.PathLike[str], None] = None,
    console: bool = False,
    threads: Optional[int] = None,
    backlog: int = BACKLOG,
    **kwargs: Any,
) -> Server:
    """Serves WebSockets with threads. ::

        def handler(connection):
            for message in connection:
                connection.send(message)

        with serve(handler, "127.0.0.1", 9876) as server:
            server.serve_forever()

    It listens from here on, and accepts in `serve_forever`. `handler` runs in a thread of its own for each connection;
    when it ends the connection is closed with 1000, and with 1011 when it raises, which is logged. One thread more, for
    all servers and clients of the process, carries the sockets.

    A class that derives from `Handler` is called back by the threads of a pool instead, `threads` of them at most (as
    many as concurrent.futures takes, where not given): a connection on which nothing comes has none. Its callbacks may
    block; those of one connection never run at the same time. `process_request`, `process_response` and
    `select_subprotocol` run in these threads too, and may block.

    `host` and `port` are where it listens: all IPv4 addresses for None or "", a free port for 0
    (`server.socket.getsockname()`); `sock` is a bound socket instead. `family`, `reuse_port`, `dualstack_ipv6` are those
    of `socket.create_server`. All others are those of `tidewire.asyncio.serve`.

    ValueError and TypeError say what can't be served so; OSError: the address is in use."""
    return _serve(
        handler,
        sock,
        functools.partial(_bind_tcp, host, port, backlog, kwargs),
        {"host": host, "port": port, **kwargs},
        threads,
        create_connection=create_connection or ServerConnection,
        ssl=ssl,
        origins=origins,
        subprotocols=subprotocols,
        select_subprotocol=select_subprotocol,
        compression=compression,
        process_request=process_request,
        process_response=process_response,
        server_header=server_header,
        open_timeout=open_timeout,
        ping_interval=ping_interval,
        ping_timeout=ping_timeout,
        close_timeout=close_timeout,
        max_size=max_size,
        max_queue=max_queue,
        write_limit=write_limit,
        logger=logger,
        static=static,
        console=console,
        backlog=backlog,
    )


def unix_serve(
    handler: AnyHandler,
    path: Union[str, bytes, os.PathLike[str], None] = None,
    *,
    sock: Optional[socket.socket] = None,
    threads: Optional[int] = None,
    create_connection: Optional[Callable[[Any], ServerConnection]] = None,
    mode: Optional[int] = None,
    **options: Any,
) -> Server:
    """Serves WebSockets on a Unix socket: as `serve`, with `path` (or `sock`) in place of host and port. `mode` is the
    file's, such as 0o660. The file is taken away when the server is closed."""
    if path is None and sock is None:
        raise ValueError("give a path, or sock")

    def bind() -> socket.socket:
        assert path is not None
        return bind_unix(path, mode)

    return _serve(
        handler,
        sock,
        bind,
        {"path": path, "mode": mode},
        threads,
        create_connection=create_connection or ServerConnection,
        **options,
    )


def _serve(
    handler: AnyHandler,
    sock: Optional[socket.socket],
    bind: Callable[[], socket.socket],
    where: dict[str, Any],
    threads: Optional[int],
    **options: Any,
) -> Server:
    given = [name for name, value in where.items() if value is not None]
    if sock is not None and given:
        raise ValueError(f"sock is a bound socket: leave out {', '.join(given)}")
    if inspect.iscoroutinefunction(handler):
        raise TypeError("a coroutine function can't run in a thread: take tidewire.serve, or a handler without async")

    if not callable(handler) and not isinstance(handler, Handler):
        raise TypeError(f"a handler is a function or a tidewire.Handler, not {handler!r}")
    # The asyncio face judges the rest, and is served by its own code.
    judged = serve_on_a_loop(handler, **options)
    listener = _Listener(
        handler,
        judged._bind,
        threads=default_threads() if threads is None else threads,
        settings=judged._settings,
        opening=judged._opening,
        create_connection=judged._create_connection,
        logger=judged.logger,
        ssl=judged._ssl,
        ssl_options=judged._ssl_options,
        backlog=judged._backlog,
    )
    if sock is None:
        sock = bind()
    sock.setblocking(False)
    sock.listen(listener._backlog)
    listener._bind = _given(sock)
    return Server(sock, listener)


def _given(sock: socket.socket) -> Callable[[], Coroutine[Any, Any, list[socket.socket]]]:
    async def bind() -> list[socket.socket]:
        return [sock]

    return bind


def _bind_tcp(host: Optional[str], port: Optional[int], backlog: int, options: dict[str, Any]) -> socket.socket:
    unknown = set(options) - {"family", "reuse_port", "dualstack_ipv6"}
    if unknown:
        raise TypeError(f"serve() does not know {', '.join(sorted(unknown))}")
    return socket.create_server((host or "", port or 0), backlog=backlog, **options)
