"""A connection of the threads' face.

The event loop of `background` carries it; `recv` and `send` of any thread take from and give to the core, and block."""

from __future__ import annotations

import codecs
import random
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Optional, Union

from ..asyncio.connection import _is_bytes_like, _kind, broadcast
from ..connection import Connection as Shared
from ..connection import Data
from ..exceptions import ConcurrencyError, ConnectionClosedOK
from ..frames import CloseCode
from . import background

if TYPE_CHECKING:
    from typing_extensions import Self

    from .._core import Message
    from .pool import Called

__all__ = ["Connection", "broadcast"]

CLOSED = 3


class Connection(Shared):
    """One end of a WebSocket connection, for threads.

    `for message in connection` receives until the connection is closed: it ends after a normal end, and raises
    ConnectionClosedError after another. Pings are answered, deadlines kept and closing handshakes done by a thread of
    Tidewire, whether the application receives, computes or sleeps.

    All methods may be called from any thread. One thread at a time receives; any number may send. What waits can be
    interrupted by Ctrl-C."""

    _receiving: Optional[threading.Lock] = None
    _sending: Optional[threading.Lock] = None
    _waiting_to_send: Optional[threading.Lock] = None
    _gone: Optional[threading.Event] = None
    _pongs: Optional[dict[bytes, tuple[threading.Event, float, bool]]] = None
    _measured: Optional[tuple[float, float]] = None
    # Where pings and pongs are told of by callbacks.
    _called: Optional[Called] = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        if kind is None:
            self.close()
        elif issubclass(kind, Exception):
            self.close(CloseCode.INTERNAL_ERROR)
        else:
            # Ctrl-C is not held up by a peer that does not answer.
            self.begin_close(CloseCode.GOING_AWAY)

    # Receiving.

    def __iter__(self) -> Iterator[Data]:
        try:
            while True:
                yield self.recv()
        except ConnectionClosedOK:
            return

    def recv(self, timeout: Optional[float] = None, decode: Optional[bool] = None) -> Data:  # type: ignore[override]
        """The next message. `decode`: None gives str for text and bytes for binary, True str, False bytes.

        TimeoutError where none came within `timeout` seconds; with 0, where none is there already. The message is not
        lost: the next call has it. ConnectionClosed; ConcurrencyError while another thread receives."""
        turn = self._receiving or self._lock("_receiving")
        if not turn.acquire(False):
            raise ConcurrencyError("another thread receives from this connection: recv or recv_streaming")
        try:
            message = self.recv_nowait(decode)
            if message is not None:
                return message
            deadline = None if timeout is None else time.monotonic() + timeout
            while True:
                self._wait_to_receive(deadline)
                message = self.recv_nowait(decode)
                if message is not None:
                    return message
        finally:
            turn.release()

    def recv_streaming(self, decode: Optional[bool] = None) -> Iterator[Data]:
        """The next message in fragments, as they come; `decode` as for `recv`. Taken up to its end, or else nothing
        more can be received. ConnectionClosed; ConcurrencyError while another thread receives."""
        turn = self._receiving or self._lock("_receiving")
        if not turn.acquire(False):
            raise ConcurrencyError("another thread receives from this connection: recv or recv_streaming")
        try:
            decoder = codecs.getincrementaldecoder("utf-8")() if decode else None
            last = False
            while not last:
                taken = self.recv_piece_nowait()
                if taken is None:
                    self._wait_to_receive(None)
                    continue
                piece, last = taken
                if isinstance(piece, str):
                    yield piece.encode() if decode is False else piece
                else:
                    yield piece if decoder is None else decoder.decode(piece, last)
        finally:
            turn.release()

    def _wait_to_receive(self, deadline: Optional[float]) -> None:
        """Waits until there is something to take; TimeoutError at the deadline."""
        background.check()
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            raise TimeoutError("no message came in time")
        ready = threading.Lock()
        ready.acquire()
        self.on_readable(ready.release)
        came = False
        try:
            came = background.acquire(ready, _seconds(left))
        finally:
            if not came:
                self.on_readable(None)

    # Sending.

    def send(self, message: Union[Message, Iterable[Message]], text: Optional[bool] = None) -> None:  # type: ignore[override]
        """Sends str as text and bytes-like as binary (`text` says otherwise), and an iterable of either as
        the fragments of one message. It is written at once; the call waits while more waits to be written than
        `write_limit` allows.

        ConnectionClosed; ConcurrencyError while another thread sends fragments; TypeError where it is no message."""
        background.check()
        if isinstance(message, (str, bytes)) or _is_bytes_like(message):
            try:
                at_ease = self.send_nowait(message, text)  # type: ignore[arg-type]
            except ConcurrencyError:
                raise
            except RuntimeError as error:
                raise ConcurrencyError("another thread is sending the fragments of a message") from error
            if not at_ease:
                self._wait_to_send()
        elif isinstance(message, Mapping):
            raise TypeError("a mapping is no message: send its JSON, or its keys()")
        elif isinstance(message, Iterable):
            self._send_in_fragments(message, text)
        else:
            raise TypeError(f"a message is str, bytes-like, or an iterable of these, not {type(message).__name__}")

    def _send_in_fragments(self, pieces: Iterable[Message], text: Optional[bool]) -> None:
        turn = self._sending or self._lock("_sending")
        if not turn.acquire(False):
            raise ConcurrencyError("another thread is sending the fragments of a message")
        try:
            kind: Optional[type] = None
            for piece in pieces:
                kind = _kind(piece, kind)
                self._send_piece(piece, kind is str if text is None else text, False)
            # Whether there is one more, an iterator only tells when it is there: none waits for the next.
            if kind is not None:
                self._send_piece(kind(), kind is str if text is None else text, True)
        except BaseException:
            if self.sending_pieces:
                # The rest of the message does not exist: the peer must not take it for whole.
                self.begin_close(CloseCode.INTERNAL_ERROR, "a message was not sent to its end")
            raise
        finally:
            turn.release()

    def _send_piece(self, piece: Message, text: bool, last: bool) -> None:
        # It is sent by the call; what it returns is for event loops.
        self.send_piece(piece, text, last)
        self._wait_to_send()

    def _wait_to_send(self) -> None:
        """Waits while too much waits to be written."""
        background.check()
        with self._waiting_to_send or self._lock("_waiting_to_send"):
            ready = threading.Lock()
            ready.acquire()
            self.on_writable(ready.release)
            came = False
            try:
                came = background.acquire(ready)
            finally:
                if not came:
                    self.on_writable(None)

    # Pings.

    def ping(
        self, data: Union[str, bytes, bytearray, memoryview, None] = None, ack_on_close: bool = False
    ) -> threading.Event:
        """Sends a ping of up to 125 bytes, random ones where none are given. The event is set once the pong is there,
        and with `ack_on_close` also when none can come any more.

        ConnectionClosed; ConcurrencyError while the pong to a ping with the same bytes is awaited."""
        background.check()
        given = None if data is None else data.encode() if isinstance(data, str) else bytes(memoryview(data))
        event = threading.Event()
        with _mutex:
            pongs = self._pongs
            if pongs is None:
                pongs = self._pongs = {}
            if given is None:
                payload = random.getrandbits(32).to_bytes(4, "big")
                while payload in pongs:
                    payload = random.getrandbits(32).to_bytes(4, "big")
            else:
                payload = given
                if payload in pongs:
                    raise ConcurrencyError("a ping with these bytes is under way: give others, or none")
            pongs[payload] = (event, time.monotonic(), ack_on_close)
        try:
            self.watch_pongs = True
            self.write_ping(payload)
        except BaseException:
            pongs.pop(payload, None)
            raise
        return event

    def pong(self, data: Union[str, bytes, bytearray, memoryview] = b"") -> None:
        """Sends a pong that nobody asked for: a heartbeat in one direction (RFC 6455 §5.5.3). Pings are answered by the
        core."""
        self.write_pong(data.encode() if isinstance(data, str) else bytes(memoryview(data)))

    def _on_ping(self, payload: bytes) -> None:
        if self._called is not None:
            self._called.control("on_ping", payload)

    def _on_pong(self, payload: bytes) -> None:
        now = time.monotonic()
        if self._called is not None:
            self._called.control("on_pong", payload)
        with _mutex:
            pongs = self._pongs
            if not pongs or payload not in pongs:
                return
            # Pongs may answer only the newest of several pings (RFC 6455 §5.5.3): those before it are answered too.
            for asked in list(pongs):
                event, sent, _ = pongs.pop(asked)
                event.set()
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

    # The end.

    def close(self, code: int = CloseCode.NORMAL_CLOSURE, reason: str = "") -> None:
        """Does the closing handshake behind what was sent, and waits until the transport is gone: `close_timeout` at
        most. Messages that came can still be received. Once closed, it does nothing.

        ValueError for a code that must not be sent, or a reason beyond 123 bytes (RFC 6455 §7.4, §5.5)."""
        background.check()
        self.begin_close(code, reason)
        self.wait_closed()

    def wait_closed(self, timeout: Optional[float] = None) -> bool:
        """Waits until the connection is closed and its transport gone, `timeout` seconds at most. Whether it is so."""
        background.check()
        with _mutex:
            gone = self._gone
            if gone is None:
                gone = self._gone = threading.Event()
        # Whoever is too late for `_on_lost` sees that it was called.
        if super().state == CLOSED:
            return True
        return background.wait(gone, -1 if timeout is None else _seconds(max(0.0, timeout)))

    def _on_lost(self, error: Optional[BaseException]) -> None:
        with _mutex:
            gone, self._gone = self._gone, None
            pongs, self._pongs = self._pongs, None
        if gone is not None:
            gone.set()
        for event, _, ack_on_close in (pongs or {}).values():
            if ack_on_close:
                event.set()

    def _handler_ended(self) -> None:
        """Its callbacks are done."""

    def _lock(self, name: str) -> threading.Lock:
        """A lock of this connection, made when it is first asked for: idle connections have none."""
        with _mutex:
            lock: Optional[threading.Lock] = getattr(self, name)
            if lock is None:
                lock = threading.Lock()
                setattr(self, name, lock)
            return lock


# For what happens rarely in the life of a connection.
_mutex = threading.Lock()


def _seconds(left: Optional[float]) -> float:
    """As locks want it: -1 is for ever."""
    return -1 if left is None else min(left, threading.TIMEOUT_MAX)
