"""What listens for the threads' face, and brings the connections to their handlers."""

from __future__ import annotations

import contextlib
import functools
import inspect
import threading
from collections.abc import Awaitable, Callable, Generator
from typing import TYPE_CHECKING, Any, Optional, TypeVar

from ..asyncio import serving as loops
from ..connection import ServerSide
from ..exceptions import ConnectionClosed
from ..frames import CloseCode
from . import background
from .connection import Connection
from .pool import Called, Pool, at_work

if TYPE_CHECKING:
    from .server import Server

__all__ = ["Listener", "ServerConnection", "drive"]

T = TypeVar("T")


class ServerConnection(Connection, ServerSide):
    """A connection of a server. `server` is that server; `request` and `response` are of the opening handshake."""

    def __init__(self, listener: Listener) -> None:
        super().__init__(listener._reactor, listener._settings, True)
        self._listener = listener
        self.server = listener.owner
        self.logger = listener.logger

    def _on_request(self, method: str, target: str, fields: list[tuple[str, str]], websocket: bool) -> None:
        self._take_request(method, target, fields, websocket)
        self._listener._begin(self)

    def _on_lost(self, error: Optional[BaseException]) -> None:
        super()._on_lost(error)
        self._listener._connections.discard(self)
        self._listener._check_closed()

    def _handler_ended(self) -> None:
        """Its callbacks are done."""
        self._listener._work_ended(self)


class Listener(loops.Server):
    """The server of the asyncio face on the loop of `background`, whose handlers run in threads."""

    owner: Server
    pool: Optional[Pool] = None

    def __init__(self, judged: loops.Server, threads: int) -> None:
        # What the asyncio face made of the arguments.
        vars(self).update(vars(judged))
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
            self._set_to_work(connection, functools.partial(self._handshake, connection, steps))
            return
        try:
            page = next(steps)
        except StopIteration as stop:
            if stop.value:
                self._opened(connection)
        else:
            self._spawn(_page(connection, steps, page))

    def _opened(self, connection: ServerConnection) -> None:
        """The opening handshake is done."""
        if self.pool is None:
            self._set_to_work(connection, functools.partial(self._handle, connection))
        else:
            self._attach(connection)

    def _attach(self, connection: ServerConnection) -> None:  # type: ignore[override]
        assert self._make_handler is not None
        assert self.pool is not None
        try:
            handler = self._make_handler()
        except Exception as error:
            connection._on_handler_error(error)
            connection.begin_close(CloseCode.INTERNAL_ERROR)
            return
        self._work.add(connection)
        called = Called(self.pool, connection, handler)
        if hasattr(handler, "on_ping") or hasattr(handler, "on_pong"):
            connection._called = called
            connection.watch_pings = hasattr(handler, "on_ping")
            connection.watch_pongs = hasattr(handler, "on_pong")
        called.wake()

    def _set_to_work(self, connection: ServerConnection, work: Callable[[], None]) -> None:
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
            # Once the loop has ended, nobody waits any more.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._check_closed)

    def _handshake(self, connection: ServerConnection, steps: Generator[Any, Any, bool]) -> None:
        try:
            opened = drive(steps)
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
            self.handler(connection)  # type: ignore[operator, call-arg]
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


async def _page(connection: ServerConnection, steps: Generator[Any, Any, bool], page: Any) -> None:
    """Answers with a page."""
    try:
        await loops.drive(steps, page)
    except BaseException:
        connection.abort()
        raise


async def _awaited(value: Awaitable[T]) -> T:
    return await value


def drive(steps: Generator[Any, Any, T]) -> T:
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
