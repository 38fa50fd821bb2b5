"""Callbacks in the threaded server: a pool in place of a thread for each connection."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from typing import Any

import pytest
import websockets.exceptions
from threads import dial, serving, until

import tidewire
import tidewire.sync


def test_callbacks_come_in_order_and_never_two_of_a_connection_at_once() -> None:
    told: list[Any] = []

    class Slow(tidewire.Handler):
        def __init__(self) -> None:
            self.busy = False

        def on_open(self, connection: Any) -> None:
            told.append("open")

        def on_message(self, connection: Any, message: Any) -> None:
            assert not self.busy
            self.busy = True
            time.sleep(0.001)
            told.append(message)
            connection.send(message)
            self.busy = False

        def on_close(self, connection: Any, code: int, reason: str) -> None:
            told.append((code, reason))

    with serving(Slow, threads=4) as (_, url), dial(url) as peer:
        for number in range(100):
            peer.send(str(number))
        assert [peer.recv() for _ in range(100)] == [str(number) for number in range(100)]
        peer.close(1000, "bye")
        until(lambda: len(told) == 102)
    assert told == ["open", *(str(number) for number in range(100)), (1000, "bye")]


def test_idle_connections_have_no_threads() -> None:
    """As many connections as you like: the pool has its few threads, and one thread carries the sockets."""

    class Echo(tidewire.Handler):
        def on_message(self, connection: Any, message: Any) -> None:
            connection.send(message)

    with serving(Echo, threads=3) as (server, url):
        before = {thread for thread in threading.enumerate() if thread.name.startswith("tidewire")}
        peers = [tidewire.sync.connect(url) for _ in range(50)]
        for peer in peers:
            peer.send("x")
        assert [peer.recv(timeout=5) for peer in peers] == ["x"] * 50
        threads = {thread for thread in threading.enumerate() if thread.name.startswith("tidewire")} - before
        assert len(threads) <= 3
        assert len(server.connections) == 50
        for peer in peers:
            peer.close()


def test_a_callback_that_blocks_holds_up_its_own_connection_only() -> None:
    go = threading.Event()

    class Blocking(tidewire.Handler):
        def on_message(self, connection: Any, message: Any) -> None:
            if message == "wait":
                go.wait(10)
            connection.send(message)

    with serving(Blocking, threads=2) as (_, url), dial(url) as slow, dial(url) as fast:
        slow.send("wait")
        for _ in range(10):
            fast.send("x")
            assert fast.recv(timeout=2) == "x"
        go.set()
        assert slow.recv(timeout=2) == "wait"


@pytest.mark.parametrize(("payload", "expected"), [("native", str), ("bytes", bytes), ("memoryview", memoryview)])
def test_payloads_come_as_asked(payload: str, expected: type) -> None:
    kinds: list[type] = []

    class Looking(tidewire.Handler):
        def on_message(self, connection: Any, message: Any) -> None:
            kinds.append(type(message))
            connection.send("ok")

    Looking.payload = payload  # type: ignore[assignment]
    with serving(Looking) as (_, url), dial(url) as peer:
        peer.send("x")
        assert peer.recv() == "ok"
    assert kinds == [expected]


def test_pings_and_pongs_are_told_of() -> None:
    told: list[bytes] = []

    class Asking(tidewire.Handler):
        def on_open(self, connection: Any) -> None:
            connection.ping(b"there?")

        def on_ping(self, connection: Any, data: bytes) -> None:
            told.append(data)

        def on_pong(self, connection: Any, data: bytes) -> None:
            told.append(data)

    with serving(Asking) as (_, url), dial(url) as peer:
        until(lambda: told)
        assert peer.ping(b"here?").wait(5)
        until(lambda: len(told) == 2)
    assert told == [b"there?", b"here?"]


@pytest.mark.parametrize("where", ["__init__", "on_open", "on_message"])
def test_what_a_callback_raises_is_logged_and_closes_with_1011(where: str, caplog: pytest.LogCaptureFixture) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("of the handler")

    Failing = type("Failing", (tidewire.Handler,), {where: fail})
    with (
        caplog.at_level(logging.ERROR, "tidewire.server"),
        serving(Failing) as (_, url),
        dial(url) as peer,
    ):
        with contextlib.suppress(websockets.exceptions.ConnectionClosed):
            peer.send("x")
        with pytest.raises(websockets.exceptions.ConnectionClosedError) as closed:
            peer.recv(timeout=5)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1011
    assert "of the handler" in caplog.text
    assert "Traceback" in caplog.text


def test_a_callback_may_shut_its_server_down() -> None:
    class Stopping(tidewire.Handler):
        def on_message(self, connection: Any, message: Any) -> None:
            connection.server.shutdown()

    with serving(Stopping) as (_, url), dial(url) as peer:
        peer.send("stop")
        with pytest.raises(websockets.exceptions.ConnectionClosedOK):
            peer.recv(timeout=5)
