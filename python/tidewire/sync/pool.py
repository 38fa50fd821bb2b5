"""Callbacks of many connections on a few threads.

A connection that nobody sends to has no thread: it is in the pool's queue only while something is there to be handed
over. The callbacks of one connection never run at the same time."""

from __future__ import annotations

import collections
import os
import queue
import threading
from typing import TYPE_CHECKING, Any, Callable, Optional, Union

from ..exceptions import ConnectionClosed
from ..frames import CloseCode, State

if TYPE_CHECKING:
    from ..handler import Handler
    from .connection import Connection

__all__ = ["Called", "Pool", "at_work", "default_threads"]

BATCH = 32
"""Messages of one connection that are handed over before the next connection has its turn."""


def default_threads() -> int:
    """Callbacks that may run at once where nothing else is asked for: as concurrent.futures counts."""
    return min(32, (os.cpu_count() or 1) + 4)


CONTROLS = 1024
"""Pings and pongs of one connection that wait to be told of. More are passed over."""


class Pool:
    """Threads that start when there is work for them, `most` at once, and end with `close`."""

    def __init__(self, most: int) -> None:
        if most < 1:
            raise ValueError(f"threads: at least 1 is needed, not {most}")
        self.most = most
        self.threads: list[threading.Thread] = []
        self._work: queue.SimpleQueue[Optional[Callable[[], None]]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._idle = 0
        self._waiting = 0

    def put(self, work: Callable[[], None]) -> None:
        """Has it called by a thread of the pool. RuntimeError where there is none, and none can be started."""
        with self._lock:
            self._waiting += 1
            if self._waiting > self._idle and len(self.threads) < self.most:
                thread = threading.Thread(target=self._run, name="tidewire-callbacks", daemon=True)
                try:
                    thread.start()
                except RuntimeError:
                    # The others do it, later.
                    if not self.threads:
                        self._waiting -= 1
                        raise
                else:
                    self.threads.append(thread)
                    self._idle += 1
        self._work.put(work)

    def close(self) -> None:
        """The threads end once all that was put in is done."""
        with self._lock:
            for _ in self.threads:
                self._work.put(None)

    def _run(self) -> None:
        while True:
            work = self._work.get()
            if work is None:
                return
            with self._lock:
                self._waiting -= 1
                self._idle -= 1
            work()
            with self._lock:
                self._idle += 1


class Called:
    """A connection whose messages go to a handler."""

    def __init__(self, pool: Pool, connection: Connection, handler: Handler) -> None:
        self.pool = pool
        self.connection = connection
        self.handler: Optional[Handler] = handler
        self.payload = handler.payload
        self.events: collections.deque[tuple[str, bytes]] = collections.deque()
        self.opened = False
        self.put_in = False
        self.again = False

    def wake(self) -> None:
        """There is something to hand over. It neither raises nor waits."""
        with _mutex:
            if self.put_in:
                self.again = True
                return
            self.put_in = True
        try:
            self.pool.put(self.turn)
        except RuntimeError as error:
            self._failed(error)

    def control(self, callback: str, data: bytes) -> None:
        """A ping or a pong came."""
        if self.handler is not None and len(self.events) < CONTROLS:
            self.events.append((callback, data))
            self.wake()

    def turn(self) -> None:
        """Hands over what is there, on a thread of the pool."""
        with _mutex:
            self.again = False
        at_work.key = self.connection
        try:
            more = self._hand_over()
        except ConnectionClosed:
            self._closed()
            return
        finally:
            at_work.key = None
        with _mutex:
            more = more or self.again
            self.put_in = more
        if more:
            self.pool.put(self.turn)
        else:
            self.connection.on_readable(self.wake)

    def _hand_over(self) -> bool:
        """Whether there may be more. ConnectionClosed once all is handed over."""
        connection, handler = self.connection, self.handler
        if not self.opened:
            self.opened = True
            self._call("on_open")
        for _ in range(BATCH):
            while self.events:
                name, data = self.events.popleft()
                self._call(name, data)
            message: Any = connection.recv_nowait(None if self.payload == "native" else False)
            if message is None:
                return False
            if handler is not None:
                self._call("on_message", memoryview(message) if self.payload == "memoryview" else message)
        return True

    def _call(self, name: str, *arguments: Union[str, bytes, memoryview, int]) -> None:
        callback = getattr(self.handler, name, None)
        if callback is not None:
            try:
                callback(self.connection, *arguments)
            except ConnectionClosed as error:
                # Behind the messages that are still handed over, the peer has closed already.
                if self.connection.state is State.OPEN:
                    self._failed(error)
                else:
                    self.connection.logger.info("connection handler ended: %s", error)
            except BaseException as error:
                self._failed(error)

    def _failed(self, error: BaseException) -> None:
        """No more callbacks: what comes until the connection is closed is passed over."""
        self.handler = None
        self.connection._on_handler_error(error)
        self.connection.begin_close(CloseCode.INTERNAL_ERROR)

    def _closed(self) -> None:
        connection = self.connection
        code, reason = connection.close_code, connection.close_reason
        self._call("on_close", CloseCode.ABNORMAL_CLOSURE if code is None else code, reason or "")
        self.handler = None
        connection._handler_ended()


_mutex = threading.Lock()

at_work = threading.local()
"""`key`: what this thread is doing for a server, or not there."""
