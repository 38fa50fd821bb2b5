"""Serving WebSockets on an event loop."""

from __future__ import annotations

import logging
import os
import socket
import ssl as tls
from collections.abc import Callable, Sequence
from typing import Any, Optional, Union

from .. import _core
from ..auth import basic_auth
from ..connection import SOFTWARE, LoggerLike
from ..handshake import Opening, ProcessRequest, ProcessResponse, SelectSubprotocol
from .connection import broadcast
from .listening import BACKLOG, Host, bind_tcp, bind_unix
from .serving import AnyHandler, Server, ServerConnection

__all__ = ["Server", "ServerConnection", "basic_auth", "broadcast", "serve", "unix_serve"]


def serve(
    handler: AnyHandler,
    host: Host = None,
    port: Optional[int] = None,
    *,
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
    create_connection: Optional[Callable[[Server], ServerConnection]] = None,
    static: Union[str, os.PathLike[str], None] = None,
    console: bool = False,
    ssl: Optional[tls.SSLContext] = None,
    sock: Optional[socket.socket] = None,
    backlog: int = BACKLOG,
    start_serving: bool = True,
    unix: bool = False,
    path: Union[str, bytes, os.PathLike[str], None] = None,
    **kwargs: Any,
) -> Server:
    """Serves WebSockets. ::

        async def handler(connection):
            async for message in connection:
                await connection.send(message)

        async with serve(handler, "127.0.0.1", 9876) as server:
            await server.serve_forever()

    `handler` runs in a task of its own for each connection; when it ends the connection is closed with 1000, and with
    1011 when it raises, which is logged. A class that derives from `Handler` is called back instead, without a task.

    - `host`, `port`: where to listen: a name or address, several, or None for all; port 0 takes a free one
      (`server.sockets[0].getsockname()`). `sock`: a bound socket instead. `ssl`: a context, for TLS. `backlog`,
      `start_serving`, `family`, `flags`, `reuse_address`, `reuse_port`, `ssl_handshake_timeout`,
      `ssl_shutdown_timeout`: as for `loop.create_server`.
    - `origins`: the pages that may connect, by their Origin: `"https://example.com"`, `"https://*.example.com"`; None
      in it admits requests without one. Not given: the pages of the request's own host, and what is no browser.
    - `subprotocols`: those spoken here, the preferred first; a client that offers none of them is refused.
      `select_subprotocol(connection, offered)` chooses instead.
    - `process_request(connection, request)`, sync or async, sees every request first: a Response that it returns is the
      answer. `process_response(connection, request, response)` sees the answer: it may add fields, or return another.
    - `static`: a folder whose files are served beside the WebSocket; `console`: the console page at `/`.
    - `compression`: "deflate" or None. `max_size`: bytes of a message that are taken. `max_queue`: messages that wait
      to be received before reading pauses. `write_limit`: bytes that wait to be written before `send` waits.
    - `open_timeout`, `ping_interval`, `ping_timeout`, `close_timeout`: seconds; None is no limit, and no pings.

    ValueError and TypeError say what can't be served so."""
    ssl_options: dict[str, Any] = {
        name: kwargs.pop(name) for name in ("ssl_handshake_timeout", "ssl_shutdown_timeout") if name in kwargs
    }
    if ssl_options and ssl is None:
        raise ValueError(f"{', '.join(ssl_options)}: only with ssl")
    unknown = set(kwargs) - ({"mode"} if unix else {"family", "flags", "reuse_address", "reuse_port"})
    if unknown:
        raise TypeError(f"serve() does not know {', '.join(sorted(unknown))}")
    given = [name for name, value in (("host", host), ("port", port), ("path", path)) if value is not None]
    if sock is not None and (given or kwargs):
        raise ValueError(f"sock is a bound socket: leave out {', '.join([*given, *kwargs])}")
    if unix and (host is not None or port is not None):
        raise ValueError("a path has neither host nor port")
    if unix and sock is None and path is None:
        raise ValueError("give a path, or sock")

    async def bind() -> list[socket.socket]:
        if sock is not None:
            sock.setblocking(False)
            return [sock]
        if path is not None:
            return [bind_unix(path, **kwargs)]
        return await bind_tcp(host, port, **kwargs)

    pages = None
    if static is not None or console:
        from ..pages import Pages

        pages = Pages(static, console, server_header)
    if isinstance(subprotocols, str):
        raise TypeError("subprotocols is a list of names, not one str")
    return Server(
        handler,
        bind,
        settings=_core.Settings(
            max_size=max_size,
            max_queue=max_queue,
            write_limit=write_limit,
            ping_interval=ping_interval,
            ping_timeout=ping_timeout,
            close_timeout=close_timeout,
            open_timeout=open_timeout,
            compression=compression,
            origins=origins,
        ),
        opening=Opening(
            subprotocols=tuple(subprotocols or ()),
            select_subprotocol=select_subprotocol,
            process_request=process_request,
            process_response=process_response,
            server_header=server_header,
            pages=pages,
        ),
        create_connection=create_connection or ServerConnection,
        logger=logger or logging.getLogger("tidewire.server"),
        open_timeout=open_timeout,
        ssl=ssl,
        ssl_options=ssl_options,
        backlog=backlog,
        start_serving=start_serving,
    )


def unix_serve(handler: AnyHandler, path: Union[str, bytes, os.PathLike[str], None] = None, **kwargs: Any) -> Server:
    """Serves WebSockets on a Unix socket: as `serve`, with `path` (or `sock`) in place of host and port. `mode` is the
    file's, such as 0o660. The file is taken away when the server is closed."""
    return serve(handler, unix=True, path=path, **kwargs)
