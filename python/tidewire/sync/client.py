"""Connecting to a WebSocket server from a thread."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Literal, Optional, Union, overload

from .. import _core
from ..asyncio import client as loops
from ..connection import ClientSide, LoggerLike
from ..exceptions import InvalidStatus
from ..frames import CloseCode
from ..retry import STABLE, retry_after
from . import background
from .connection import Connection

__all__ = ["ClientConnection", "connect", "reconnect", "unix_connect", "unix_reconnect"]

GRACE = 1.0
"""Seconds for the closing handshake when the interpreter exits."""

Path = Union[str, bytes, "os.PathLike[str]", None]


class ClientConnection(Connection, ClientSide):
    """A connection to a server. `request` and `response` are those of the opening handshake."""

    def __init__(self, reactor: _core.Reactor, settings: _core.Settings, logger: LoggerLike) -> None:
        super().__init__(reactor, settings, False)
        self.logger = logger
        # Awaited on the loop of `background`.
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def _on_response(
        self, status: int, reason: str, fields: list[tuple[str, str]], body: bytes, error: Optional[str]
    ) -> None:
        failure = self._take_response(status, reason, fields, body, error)
        if failure is None:
            background.on_exit(self, True)
        if not self._opened.done():
            if failure is None:
                self._opened.set_result(None)
            else:
                self._opened.set_exception(failure)

    def _on_lost(self, error: Optional[BaseException]) -> None:
        super()._on_lost(error)
        background.on_exit(self, False)
        if not self._opened.done():
            self._opened.set_exception(self._lost_early(error))
            # Whoever awaited it may be gone: it is not told of as never retrieved.
            self._opened.exception()

    # When the interpreter exits.

    def _begin_exit(self) -> None:
        self.begin_close(CloseCode.GOING_AWAY)

    def _end_exit(self, deadline: float) -> None:
        self.wait_closed(deadline - background.EXIT_TIMEOUT + GRACE - time.monotonic())


class reconnect:
    """A way to a server: `with reconnect(url) as connection` connects once, and `for connection in reconnect(url)`
    again whenever the body of the loop goes on to its next turn, until an error is final: that one is raised.

    The arguments are those of `tidewire.asyncio.connect`."""

    def __init__(self, url: str, **options: Any) -> None:
        options.setdefault("create_connection", ClientConnection)
        if options["create_connection"] is None:
            options["create_connection"] = ClientConnection
        # By the names of socket.create_connection.
        if "source_address" in options:
            options["local_addr"] = options.pop("source_address")
        if "address" in options:
            options["host"], options["port"] = options.pop("address")
        sock = options.get("sock")
        self._way = loops.connect(url, **options)
        if sock is not None:
            sock.setblocking(False)
        self._connection: Optional[ClientConnection] = None

    def connect(self) -> ClientConnection:
        """Connects, and gives a connection that the caller closes."""
        connection = background.run(self._way._connect())
        assert isinstance(connection, ClientConnection)
        return connection

    def __enter__(self) -> ClientConnection:
        if self._connection is not None:
            raise RuntimeError("this reconnect() is in use: call reconnect() for another connection")
        self._connection = self.connect()
        return self._connection

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        connection, self._connection = self._connection, None
        assert connection is not None
        connection.__exit__(kind, error, trace)

    def __iter__(self) -> Iterator[ClientConnection]:
        delays = self._way._reconnect_delays()
        while True:
            wait = 0.0
            try:
                connection = self.connect()
            except Exception as error:
                final = self._way.process_exception(error)
                if final is error:
                    raise
                if final is not None:
                    raise final from error
                if isinstance(error, InvalidStatus):
                    wait = retry_after(error.response)
                reason: object = error
            else:
                began = time.monotonic()
                with connection:
                    yield connection
                if time.monotonic() - began >= STABLE:
                    delays = self._way._reconnect_delays()
                reason = connection._closed_error()
            wait = max(wait, next(delays))
            self._way.logger.info("connecting again in %.1f s: %s", wait, reason)
            time.sleep(wait)


@overload
def connect(url: str, *, legacy: Optional[Literal[True]] = None, **options: Any) -> ClientConnection: ...


@overload
def connect(url: str, *, legacy: Literal[False], **options: Any) -> reconnect: ...


def connect(url: str, *, legacy: Optional[bool] = None, **options: Any) -> Union[ClientConnection, reconnect]:
    """Connects to a WebSocket server. ::

        with connect("ws://127.0.0.1:9876") as connection:
            connection.send("hello")
            print(connection.recv())

    The options are those of `tidewire.asyncio.connect`, and so are the errors; of `socket.create_connection`,
    `source_address` and `address` are understood too. A thread of Tidewire carries the connection, one for all servers
    and clients of the process: it answers pings while the application does something else. With `legacy=False` it is
    `reconnect`."""
    way = reconnect(url, **options)
    return way if legacy is False else way.connect()


@overload
def unix_connect(
    path: Path = None, url: Optional[str] = None, *, legacy: Optional[Literal[True]] = None, **options: Any
) -> ClientConnection: ...


@overload
def unix_connect(
    path: Path = None, url: Optional[str] = None, *, legacy: Literal[False], **options: Any
) -> reconnect: ...


def unix_connect(
    path: Path = None, url: Optional[str] = None, *, legacy: Optional[bool] = None, **options: Any
) -> Union[ClientConnection, reconnect]:
    """Connects over a Unix socket: as `connect`, with `path` (or `sock`). The request has target and Host of `url`."""
    way = unix_reconnect(path, url, **options)
    return way if legacy is False else way.connect()


def unix_reconnect(path: Path = None, url: Optional[str] = None, **options: Any) -> reconnect:
    """As `reconnect`, over a Unix socket."""
    if url is None:
        url = "ws://localhost/" if options.get("ssl") is None else "wss://localhost/"
    return reconnect(url, unix=True, path=None if path is None else os.fspath(path), **options)
