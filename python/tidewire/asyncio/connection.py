"""A connection of the asyncio face.

`recv`, `send` and `async for` are the core's own: nothing in Python stands between them and the application."""

from __future__ import annotations

import asyncio
import codecs
import logging
import random
import sys
import time
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Optional, Union

from .. import _core
from ..connection import Connection as Shared
from ..connection import Data
from ..exceptions import ConcurrencyError
from ..frames import CloseCode

if TYPE_CHECKING:
    from typing_extensions import Self

    from .._core import Message

__all__ = ["Connection", "broadcast"]

OPEN, CLOSED = 1, 3


class Connection(Shared):
    """One end of a WebSocket connection on an event loop.

    `async for message in connection` receives until the connection is closed: it ends after a normal end, and raises
    ConnectionClosedError after another. Pings are answered, deadlines kept and closing handshakes done by the core,
    whether the application receives or not.

    `recv`, `send`, `ping`, `close`, `wait_closed` belong to the loop's thread; `begin_close`, `send_nowait` and `abort`
    may be called from any."""

    _loop: asyncio.AbstractEventLoop
    _gone: Optional[list[asyncio.Future[None]]] = None
    _pongs: Optional[dict[bytes, tuple[asyncio.Future[float], float]]] = None
    _measured: Optional[tuple[float, float]] = None
    _turn: Optional[asyncio.Lock] = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        await self.close(CloseCode.NORMAL_CLOSURE if kind is None else CloseCode.INTERNAL_ERROR)

    def _check_loop(self) -> None:
        if asyncio.get_running_loop() is not self._loop:
            raise RuntimeError(
                "this connection belongs to another event loop: use it there, by run_coroutine_threadsafe"
            )

    def _future(self) -> asyncio.Future[Any]:
        self._check_loop()
        return self._loop.create_future()

    def recv_streaming(self, decode: Optional[bool] = None) -> AsyncIterator[Data]:
        """The next message in fragments, as they come; `decode` as for `recv`. It has to be taken to its end, or
        nothing more can be received. ConcurrencyError while another one receives."""
        return self._pieces(decode)

    async def _pieces(self, decode: Optional[bool]) -> AsyncIterator[Data]:
        decoder = codecs.getincrementaldecoder("utf-8")() if decode else None
        last = False
        while not last:
            piece, last = await self.recv_piece()
            if isinstance(piece, str):
                yield piece.encode() if decode is False else piece
            else:
                yield piece if decoder is None else decoder.decode(piece, last)

    async def _send_fragments(self, message: Any, text: Optional[bool]) -> None:
        """Sends what is neither str nor bytes-like: the fragments of one message. Also whole messages that would come
        between the fragments of another one: they wait for its end."""
        if isinstance(message, Mapping):
            raise TypeError("a mapping is no message: send its JSON, or its keys()")
        whole = isinstance(message, str) or _is_bytes_like(message)
        if not whole and not isinstance(message, (AsyncIterable, Iterable)):
            raise TypeError(f"a message is str, bytes-like, or an iterable of these, not {type(message).__name__}")
        if self._turn is None:
            self._turn = asyncio.Lock()
        async with self._turn:
            if self.sending_pieces:
                # A message before this one was not sent to its end, or is being sent by send_piece.
                if super().state != OPEN:
                    raise self._closed_error()
                raise ConcurrencyError("a message is being sent by send_piece: finish it first")
            if whole:
                await self.send(message, text)
                return
            try:
                if isinstance(message, AsyncIterable):
                    await self._send_as_they_come(message, text)
                else:
                    await self._send_all(message, text)
            except BaseException:
                if self.sending_pieces:
                    # The rest of the message does not exist: the peer must not take it for whole.
                    self.begin_close(CloseCode.INTERNAL_ERROR, "a message was not sent to its end")
                raise

    async def _send_all(self, pieces: Iterable[Message], text: Optional[bool]) -> None:
        kind: Optional[type] = None
        held: Optional[Message] = None
        for piece in pieces:
            kind = _kind(piece, kind)
            if held is not None:
                await self.send_piece(held, kind is str if text is None else text, False)
            held = piece
        if held is not None:
            await self.send_piece(held, kind is str if text is None else text, True)

    async def _send_as_they_come(self, pieces: AsyncIterable[Message], text: Optional[bool]) -> None:
        kind: Optional[type] = None
        async for piece in pieces:
            kind = _kind(piece, kind)
            await self.send_piece(piece, kind is str if text is None else text, False)
        if kind is not None:
            await self.send_piece(kind(), kind is str if text is None else text, True)

    async def ping(self, data: Union[str, bytes, bytearray, memoryview, None] = None) -> Awaitable[float]:
        """Sends a ping of up to 125 bytes, random ones where none are given. Returns a future: awaited, it gives the
        round trip in seconds once the pong is there, and raises ConnectionClosed where none can come any more.

        ConcurrencyError while the pong to a ping with the same bytes is awaited."""
        future: asyncio.Future[float] = self._future()
        pongs = self._pongs
        if pongs is None:
            pongs = self._pongs = {}
            self.watch_pongs = True
        if data is None:
            payload = random.getrandbits(32).to_bytes(4, "big")
            while payload in pongs:
                payload = random.getrandbits(32).to_bytes(4, "big")
        else:
            payload = data.encode() if isinstance(data, str) else bytes(memoryview(data))
            if payload in pongs:
                raise ConcurrencyError("a ping with these bytes is under way: give others, or none")
        self.write_ping(payload)
        pongs[payload] = (future, time.perf_counter())
        await self.drained()
        return future

    async def pong(self, data: Union[str, bytes, bytearray, memoryview] = b"") -> None:
        """Sends a pong that nobody asked for: a heartbeat in one direction (RFC 6455 §5.5.3). Pings are answered
        without this."""
        self.write_pong(data.encode() if isinstance(data, str) else bytes(memoryview(data)))
        await self.drained()

    def _on_pong(self, payload: bytes) -> None:
        pongs = self._pongs
        if not pongs or payload not in pongs:
            return
        # The clocks of some loops count milliseconds.
        now = time.perf_counter()
        # Pongs may answer only the newest of several pings (RFC 6455 §5.5.3): those before it are answered too.
        for asked in list(pongs):
            future, sent = pongs.pop(asked)
            if not future.done():
                future.set_result(now - sent)
            if asked == payload:
                self._measured = (now - sent, super().latency)
                return

    @property
    def latency(self) -> float:
        """The last round trip that was measured by a ping, in seconds; 0 before."""
        of_core = super().latency
        if self._measured is not None and self._measured[1] == of_core:
            return self._measured[0]
        return of_core

    async def close(self, code: int = CloseCode.NORMAL_CLOSURE, reason: str = "") -> None:
        """Does the closing handshake behind what was sent, and waits until the transport is gone: `close_timeout` at
        most. Messages that came can still be received. Once closed, it does nothing. Cancelled, the handshake goes on.

        ValueError for a code that must not be sent, or a reason beyond 123 bytes (RFC 6455 §7.4, §5.5)."""
        self._check_loop()
        self.begin_close(code, reason)
        await self.wait_closed()

    async def wait_closed(self) -> None:
        """Waits until the connection is closed and its transport is gone."""
        if super().state == CLOSED:
            return
        future = self._future()
        if self._gone is None:
            self._gone = []
        self._gone.append(future)
        try:
            await future
        finally:
            if self._gone is not None:
                self._gone.remove(future)

    def _on_lost(self, error: Optional[BaseException]) -> None:
        gone, self._gone = self._gone, None
        for waiting in gone or ():
            if not waiting.done():
                waiting.set_result(None)
        pongs, self._pongs = self._pongs, None
        for pong, _ in (pongs or {}).values():
            if not pong.done():
                pong.set_exception(self._closed_error())
                # Nobody has to await it: it is not told of as never retrieved.
                pong.exception()


def _is_bytes_like(value: Any) -> bool:
    try:
        memoryview(value)
    except TypeError:
        return False
    return True


def _kind(piece: object, before: Optional[type]) -> type:
    """str or bytes: what the fragments of a message are."""
    if isinstance(piece, str):
        kind: type = str
    elif _is_bytes_like(piece):
        kind = bytes
    else:
        raise TypeError(f"a fragment is str or bytes-like, not {type(piece).__name__}")
    if before is not None and kind is not before:
        raise TypeError("the fragments of a message are all str, or all bytes-like")
    return kind


def broadcast(
    connections: Iterable[_core.Connection],
    message: Message,
    raise_exceptions: bool = False,
    *,
    text: Optional[bool] = None,
) -> None:
    """Sends a message on all of these connections that are open. It is encoded and compressed once, and nobody is
    waited for: what slow peers do not take is held until they do, or their `ping_timeout` ends them.

    A connection in the middle of a fragmented message can't take it: a warning is logged, or with `raise_exceptions`
    (from Python 3.11) an ExceptionGroup of ConcurrencyError is raised after all others have it. TypeError: it is no
    message."""
    if raise_exceptions and sys.version_info < (3, 11):
        raise ValueError("raise_exceptions needs Python 3.11")
    left_out = _core.broadcast(connections, message, text)
    if not left_out:
        return
    if sys.version_info >= (3, 11) and raise_exceptions:
        errors = [ConcurrencyError(f"{connection!r} is sending a fragmented message") for connection in left_out]
        raise ExceptionGroup("the message was not sent on all connections", errors)  # noqa: F821
    for connection in left_out:
        logger = getattr(connection, "logger", None) or logging.getLogger("tidewire")
        logger.warning("a broadcast passed over a connection that is sending a fragmented message")
