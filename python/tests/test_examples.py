"""The programs of the documentation do what it says of them."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest
from programs import EXAMPLES, Program, begun, copied, free_port, wait_for

import tidewire
from tidewire.sync import connect

URL = "ws://127.0.0.1:{}/"


@pytest.fixture
def port() -> int:
    return free_port()


def page(port: int, path: str = "/") -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as response:
        text: str = response.read().decode()
        return text


def test_the_mission(tmp_path: Path, port: int) -> None:
    with begun(copied("mission", tmp_path, port), port, "server.py") as program:
        assert "textContent" in page(port)
        assert "innerHTML" not in page(port)
        with connect(URL.format(port), origin=f"http://127.0.0.1:{port}") as one, connect(URL.format(port)) as other:
            for peer in (one, other):
                assert peer.recv() == "Type something."
            for text in ("", "you", "<b>you</b>", "ä" * 70_000):
                one.send(text)
                assert one.recv() == f"Hello, {text}!"
            other.send("too")
            assert other.recv() == "Hello, too!"
        program.says("127.0.0.1 says 'you'")
        # Of a page on another site, the browser tells its origin.
        with pytest.raises(tidewire.InvalidStatus) as refused:
            connect(URL.format(port), origin="http://elsewhere.example")
        assert refused.value.response.status_code == 403
        with connect(URL.format(port)) as peer:
            began = time.monotonic()
            assert program.ended(signal.SIGINT) == 0
            assert time.monotonic() - began < 3
            list(peer)
            assert peer.close_code == 1001
        assert "Traceback" not in program.output


def test_an_application_with_a_loop_of_its_own(tmp_path: Path, port: int) -> None:
    with begun(copied("mission", tmp_path, port), port, "application.py") as program:
        with connect(URL.format(port)) as peer:
            first = int(str(peer.recv(timeout=5)).split()[1])
            assert peer.recv(timeout=5) == f"step {first + 1}"
            peer.send("faster")
            assert "The commands are stop and go." in (peer.recv(timeout=5), peer.recv(timeout=5))
            peer.send("stop")
            began = time.monotonic()
            with pytest.raises(TimeoutError):  # noqa: PT012
                while time.monotonic() - began < 5:
                    peer.recv(timeout=1.5)
            peer.send("go")
            assert str(peer.recv(timeout=5)).startswith("step ")
        assert program.ended(signal.SIGINT) == 0
        assert "Traceback" not in program.output


def test_the_echo_of_the_quickstart(tmp_path: Path, port: int) -> None:
    folder = copied("quickstart", tmp_path, port)
    with begun(folder, port, "echo.py") as server:
        assert "<title>" in page(port)
        for client in ("client.py", "threads.py"):
            with Program(folder, client) as program:
                assert program.ended() == 0, program.output
                assert program.output == "hello\n"
        server.ended(signal.SIGINT)
        assert server.output.rstrip().endswith("KeyboardInterrupt")


def test_the_clock_of_the_quickstart(tmp_path: Path, port: int) -> None:
    with begun(copied("quickstart", tmp_path, port), port, "clock.py") as program:
        assert "nothing yet" in page(port)
        with connect(URL.format(port)) as peer:
            time.strptime(str(peer.recv(timeout=5)), "%H:%M:%S")
            peer.send("hello")
            program.says("the page says 'hello'")
            for _ in range(2):
                time.strptime(str(peer.recv(timeout=5)), "%H:%M:%S")


def test_the_callbacks_of_the_quickstart(tmp_path: Path, port: int) -> None:
    with begun(copied("quickstart", tmp_path, port), port, "callbacks.py") as program:
        with connect(URL.format(port)) as peer:
            for message in ("text", b"binary"):
                peer.send(message)
                assert peer.recv(timeout=5) == message
        program.says("closed with 1000")


def test_the_chat(tmp_path: Path, port: int) -> None:
    with begun(copied("chat", tmp_path, port), port, "server.py") as program:
        assert "Your name" in page(port)
        with connect(URL.format(port)) as ada:
            ada.send("Ada")
            assert json.loads(ada.recv(timeout=5)) == {"kind": "came", "name": "Ada", "here": 1}
            with connect(URL.format(port)) as bob:
                bob.send("")
                for peer in (ada, bob):
                    assert json.loads(peer.recv(timeout=5)) == {"kind": "came", "name": "somebody", "here": 2}
                bob.send("<i>hi</i>")
                for peer in (ada, bob):
                    said = {"kind": "said", "name": "somebody", "text": "<i>hi</i>"}
                    assert json.loads(peer.recv(timeout=5)) == said
                bob.send(b"\0")
                with pytest.raises(tidewire.ConnectionClosedError) as closed:
                    bob.recv(timeout=5)
                assert (closed.value.code, closed.value.reason) == (1003, "text only")
            assert json.loads(ada.recv(timeout=5)) == {"kind": "went", "name": "somebody", "here": 1}
            ada.send("x" * 5000)
            with pytest.raises(tidewire.ConnectionClosedError) as closed:
                ada.recv(timeout=5)
            assert closed.value.code == 1009
        program.ended(signal.SIGINT)
        assert "handler" not in program.output
        assert program.output.rstrip().endswith("KeyboardInterrupt")


def test_the_plot(tmp_path: Path, port: int) -> None:
    with begun(copied("plot", tmp_path, port), port, "server.py") as program:
        assert "plot.js" in page(port)
        assert "requestAnimationFrame" in page(port, "/plot.js")
        with connect(URL.format(port)) as peer:
            data = b""
            while len(data) < 16 * 10:
                piece = peer.recv(timeout=5)
                assert isinstance(piece, bytes)
                data += piece
            times = [when for when, _ in struct.iter_unpack("<dd", data)]
            assert times == sorted(times)
            assert abs(times[-1] - time.time()) < 5
        assert program.ended(signal.SIGINT) == 0
        assert "Traceback" not in program.output


@pytest.mark.parametrize("client", ["client.py", "threads.py"])
def test_a_client_that_connects_again(tmp_path: Path, port: int, client: str) -> None:
    folder = copied("reconnecting", tmp_path, port)
    server = (
        "import sys, tidewire.sync\ndef feed(ws):\n    ws.send(ws.recv() + ' ' + sys.argv[1])\n    ws.wait_closed()\n"
    )
    server += f"with tidewire.sync.serve(feed, '127.0.0.1', {port}) as server:\n    server.serve_forever()\n"
    with Program(folder, client) as program:
        program.says("connecting again in")
        with begun(folder, port, "-c", server, "first") as first:
            program.says("subscribe first")
            first.process.kill()
            program.says("lost:")
        with begun(folder, port, "-c", server, "second"):
            program.says("subscribe second")


def test_a_client_with_a_judgement_of_its_own(tmp_path: Path, port: int) -> None:
    folder = copied("reconnecting", tmp_path, port)
    statuses: list[int] = []

    def process_request(connection: tidewire.sync.ServerConnection, _: tidewire.Request) -> object:
        statuses.append(404 if len(statuses) < 2 else 101)
        return connection.respond(404, "not yet\n") if statuses[-1] == 404 else None

    server = tidewire.sync.serve(
        lambda peer: peer.send("here"),
        "127.0.0.1",
        port,
        process_request=process_request,  # type: ignore[arg-type]
    )
    with Program(folder, "judgement.py") as program, server:
        threading.Thread(target=server.serve_forever).start()
        assert program.ended() == 0, program.output
        assert program.output == "here\n"
    assert statuses == [404, 404, 101]


@pytest.mark.parametrize("unix", [False, True])
def test_a_graceful_stop(tmp_path: Path, port: int, unix: bool) -> None:
    folder = copied("deployment", tmp_path, port)
    environment = {"SOCKET": str(tmp_path / "live.sock")} if unix else {}
    with Program(folder, "app.py", **environment) as program:
        program.says("listening")
        if unix:
            assert os.stat(environment["SOCKET"]).st_mode & 0o777 == 0o660
        peer = tidewire.sync.unix_connect(environment["SOCKET"]) if unix else connect(URL.format(port))
        with peer:
            peer.send("hello")
            assert peer.recv(timeout=5) == "hello"
            program.process.send_signal(signal.SIGTERM)
            list(peer)
            assert peer.close_code == 1001
        assert program.ended() == 0
        assert "closing 1 connections" in program.output
        assert "Traceback" not in program.output
        assert not unix or not os.path.exists(environment["SOCKET"])


def test_handlers_of_pywebsocket(tmp_path: Path, port: int) -> None:
    with begun(copied("migrating", tmp_path, port), port, "wsh.py") as program:
        program.says("serving /echo")
        with connect(f"ws://127.0.0.1:{port}/echo?query", origin=f"http://127.0.0.1:{port}") as peer:
            for message in ("text", b"binary", "Goodbye"):
                peer.send(message)
                assert peer.recv(timeout=5) == message
            assert list(peer) == []
            assert peer.close_code == 1000
        for path, origin, status in (("echo", "http://elsewhere.example", 403), ("other", None, 404)):
            with pytest.raises(tidewire.InvalidStatus) as refused:
                connect(f"ws://127.0.0.1:{port}/{path}", origin=origin)
            assert refused.value.response.status_code == status
        assert program.ended(signal.SIGINT) == 0
        assert "Traceback" not in program.output


def test_the_echo_that_was_a_handler_of_pywebsocket(tmp_path: Path, port: int) -> None:
    with begun(copied("migrating", tmp_path, port), port, "echo.py") as program:
        with connect(URL.format(port)) as peer:
            for message in ("text", b"binary", "Goodbye"):
                peer.send(message)
                assert peer.recv(timeout=5) == message
            assert list(peer) == []
        assert program.ended(signal.SIGINT) == 0


def test_what_was_a_listener_of_picows(tmp_path: Path, port: int) -> None:
    with Program(copied("migrating", tmp_path, port), "from_picows.py") as program:
        assert program.ended() == 0, program.output
        assert program.output == "opened: /path\nclosed: 1000\nechoes: 1000\n"


def test_an_application_of_fastapi(tmp_path: Path, port: int) -> None:
    pytest.importorskip("fastapi")
    folder = copied("deployment", tmp_path, port)
    command = ["-m", "uvicorn", "fastapi_app:app", "--ws", "tidewire.asgi:WebSocketProtocol", "--port", str(port)]
    # What uvicorn and FastAPI warn of is not ours.
    with begun(folder, port, *command, development=False) as program:
        url = f"ws://127.0.0.1:{port}/live"
        with connect(url) as peer:
            peer.send("hello")
            assert peer.recv(timeout=5) == "you said hello"
        with pytest.raises(tidewire.InvalidStatus) as refused:
            connect(url, origin="http://elsewhere.example")
        assert refused.value.response.status_code == 403
        assert program.ended(signal.SIGINT) in (0, -signal.SIGINT)
        assert "Traceback" not in program.output


@pytest.mark.skipif(shutil.which("nginx") is None, reason="no nginx is here")
def test_behind_nginx(tmp_path: Path, port: int) -> None:
    folder = copied("deployment", tmp_path, port)
    text = (folder / "nginx.conf").read_text().replace("listen 80;", f"listen 127.0.0.1:{port};")
    text = text.replace("/run/live/live.sock", str(tmp_path / "live.sock"))
    (folder / "site.conf").write_text(text)
    temporary = "".join(
        f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    # As root, its workers would be another user, who may not connect to the socket.
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "main.conf").write_text(
        f"{user}daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log; events {{}}"
        f"http {{ access_log off; {temporary} include {folder}/site.conf; }}"
    )
    with Program(folder, "app.py", SOCKET=str(tmp_path / "live.sock")) as program:
        program.says("listening")
        nginx = subprocess.Popen(["nginx", "-c", str(folder / "main.conf"), "-p", str(folder)])
        try:
            wait_for(port)
            url = f"ws://127.0.0.1:{port}/live"
            with connect(url, origin=f"http://127.0.0.1:{port}") as peer:
                peer.send("hello")
                assert peer.recv(timeout=5) == "hello"
            with pytest.raises(tidewire.InvalidStatus):
                connect(url, origin="http://elsewhere.example")
        finally:
            nginx.terminate()
            nginx.wait(10)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd is here")
def test_the_unit_of_systemd(tmp_path: Path) -> None:
    unit = (EXAMPLES / "deployment" / "live.service").read_text().replace("/srv/live/venv/bin/python", sys.executable)
    (tmp_path / "live.service").write_text(unit)
    ran = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "./live.service"],
        cwd=tmp_path, capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    assert (ran.returncode, [line for line in ran.stderr.splitlines() if "live.service" in line]) == (0, []), ran


def test_the_mission_with_callbacks(tmp_path: Path, port: int) -> None:
    with begun(copied("mission", tmp_path, port), port, "callbacks.py") as program:
        assert "textContent" in page(port)
        with connect(URL.format(port)) as peer:
            assert peer.recv(timeout=5) == "Type something."
            peer.send("you")
            assert peer.recv(timeout=5) == "Hello, you!"
        assert program.ended(signal.SIGINT) == 0
        assert "Traceback" not in program.output


def test_what_a_blocked_loop_and_a_blocked_thread_do(tmp_path: Path, port: int) -> None:
    """edge 65: what answers pings meanwhile."""
    with Program(copied("guarantees", tmp_path, port), "blocked.py") as program:
        assert program.ended() == 0, program.output
        assert "asyncio: True\n" in program.output
        assert "threads: False\n" in program.output


def test_errors_say_what_the_documentation_shows(tmp_path: Path, port: int) -> None:
    folder = copied("errors", tmp_path, port)
    with Program(folder, "errors.py") as program:
        assert program.ended() == 0, program.output
        assert program.output == (EXAMPLES / "errors" / "errors.txt").read_text().replace("9876", str(port))


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="this system does not tell a process's memory so")
@pytest.mark.parametrize("face", ["asyncio", "callbacks", "threads", "pool"])
def test_what_an_idle_connection_costs(tmp_path: Path, port: int, face: str) -> None:
    with Program(copied("measuring", tmp_path, port), "idle.py", face, "200", development=False) as program:
        assert program.ended() == 0, program.output
        told = re.fullmatch(r"\w+: (-?[\d.]+) kB each, (\d+) threads\n", program.output)
        assert told is not None, program.output
        # A thread each, also those of the first 20; or at most a pool.
        assert float(told[1]) < (100 if face == "threads" else 40)
        assert (int(told[2]) > 200) == (face == "threads")
