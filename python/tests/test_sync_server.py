"""The threaded server, with python-websockets as its client."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

import pytest
import websockets.exceptions
from threads import ask, dial, echo, flood, serving, until

import tidewire
import tidewire.sync


@pytest.mark.parametrize("compression", [None, "deflate"])
def test_messages_of_all_lengths_come_back(compression: str) -> None:
    with serving(echo) as (_, url), dial(url, compression=compression) as peer:
        for length in (0, 1, 125, 126, 127, 65535, 65536, 200_000, 1_048_576):
            for message in ("x" * length, bytes(length)):
                peer.send(message)
                assert peer.recv() == message
        peer.send("ü€😀")
        assert peer.recv() == "ü€😀"


def test_a_message_in_fragments_is_received_whole_or_piece_by_piece() -> None:
    def handler(connection: Any) -> None:
        assert connection.recv() == "one two"
        assert "".join(connection.recv_streaming()) == "three four"
        assert b"".join(connection.recv_streaming(decode=False)) == b"five"
        assert "".join(connection.recv_streaming(decode=True)) == "€uro"
        connection.send(iter(["a", "b", "c"]))
        connection.send([b"d", bytearray(b"e"), memoryview(b"f")])
        connection.send([])
        connection.send("end")

    euro = "€uro".encode()
    with serving(handler) as (_, url), dial(url) as peer:
        peer.send(["one ", "two"])
        peer.send(["three ", "four"])
        peer.send("five")
        peer.send([euro[:1], euro[1:2], euro[2:]])
        assert [peer.recv(), peer.recv(), peer.recv()] == ["abc", b"def", "end"]


def test_recv_with_a_timeout_loses_no_message() -> None:
    """edge 64: a timeout, timeout=0, and what comes afterwards."""
    told: list[Any] = []

    def handler(connection: Any) -> None:
        for timeout in (0, -1, 0.02):
            with pytest.raises(TimeoutError):
                connection.recv(timeout=timeout)
        connection.send("now")
        for _ in range(1000):
            try:
                told.append(connection.recv(timeout=0.0005))
            except TimeoutError:
                pass
            except tidewire.ConnectionClosed:
                break

    with serving(handler) as (_, url), dial(url) as peer:
        assert peer.recv() == "now"
        for number in range(100):
            peer.send(str(number))
            time.sleep(0.001)
        peer.close()
        until(lambda: len(told) >= 100)
    assert told == [str(number) for number in range(100)]


def test_a_message_that_is_there_is_taken_without_waiting() -> None:
    """edge 64: timeout=0 takes what came already."""
    taken: list[Any] = []
    there = threading.Event()

    def handler(connection: Any) -> None:
        there.wait(10)
        taken.append(connection.recv(timeout=0))
        taken.append(connection.recv(timeout=0, decode=False))

    with serving(handler) as (_, url), dial(url) as peer:
        peer.send("first")
        peer.send("second")
        # The pong comes behind what was read before the ping.
        assert peer.ping().wait(5)
        there.set()
        until(lambda: len(taken) == 2)
    assert taken == ["first", b"second"]


def test_two_threads_that_receive_are_refused() -> None:
    """edge 64: the second of two recv at once is refused, and the first one has the message."""
    outcome: list[Any] = []

    def handler(connection: Any) -> None:
        thread = threading.Thread(target=lambda: outcome.append(connection.recv()))
        thread.start()
        time.sleep(0.1)
        with pytest.raises(tidewire.exceptions.ConcurrencyError):
            connection.recv()
        with pytest.raises(tidewire.exceptions.ConcurrencyError):
            next(iter(connection.recv_streaming()))
        connection.send("refused")
        thread.join(5)

    with serving(handler) as (_, url), dial(url) as peer:
        assert peer.recv(timeout=5) == "refused"
        peer.send("for the first")
        until(lambda: outcome)
    assert outcome == ["for the first"]


def test_a_handler_that_sleeps_or_computes_still_answers_pings() -> None:
    """edge 55, edge 65: a thread that neither reads nor writes."""
    go = threading.Event()

    def handler(connection: Any) -> None:
        go.wait(10)

    with serving(handler) as (_, url), dial(url) as peer:
        for _ in range(3):
            assert peer.ping().wait(1)
        go.set()


def test_many_threads_may_send_on_one_connection() -> None:
    def handler(connection: Any) -> None:
        def speak(name: int) -> None:
            for number in range(200):
                connection.send(f"{name} {number}")

        threads = [threading.Thread(target=speak, args=(name,)) for name in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    with serving(handler, write_limit=1024) as (_, url), dial(url) as peer:
        came = [str(message).split() for message in peer]
    assert len(came) == 1000
    for name in range(5):
        assert [int(number) for who, number in came if int(who) == name] == list(range(200))


def test_send_waits_for_a_slow_reader() -> None:
    """edge 55: no lost wake-up of a thread that waits to send."""
    sent: list[int] = []

    def handler(connection: Any) -> None:
        for number in range(200):
            connection.send(bytes(100_000))
            sent.append(number)

    with serving(handler, compression=None) as (_, url), dial(url, compression=None) as peer:
        time.sleep(0.3)
        held = len(sent)
        assert held < 150
        count = sum(len(message) for message in peer)
    assert count == 200 * 100_000
    assert len(sent) == 200


def test_a_close_is_not_held_up_by_what_nobody_receives() -> None:
    """edge 55: the peer's close frame stands behind more messages than are taken in."""
    took: list[float] = []

    def handler(connection: Any) -> None:
        time.sleep(0.3)
        began = time.monotonic()
        connection.close(1000)
        took.append(time.monotonic() - began)
        assert connection.close_code == 1000

    with serving(handler) as (_, url), dial(url, compression=None) as peer:
        with pytest.raises(websockets.exceptions.ConnectionClosedOK):
            flood(peer)
    assert took
    assert took[0] < 5


def test_fragments_are_not_mixed_with_other_messages() -> None:
    refused: list[BaseException] = []

    def handler(connection: Any) -> None:
        def pieces() -> Any:
            yield "a"
            for message in ("whole", ["other"]):
                try:
                    connection.send(message)
                except tidewire.exceptions.ConcurrencyError as error:
                    refused.append(error)
            yield "b"

        connection.send(pieces())
        for wrong in ({"a": 1}, 5, ["a", b"b"]):
            with pytest.raises(TypeError):
                connection.send(wrong)

    with serving(handler) as (_, url), dial(url) as peer:
        assert peer.recv() == "ab"
        with pytest.raises(websockets.exceptions.ConnectionClosedError) as closed:
            peer.recv()
    assert len(refused) == 2
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1011


def test_pings_have_events() -> None:
    def handler(connection: Any) -> None:
        first, second = connection.ping(), connection.ping(b"second")
        assert second.wait(5)
        assert first.is_set()
        assert connection.latency > 0
        connection.pong("unasked")
        with pytest.raises(ValueError, match="125"):
            connection.ping(bytes(126))
        connection.send("done")
        connection.recv()

    with serving(handler) as (_server, url), dial(url) as peer:
        assert peer.recv(timeout=5) == "done"


def test_the_event_of_a_ping_tells_the_end_where_asked() -> None:
    events: list[threading.Event] = []

    def handler(connection: Any) -> None:
        with pytest.raises(tidewire.ConnectionClosed):
            connection.recv()
        connection.wait_closed()

    class Keeping(tidewire.sync.ServerConnection):
        def _on_pong(self, payload: bytes) -> None:
            pass

    def asking(connection: Any) -> None:
        events.extend([connection.ping(), connection.ping(ack_on_close=True)])
        handler(connection)

    with serving(asking, create_connection=Keeping) as (_, url):
        with dial(url):
            until(lambda: len(events) == 2)
        assert events[1].wait(5)
        assert not events[0].is_set()


def test_the_end_of_a_handler_closes_with_1000_and_its_failure_with_1011(caplog: pytest.LogCaptureFixture) -> None:
    def handler(connection: Any) -> None:
        if connection.request.path == "/fail":
            raise ZeroDivisionError("of the handler")

    with caplog.at_level(logging.ERROR, "tidewire.server"), serving(handler) as (_, url):
        for path, code in (("", 1000), ("fail", 1011)):
            with dial(url + path) as peer:
                with pytest.raises(websockets.exceptions.ConnectionClosed) as closed:
                    peer.recv()
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == code
    assert "of the handler" in caplog.text
    assert "Traceback" in caplog.text


def test_iteration_ends_after_a_normal_end_and_raises_after_another() -> None:
    ends: list[Any] = []

    def handler(connection: Any) -> None:
        try:
            ends.append(list(connection))
        except tidewire.ConnectionClosedError as error:
            ends.append(error.code)

    with serving(handler) as (_, url):
        for code in (1000, 1001, 1008):
            with dial(url) as peer:
                peer.send("x")
                peer.close(code)
        until(lambda: len(ends) == 3)
    assert sorted(map(str, ends)) == ["1008", "['x']", "['x']"]


def test_callbacks_of_the_handshake_run_in_the_handlers_thread() -> None:
    threads: list[Any] = []

    def process_request(connection: Any, request: Any) -> Any:
        threads.append(threading.current_thread())
        time.sleep(0.05)
        return connection.respond(401, "no") if request.path == "/no" else None

    def process_response(connection: Any, request: Any, response: Any) -> None:
        response.headers["X-Seen"] = "yes"

    def handler(connection: Any) -> None:
        threads.append(threading.current_thread())
        connection.send(f"{connection.subprotocol} {connection.request.headers['X-Name']}")

    def select(connection: Any, offered: Any) -> str:
        return str(offered[-1])

    options = {"process_request": process_request, "process_response": process_response, "select_subprotocol": select}
    with serving(handler, **options) as (_, url):
        with dial(url, subprotocols=["a", "b"], additional_headers={"X-Name": "me"}) as peer:
            assert peer.recv() == "b me"
            assert peer.response is not None
            assert peer.response.headers["X-Seen"] == "yes"
        assert threads[0] is threads[1]
        with pytest.raises(websockets.exceptions.InvalidStatus) as refused:
            dial(url + "no")
        assert refused.value.response.status_code == 401


def test_logins() -> None:
    login = tidewire.sync.server.basic_auth("here", ("me", "secret"))
    with serving(lambda connection: connection.send(connection.username), process_request=login) as (_, url):
        with dial(url.replace("//", "//me:secret@")) as peer:
            assert peer.recv() == "me"
        with pytest.raises(websockets.exceptions.InvalidStatus):
            dial(url.replace("//", "//me:wrong@"))


def test_shutdown_closes_with_1001_and_waits_for_handlers() -> None:
    ended = threading.Event()

    def handler(connection: Any) -> None:
        for _ in connection:
            pass
        time.sleep(0.2)
        ended.set()

    with serving(handler) as (server, url), dial(url) as peer:
        until(lambda: len(server.connections) == 1)
        server.shutdown(reason="bye")
        assert ended.is_set()
        assert server.connections == set()
        assert server.fileno() == -1
        with pytest.raises(websockets.exceptions.ConnectionClosedOK) as closed:
            peer.recv()
        assert closed.value.rcvd == websockets.exceptions.frames.Close(1001, "bye")  # type: ignore[attr-defined]
        server.serve_forever()
        server.shutdown()


def test_shutdown_may_leave_connections_to_their_own_end() -> None:
    with serving(echo) as (server, url):
        with dial(url) as peer:
            peer.send("a")
            assert peer.recv() == "a"
            stopping = threading.Thread(target=server.shutdown, args=(False,))
            stopping.start()
            time.sleep(0.1)
            peer.send("b")
            assert peer.recv() == "b"
            assert stopping.is_alive()
        stopping.join(5)
        assert not stopping.is_alive()


def test_a_handler_may_shut_its_server_down() -> None:
    def handler(connection: Any) -> None:
        connection.recv()
        connection.server.shutdown()

    with serving(handler) as (_, url), dial(url) as peer, dial(url) as other:
        peer.send("stop")
        for each in (peer, other):
            with pytest.raises(websockets.exceptions.ConnectionClosedOK):
                each.recv(timeout=5)


def test_a_server_that_never_ran_is_closed() -> None:
    server = tidewire.sync.serve(echo, "127.0.0.1", 0)
    port = server.socket.getsockname()[1]
    server.shutdown()
    server.serve_forever()
    with pytest.raises(ConnectionRefusedError):
        ask(port, "GET / HTTP/1.1")


def test_a_port_in_use_is_told_at_once() -> None:
    with serving(echo) as (server, _), pytest.raises(OSError, match="in use"):
        tidewire.sync.serve(echo, "127.0.0.1", server.socket.getsockname()[1])


def test_what_can_not_be_served_is_refused() -> None:
    async def coroutine(connection: Any) -> None:
        pass

    for wrong in ({"handler": coroutine}, {"handler": None}, {"handler": echo, "colour": "red"}):
        with pytest.raises(TypeError):
            tidewire.sync.serve(wrong.pop("handler"), "127.0.0.1", 0, **wrong)
    for options in ({"ping_interval": -1}, {"compression": "gzip"}):
        with pytest.raises(ValueError, match=r"ping_interval|compression"):
            tidewire.sync.serve(echo, "127.0.0.1", 0, **options)


def test_a_unix_socket(tmp_path: Any) -> None:
    from threads import unix_dial

    path = tmp_path / "socket"
    with tidewire.sync.unix_serve(echo, path, mode=0o600) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        with unix_dial(str(path)) as peer:
            peer.send("a")
            assert peer.recv() == "a"
        assert path.stat().st_mode & 0o777 == 0o600
        server.shutdown()
        thread.join(5)
    assert not path.exists()


def test_pages_stand_beside_the_socket(tmp_path: Any) -> None:
    (tmp_path / "index.html").write_text("the index")
    with serving(echo, static=tmp_path, console=True) as (server, url):
        port = server.socket.getsockname()[1]
        assert ask(port, "GET / HTTP/1.1")[2] == b"the index"
        assert b"<script" in ask(port, "GET /_tidewire/ HTTP/1.1")[2]
        with dial(url) as peer:
            peer.send("a")
            assert peer.recv() == "a"
