"""The server of the threads' face."""

from __future__ import annotations

import functools
import inspect
import os
import socket
import ssl as tls
import threading
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Optional, TypeVar, Union

from ..asyncio import serving as loops
from ..asyncio.listening import BACKLOG, bind_unix, file_of, remove_file
from ..asyncio.server import serve as serve_on_a_loop
from ..auth import BasicAuth, Check
from ..connection import SOFTWARE, LoggerLike
from ..frames import CloseCode
from ..handler import Handler
from ..handshake import ProcessRequest, ProcessResponse, SelectSubprotocol
from ..http import Request, Response
from . import background
from .connection import broadcast
from .pool import at_work, default_threads
from .serving import Listener, ServerConnection, drive

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Server", "ServerConnection", "basic_auth", "broadcast", "serve", "unix_serve"]

GRACE = 1.0
"""Seconds that connections have for their closing handshake, and handlers for their end, after Ctrl-C."""

BlockingHandler = Callable[[Any], Any]
AnyHandler = Union[BlockingHandler, Handler, type[Handler]]
T = TypeVar("T")


class Server:
    """A server that listens, with the names of `socketserver.BaseServer`. It accepts while `serve_forever` runs."""

    def __init__(self, sock: socket.socket, listener: Listener) -> None:
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
            if not self._begun:
                background.run(self._listener._open())
                self._begun = True
                background.on_exit(self, True)
        background.wait(self._stopped)

    def shutdown(self, close_connections: bool = True, code: int = CloseCode.GOING_AWAY, reason: str = "") -> None:
        """Stops listening, answers requests from now on with 503, closes what is open with `code` and `reason`, and
        waits until all connections are gone and all handlers have ended. Without `close_connections` it waits for their
        own end. A handler may call it: it does not wait for itself. ValueError for a code that must not be sent."""
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
        return drive(login.steps(connection, request))

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
    max_queue: Union[int, tuple[Optional[int], Optional[int]], None] = 16,
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
    (`server.socket.getsockname()`); `sock` is a bound socket instead. `family`, `reuse_port`, `dualstack_ipv6` are as
    for `socket.create_server`. All others are those of `tidewire.asyncio.serve`.

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
    listener = Listener(judged, default_threads() if threads is None else threads)
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
