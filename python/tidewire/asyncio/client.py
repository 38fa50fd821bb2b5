"""Connecting to a WebSocket server from an event loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from types import TracebackType
from typing import Any, Literal, Optional, Union

from .. import _core
from ..connection import SOFTWARE, ClientSide, LoggerLike
from ..exceptions import InvalidStatus, InvalidURI
from ..frames import CloseCode
from ..http import HeadersLike, as_fields
from ..redirect import Place, redirected
from ..retry import STABLE, backoff, process_exception, retry_after
from .connection import Connection
from .dial import Dialer
from .reactor import Carrier, reactor_of

__all__ = ["ClientConnection", "connect", "unix_connect"]

GRACE = 0.5
"""Seconds for the closing handshake where a client is cancelled."""


class ClientConnection(Connection, ClientSide):
    """A connection to a server. `request` and `response` are those of the opening handshake."""

    def __init__(self, reactor: _core.Reactor, settings: _core.Settings, logger: LoggerLike) -> None:
        super().__init__(reactor, settings, False)
        self.logger = logger
        self._loop = asyncio.get_running_loop()
        self._opened: asyncio.Future[None] = self._loop.create_future()

    def _on_response(
        self, status: int, reason: str, fields: list[tuple[str, str]], body: bytes, error: Optional[str]
    ) -> None:
        failure = self._take_response(status, reason, fields, body, error)
        if not self._opened.done():
            if failure is None:
                self._opened.set_result(None)
            else:
                self._opened.set_exception(failure)

    def _on_lost(self, error: Optional[BaseException]) -> None:
        super()._on_lost(error)
        if not self._opened.done():
            self._opened.set_exception(self._lost_early(error))
            # Whoever awaited it may be gone: it is not told of as never retrieved.
            self._opened.exception()


class connect:
    """Connects to a WebSocket server. ::

        async with connect("ws://127.0.0.1:9876") as connection:
            await connection.send("hello")
            print(await connection.recv())

    Awaited, it gives a connection that the caller closes. In `async for connection in connect(...)` it connects again
    whenever the body of the loop goes on to its next turn, until an error is final: that one is raised.

    - `url`: `ws://` or `wss://`, with user and password where the server wants a Basic login. Redirects are followed,
      10 at most and never out of TLS; to another origin neither login nor `additional_headers` go along.
    - `origin`, `user_agent_header`, `additional_headers`: fields of the request. `subprotocols`: offered, the preferred
      first. `compression`: "deflate" or None.
    - `proxy`: a URL (http, https, socks5, socks5h), None for no proxy; True for that of the environment.
    - `process_exception(error)`: None where another attempt may succeed, else the error to raise.
      `reconnect_delays()` gives an iterator of the seconds to wait.
    - `open_timeout`: seconds for all of it: name, TCP, proxy, TLS, request, redirects. The rest is as for `serve`.
    - `ssl`, `server_hostname`, `sock`, `local_addr`, `host`, `port`, `family`, …: as for `loop.create_connection`;
      with the prefix `proxy_`, for TLS to a proxy.

    InvalidURI; ValueError and TypeError: what was given can't be sent; OSError, TimeoutError: no way to the server;
    InvalidHandshake: the server is no WebSocket, or refused; InvalidProxy and ProxyError."""

    def __init__(
        self,
        url: str,
        *,
        origin: Optional[str] = None,
        subprotocols: Optional[Sequence[str]] = None,
        compression: Optional[str] = "deflate",
        additional_headers: Optional[HeadersLike] = None,
        user_agent_header: Optional[str] = SOFTWARE,
        proxy: Union[str, Literal[True], None] = True,
        process_exception: Callable[[Exception], Optional[Exception]] = process_exception,
        open_timeout: Optional[float] = 10,
        ping_interval: Optional[float] = 20,
        ping_timeout: Optional[float] = 20,
        close_timeout: Optional[float] = 10,
        reconnect_delays: Callable[[], Iterator[float]] = backoff,
        max_size: Optional[int] = 1048576,
        max_queue: Union[int, None, tuple[Optional[int], Optional[int]]] = 16,
        write_limit: Union[int, tuple[int, Optional[int]]] = 32768,
        logger: Optional[LoggerLike] = None,
        create_connection: Callable[..., ClientConnection] = ClientConnection,
        ssl: Any = None,
        server_hostname: Optional[str] = None,
        unix: bool = False,
        path: Any = None,
        **kwargs: Any,
    ) -> None:
        if isinstance(subprotocols, str):
            raise TypeError("subprotocols is a list of names, not one str")
        self.url = url
        self.logger = logger or logging.getLogger("tidewire.client")
        self.process_exception = process_exception
        self._open_timeout = open_timeout
        self._reconnect_delays = reconnect_delays
        self._create_connection = create_connection
        self._subprotocols = list(subprotocols or ())
        self._fields = as_fields(additional_headers)
        for name, value in (("Origin", origin), ("User-Agent", user_agent_header)):
            if value is not None:
                self._fields += as_fields({name: value})
        self._dialer = Dialer(proxy, ssl, server_hostname, unix, path, kwargs)
        self._settings = _core.Settings(
            max_size=max_size,
            max_queue=max_queue,
            write_limit=write_limit,
            ping_interval=ping_interval,
            ping_timeout=ping_timeout,
            close_timeout=close_timeout,
            # It is for all of the way: see _connect.
            open_timeout=None,
            compression=compression,
        )
        self._connection: Optional[ClientConnection] = None

    async def _connect(self) -> ClientConnection:
        try:
            return await asyncio.wait_for(self._through_redirects(), self._open_timeout)
        except asyncio.TimeoutError as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise TimeoutError(f"no WebSocket within {self._open_timeout} s") from error

    async def _through_redirects(self) -> ClientConnection:
        try:
            place = Place.parse(self.url)
        except ValueError as error:
            raise InvalidURI(self.url, str(error)) from None
        self._dialer.check(place.secure)
        fields = self._fields
        seen = [place]
        while True:
            try:
                return await self._open(place, fields)
            except InvalidStatus as error:
                to = redirected(place, error, fixed=self._dialer.is_fixed)
                if to is None:
                    raise
                self.logger.info("%s redirects to %s", place, to)
                fields = to.admitted(place, fields)
                place = to.after(seen, error)

    async def _open(self, place: Place, fields: list[tuple[str, str]]) -> ClientConnection:
        connection = self._create_connection(reactor_of(asyncio.get_running_loop()), self._settings, self.logger)
        connection._ask(place.url, place.target, self._subprotocols, fields)
        try:
            await self._dialer.dial(Carrier(connection), place.secure, place.host, place.port)
            await connection._opened
        except BaseException:
            # Nobody hears of what comes of it.
            connection._opened.cancel()
            connection.abort()
            raise
        return connection

    def __await__(self) -> Generator[Any, None, ClientConnection]:
        return self._connect().__await__()

    async def __aenter__(self) -> ClientConnection:
        if self._connection is not None:
            raise RuntimeError("this connect() is in use: call connect() for another connection")
        self._connection = await self
        return self._connection

    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        connection, self._connection = self._connection, None
        assert connection is not None
        if kind is None or issubclass(kind, Exception):
            await connection.close()
            return
        # Cancelled, as by Ctrl-C: whoever waits is not kept waiting by a server that does not answer.
        connection.begin_close(CloseCode.GOING_AWAY)
        try:
            await asyncio.wait_for(connection.wait_closed(), GRACE)
        except asyncio.TimeoutError:
            pass
        finally:
            connection.abort()

    async def __aiter__(self) -> AsyncIterator[ClientConnection]:
        delays = self._reconnect_delays()
        while True:
            wait = 0.0
            try:
                connection = await self._connect()
            except Exception as error:
                final = self.process_exception(error)
                if final is error:
                    raise
                if final is not None:
                    raise final from error
                if isinstance(error, InvalidStatus):
                    wait = retry_after(error.response)
                reason: object = error
            else:
                began = self._loop_time()
                try:
                    yield connection
                finally:
                    await connection.close()
                if self._loop_time() - began >= STABLE:
                    delays = self._reconnect_delays()
                reason = connection._closed_error()
            wait = max(wait, next(delays))
            self.logger.info("connecting again in %.1f s: %s", wait, reason)
            await asyncio.sleep(wait)

    @staticmethod
    def _loop_time() -> float:
        return asyncio.get_running_loop().time()


def unix_connect(path: Any = None, url: Optional[str] = None, **kwargs: Any) -> connect:
    """Connects over a Unix socket: as `connect`, with `path` (or `sock`). `url` gives the request target and Host."""
    if url is None:
        url = "ws://localhost/" if kwargs.get("ssl") is None else "wss://localhost/"
    return connect(url, unix=True, path=path, **kwargs)
