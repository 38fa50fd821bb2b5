"""The event loop behind the threads: one per process, in a daemon thread that starts at the first use.

It carries the sockets, answers pings and keeps time, so that a thread that computes or sleeps holds up nobody."""

from __future__ import annotations

import asyncio
import atexit
import math
import os
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, Optional, Protocol, TypeVar

__all__ = ["EXIT_TIMEOUT", "LOOK_UP", "acquire", "check", "loop", "on_exit", "run", "wait"]

EXIT_TIMEOUT = 5.0
"""Seconds that handlers have to end in when the interpreter exits, and connections to close."""

LOOK_UP = 0.1
"""Seconds after which the main thread notices a signal that came to another one."""

T = TypeVar("T")


class Closing(Protocol):
    """What is closed when the interpreter exits."""

    def _begin_exit(self) -> None:
        """Begins to close, on the loop's thread."""

    def _end_exit(self, deadline: float) -> None:
        """Waits for the end of it, until `time.monotonic()` is `deadline`."""


class _State:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.loop: Optional[asyncio.AbstractEventLoop] = None
        self.thread: Optional[threading.Thread] = None
        self.exiting = False
        self.forked = False
        self.open: set[Closing] = set()
        # Of the process that this one forked from: kept, for what is freed might disturb it.
        self.parent: Optional[_State] = None


_state = _State()


def check() -> None:
    """RuntimeError in a process that forked from one whose loop ran: its threads are not here."""
    if _state.forked:
        raise RuntimeError(
            "this process forked from one that used tidewire.sync already, and the thread that carries the connections "
            "is not in it: fork before the first serve_forever() or connect(), or let multiprocessing spawn"
        )


def loop() -> asyncio.AbstractEventLoop:
    """The loop, running. RuntimeError after a fork, and while the interpreter exits."""
    check()
    state = _state
    with state.lock:
        if state.exiting:
            raise RuntimeError("the interpreter exits: no connection can begin any more")
        if state.loop is None:
            state.loop = asyncio.SelectorEventLoop()
            state.thread = threading.Thread(target=_carry, args=(state.loop,), name="tidewire", daemon=True)
            state.thread.start()
            atexit.register(_exit)
        return state.loop


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Runs it on the loop and waits for its result. Ctrl-C cancels it."""
    try:
        if threading.current_thread() is _state.thread:
            raise RuntimeError("this is the thread that carries the connections: it would wait for itself for ever")
        future = asyncio.run_coroutine_threadsafe(coroutine, loop())
    except BaseException:
        coroutine.close()
        raise
    try:
        ready = threading.Lock()
        ready.acquire()
        future.add_done_callback(lambda _: ready.release())
        acquire(ready)
        return future.result()
    except BaseException:
        future.cancel()
        raise


def acquire(lock: threading.Lock, seconds: float = -1) -> bool:
    """`lock.acquire(timeout=seconds)`, where -1 is for ever, that Ctrl-C interrupts in the main thread."""
    return _attentive(lambda slice: lock.acquire(timeout=slice), seconds)


def wait(event: threading.Event, seconds: float = -1) -> bool:
    """`event.wait(seconds)`, where -1 is for ever, that Ctrl-C interrupts in the main thread."""
    return _attentive(lambda slice: event.wait(None if slice < 0 else slice), seconds)


def _attentive(attempt: Callable[[float], bool], seconds: float) -> bool:
    # The kernel may hand a signal to any thread, and then a wait of the main thread, which has to act on it, goes on.
    if threading.current_thread() is not threading.main_thread():
        return attempt(seconds)
    deadline = math.inf if seconds < 0 else time.monotonic() + seconds
    while True:
        left = deadline - time.monotonic()
        if attempt(max(0.0, min(left, LOOK_UP))):
            return True
        if left <= LOOK_UP:
            return False


def on_exit(closing: Closing, add: bool) -> None:
    """Has it closed when the interpreter exits, or no longer."""
    with _state.lock:
        (_state.open.add if add else _state.open.discard)(closing)


def _carry(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.close()


def _exit() -> None:
    state = _state
    if state.forked or state.loop is None or state.thread is None:
        return
    with state.lock:
        state.exiting = True
        closing = list(state.open)
    deadline = time.monotonic() + EXIT_TIMEOUT
    for each in closing:
        state.loop.call_soon_threadsafe(each._begin_exit)
    for each in closing:
        each._end_exit(deadline)
    state.loop.call_soon_threadsafe(state.loop.stop)
    state.thread.join(max(0.1, deadline - time.monotonic()))


def _forked() -> None:
    global _state
    parent, _state = _state, _State()
    _state.parent = parent
    _state.forked = parent.forked or parent.loop is not None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
