"""What becomes of the threads' face with its process: Ctrl-C, exit, fork."""

from __future__ import annotations

import os
import signal
import time

import pytest
import websockets.exceptions
from threads import Program, dial

SERVER = """
import sys, threading, time
import tidewire.sync

def handler(connection):
    connection.send("hello")
    {handler}

with tidewire.sync.serve(handler, "127.0.0.1", 0) as server:
    print(server.socket.getsockname()[1])
    server.serve_forever()
"""

WAITS = "for message in connection: pass"
SLEEPS = "time.sleep(60)"


@pytest.mark.parametrize("handler", [WAITS, SLEEPS])
def test_ctrl_c_stops_a_server_at_once(handler: str) -> None:
    with Program(SERVER.format(handler=handler)) as program, dial(f"ws://127.0.0.1:{program.line()}/") as peer:
        assert peer.recv() == "hello"
        began = time.monotonic()
        program.process.send_signal(signal.SIGINT)
        with pytest.raises(websockets.exceptions.ConnectionClosedOK) as closed:
            peer.recv(timeout=5)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001
        status, _, err = program.ended(10)
        # A handler that does not look up has a second or two.
        assert time.monotonic() - began < (2 if handler == WAITS else 5)
        assert status == -signal.SIGINT or status == 130
        assert "KeyboardInterrupt" in err
        assert "Warning" not in err
        assert "Fatal" not in err


@pytest.mark.parametrize("waiting", ["connection.recv()", "connection.recv(timeout=60)", "connection.wait_closed()"])
def test_ctrl_c_interrupts_what_waits_in_the_main_thread(waiting: str) -> None:
    source = f"""
import sys, threading, time
import tidewire.sync

server = tidewire.sync.serve(lambda connection: connection.wait_closed(), "127.0.0.1", 0)
threading.Thread(target=server.serve_forever, daemon=True).start()
connection = tidewire.sync.connect("ws://127.0.0.1:%d/" % server.socket.getsockname()[1])
print("ready")
try:
    {waiting}
except KeyboardInterrupt:
    print("interrupted")
"""
    with Program(source) as program:
        assert program.line() == "ready"
        time.sleep(0.3)
        began = time.monotonic()
        program.process.send_signal(signal.SIGINT)
        assert program.line() == "interrupted"
        assert time.monotonic() - began < 1
        status, _, err = program.ended(10)
        assert (status, err) == (0, "")


def test_the_interpreter_exits_with_live_connections() -> None:
    """edge 65: a program whose main thread ends, while its server and its clients are connected."""
    source = """
import sys, threading, time
import tidewire.sync

def handler(connection):
    connection.send("hello")
    for message in connection: pass

server = tidewire.sync.serve(handler, "127.0.0.1", 0)
threading.Thread(target=server.serve_forever, daemon=True).start()
port = server.socket.getsockname()[1]
own = tidewire.sync.connect("ws://127.0.0.1:%d/" % port)
assert own.recv() == "hello"
print(port)
sys.stdin.readline()
"""
    with Program(source) as program, dial(f"ws://127.0.0.1:{program.line()}/") as peer:
        assert peer.recv() == "hello"
        assert program.process.stdin is not None
        program.process.stdin.write("\n")
        program.process.stdin.flush()
        began = time.monotonic()
        with pytest.raises(websockets.exceptions.ConnectionClosedOK) as closed:
            peer.recv(timeout=5)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001
        status, _, err = program.ended(10)
        assert time.monotonic() - began < 3
        assert (status, err) == (0, "")


def test_a_handler_that_never_ends_does_not_hold_up_the_exit_for_ever() -> None:
    """edge 65."""
    source = """
import threading, time
import tidewire.sync

begun = threading.Event()
def handler(connection):
    begun.set()
    while True:
        time.sleep(0.05)

server = tidewire.sync.serve(handler, "127.0.0.1", 0)
threading.Thread(target=server.serve_forever, daemon=True).start()
own = tidewire.sync.connect("ws://127.0.0.1:%d/" % server.socket.getsockname()[1])
begun.wait()
print("ready")
"""
    with Program(source) as program:
        assert program.line() == "ready"
        began = time.monotonic()
        status, _, err = program.ended(15)
        assert (status, err) == (0, "")
        assert time.monotonic() - began < 8


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_process_that_forked_is_told() -> None:
    source = """
import os, threading, warnings
import tidewire.sync
warnings.simplefilter("ignore", DeprecationWarning)

server = tidewire.sync.serve(lambda connection: connection.wait_closed(), "127.0.0.1", 0)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = "ws://127.0.0.1:%d/" % server.socket.getsockname()[1]
connection = tidewire.sync.connect(url)
child = os.fork()
if child == 0:
    connect, send = (lambda: tidewire.sync.connect(url)), (lambda: connection.send("x"))
    for call in (connect, connection.recv, connection.wait_closed, send):
        try:
            call()
        except RuntimeError as error:
            print("forked" in str(error))
    raise SystemExit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
# The parent's connections are whole.
assert connection.ping().wait(5)
print("whole")
"""
    with Program(source) as program:
        status, out, err = program.ended(15)
        assert (status, err) == (0, "")
        assert out.split() == ["True"] * 4 + ["7", "whole"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_server_may_fork_before_it_serves() -> None:
    source = """
import os, sys
import tidewire.sync

server = tidewire.sync.serve(lambda connection: connection.send(str(os.getpid())), "127.0.0.1", 0)
print(server.socket.getsockname()[1], flush=True)
os.fork()
os.write(1, f"{os.getpid()}{os.linesep}".encode())
with server:
    server.serve_forever()
"""
    with Program(source) as program:
        port = program.line()
        processes = {program.line(), program.line()}
        answered = set()
        try:
            for _ in range(50):
                with dial(f"ws://127.0.0.1:{port}/") as peer:
                    answered.add(peer.recv())
            assert answered <= processes
            assert answered
        finally:
            for process in processes:
                os.kill(int(process), signal.SIGKILL)


def test_the_thread_that_carries_the_connections_is_not_made_to_wait_for_itself() -> None:
    """edge 65: a call from the wrong thread."""
    source = """
import threading
import tidewire.sync
from tidewire.sync import background

done = threading.Event()
def call():
    try:
        tidewire.sync.connect("ws://127.0.0.1:1/")
    except RuntimeError as error:
        print(error)
    done.set()
background.loop().call_soon_threadsafe(call)
done.wait(5)
"""
    with Program(source) as program:
        status, out, err = program.ended(10)
        assert "wait for itself" in out
        assert (status, err) == (0, "")
