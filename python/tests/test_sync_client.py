"""The threaded client, with python-websockets as its server."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import websockets.exceptions
import websockets.sync.server
from loops import contexts
from threads import dial, serving, until
from threads import echo as server_echo

import tidewire
import tidewire.sync


@contextlib.contextmanager
def foreign(handler: Any, **options: Any) -> Iterator[str]:
    with websockets.sync.server.serve(handler, "127.0.0.1", 0, **options) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}/"
        finally:
            server.shutdown()
            thread.join(10)


def echo(peer: Any) -> None:
    for message in peer:
        peer.send(message)


@pytest.mark.parametrize("compression", [None, "deflate"])
def test_messages_of_all_lengths_come_back(compression: str) -> None:
    with foreign(echo) as url, tidewire.sync.connect(url, compression=compression) as connection:
        for length in (0, 125, 126, 65535, 65536, 1_048_576):
            for message in ("x" * length, bytes(length)):
                connection.send(message)
                assert connection.recv() == message


def test_recv_with_a_timeout() -> None:
    """edge 64: timeouts, and what comes afterwards."""
    go = threading.Event()

    def handler(peer: Any) -> None:
        go.wait(10)
        peer.send("a")
        peer.recv()

    with foreign(handler) as url, tidewire.sync.connect(url) as connection:
        for timeout in (0, 0.05):
            began = time.monotonic()
            with pytest.raises(TimeoutError):
                connection.recv(timeout=timeout)
            assert timeout <= time.monotonic() - began < 2
        go.set()
        assert connection.recv(timeout=5) == "a"


def test_both_close_frames_are_told() -> None:
    def handler(peer: Any) -> None:
        peer.close(4001, "enough")

    with foreign(handler) as url, tidewire.sync.connect(url) as connection:
        with pytest.raises(tidewire.ConnectionClosedError) as closed:
            connection.recv()
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4001, "enough")
        assert connection.wait_closed(5)
        assert (connection.close_code, connection.close_reason) == (4001, "enough")
        with pytest.raises(tidewire.ConnectionClosed):
            connection.send("x")
        connection.close()


def test_close_does_the_closing_handshake_and_a_block_that_fails_closes_with_1011() -> None:
    codes: list[int] = []

    def handler(peer: Any) -> None:
        try:
            peer.recv()
        except websockets.exceptions.ConnectionClosed as closed:
            codes.append(closed.rcvd.code)  # type: ignore[union-attr]

    with foreign(handler) as url:
        with tidewire.sync.connect(url) as connection:
            pass
        assert connection.state == 3
        with pytest.raises(ZeroDivisionError), tidewire.sync.connect(url):
            raise ZeroDivisionError
        until(lambda: len(codes) == 2)
    assert codes == [1000, 1011]


def test_wait_closed_has_a_timeout() -> None:
    with foreign(echo) as url, tidewire.sync.connect(url) as connection:
        assert not connection.wait_closed(timeout=0.05)
        assert not connection.wait_closed(timeout=0)
        threading.Timer(0.1, connection.begin_close).start()
        assert connection.wait_closed(timeout=5)


def test_a_refusal_is_told_with_its_response() -> None:
    def refuse(connection: Any, request: Any) -> Any:
        return connection.respond(403, "not you\n")

    with foreign(echo, process_request=refuse) as url:
        with pytest.raises(tidewire.InvalidStatus) as refused:
            tidewire.sync.connect(url)
        assert refused.value.response.status_code == 403
        assert refused.value.response.body == b"not you\n"


def test_what_can_not_be_reached_is_told() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectionRefusedError):
            tidewire.sync.connect(f"ws://127.0.0.1:{unused.getsockname()[1]}/")
    with pytest.raises(tidewire.InvalidURI):
        tidewire.sync.connect("ftp://127.0.0.1/")


def test_a_server_that_does_not_answer_is_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            tidewire.sync.connect(f"ws://127.0.0.1:{silent.getsockname()[1]}/", open_timeout=0.2)
        assert time.monotonic() - began < 2


def test_a_socket_of_the_caller() -> None:
    with foreign(echo) as url:
        sock = socket.create_connection(("127.0.0.1", int(url.rstrip("/").rpartition(":")[2])))
        with tidewire.sync.connect("ws://example.com/", sock=sock) as connection:
            connection.send("a")
            assert connection.recv() == "a"


def test_a_unix_socket(tmp_path: Any) -> None:
    with websockets.sync.server.unix_serve(echo, str(tmp_path / "socket")) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        with tidewire.sync.unix_connect(tmp_path / "socket") as connection:
            connection.send("a")
            assert connection.recv() == "a"
        server.shutdown()
        thread.join(5)


def test_a_connection_that_is_cut_is_told() -> None:
    def handler(peer: Any) -> None:
        peer.socket.shutdown(socket.SHUT_RDWR)

    with foreign(handler) as url, tidewire.sync.connect(url) as connection:
        with pytest.raises(tidewire.ConnectionClosedError) as closed:
            connection.recv(timeout=5)
        assert closed.value.rcvd is None
        assert closed.value.code == 1006


def test_broadcast_reaches_all() -> None:
    with foreign(echo) as url:
        connections = [tidewire.sync.connect(url) for _ in range(10)]
        tidewire.broadcast(connections, "to all")
        assert [connection.recv(timeout=5) for connection in connections] == ["to all"] * 10
        for connection in connections:
            connection.close()


def test_iteration_with_reconnect_connects_again() -> None:
    def once(peer: Any) -> None:
        peer.send(peer.recv())

    told = []
    with foreign(once) as url:
        for connection in tidewire.sync.connect(url, legacy=False):
            with contextlib.suppress(tidewire.ConnectionClosed):
                connection.send("a")
                told.append(connection.recv())
                connection.recv()
            if len(told) == 3:
                break
    assert told == ["a"] * 3


def test_reconnect_connects_once_in_with() -> None:
    with foreign(echo) as url, tidewire.sync.reconnect(url) as connection:
        connection.send("a")
        assert connection.recv(timeout=5) == "a"


def test_tls() -> None:
    of_server, of_client = contexts()
    ours, theirs = serving(server_echo, ssl=of_server), foreign(echo, ssl=of_server)
    with ours as (_, url), theirs as foreign_url:
        for where in (url, foreign_url):
            with tidewire.sync.connect(where.replace("ws:", "wss:"), ssl=of_client) as connection:
                for message in ("text", bytes(200_000)):
                    connection.send(message)
                    assert connection.recv(timeout=5) == message
                assert connection.ping().wait(5)
        with dial(url.replace("ws:", "wss:"), ssl=of_client) as peer:
            peer.send("a")
            assert peer.recv(timeout=5) == "a"


# asyncio before 3.11 leaves the server's half of a TLS handshake that failed unclosed.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_certificate_that_nobody_vouches_for() -> None:
    of_server, _ = contexts()
    with serving(server_echo, ssl=of_server) as (_, url), pytest.raises(ssl.SSLCertVerificationError):
        tidewire.sync.connect(url.replace("ws:", "wss:"))
