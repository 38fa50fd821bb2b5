"""What the tests of the asyncio face share."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import inspect
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
import trustme
import uvloop

import tidewire

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}

LIMIT = 15
"""Seconds for a test."""


def run(kind: str, main: Coroutine[Any, Any, Any]) -> Any:
    """Runs `main` on a loop of this kind. Nothing may be told to the loop's exception handler, and no task be left."""
    loop = LOOPS[kind]()
    told: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: told.append(context))
    asyncio.set_event_loop(loop)
    try:
        result = loop.run_until_complete(asyncio.wait_for(main, LIMIT))
        # What was closed in the last turn is gone in the next ones.
        loop.run_until_complete(asyncio.sleep(0.01))
        left = asyncio.all_tasks(loop)
        if left:
            _, left = loop.run_until_complete(asyncio.wait(left, timeout=0.5))
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left, timeout=LIMIT))
        assert not left, left
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        asyncio.set_event_loop(None)
        loop.close()
        # What a test leaves unclosed is told of in that test.
        gc.collect()
    assert not told, [(context["message"], context.get("exception")) for context in told]
    return result


def on_loops(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """The test runs on asyncio's own loop and on uvloop's."""

    @functools.wraps(test)
    def both(loop: str, **arguments: Any) -> None:
        run(loop, test(**arguments))

    signature = inspect.signature(test)
    first = inspect.Parameter("loop", inspect.Parameter.KEYWORD_ONLY)
    given = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in signature.parameters.values()]
    both.__signature__ = signature.replace(parameters=[first, *given])  # type: ignore[attr-defined]
    return pytest.mark.parametrize("loop", list(LOOPS))(both)


@contextlib.asynccontextmanager
async def serving(handler: Any, **options: Any) -> AsyncIterator[tuple[tidewire.Server, str]]:
    """A server on a free port, and its URL."""
    async with tidewire.serve(handler, "127.0.0.1", 0, **options) as server:
        yield server, url_of(server, secure="ssl" in options)


def url_of(server: Any, secure: bool = False) -> str:
    """The URL of a server of ours, or of python-websockets."""
    return f"{'wss' if secure else 'ws'}://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


async def echo(connection: Any) -> None:
    async for message in connection:
        await connection.send(message)


async def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    """Waits until it holds."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while not condition():
        assert loop.time() < deadline, "it did not come to this in time"
        await asyncio.sleep(0.002)


async def ask(url: str, request: str) -> tuple[str, dict[str, str], bytes]:
    """Sends a request as it stands (`Host` and the empty line are added) and reads to the end: the status line, the
    fields with names in lower case, and the body."""
    _, host, port, _, _ = tidewire._core.parse_url(url)
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(f"{request}\r\nHost: {host}:{port}\r\n\r\n".encode("latin-1"))
    data = await reader.read()
    writer.close()
    await writer.wait_closed()
    head, _, body = data.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    return status, {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}, body


old_tls = pytest.mark.filterwarnings(
    *(["ignore::pytest.PytestUnraisableExceptionWarning"] if sys.version_info < (3, 11) else [])
)
"""Up to Python 3.10, asyncio takes TLS transports for unclosed whose handshake failed, or which only the peer closed."""

UPGRADE = (
    "GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13"
)
"""A request for a WebSocket; without Host, so that more fields can follow."""


@functools.lru_cache(maxsize=1)
def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """TLS for a server on 127.0.0.1, and for the client that trusts it."""
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return server, client
