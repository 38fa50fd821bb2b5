"""Peers that do what no WebSocket client does, against the servers of both faces: none of them may crash or hang a
server, hold what it has, or be written about as an error."""

from __future__ import annotations

import contextlib
import random
import socket
import struct
import time
from collections.abc import Iterator

import pytest
from threads import Program, until

HEAD = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)

SERVER = """
import asyncio, gc, logging, os, sys, threading
import tidewire, tidewire.sync

logging.basicConfig(level=logging.WARNING, format="LOG %(levelname)s %(message)s", stream=sys.stdout)
OPTIONS = dict(open_timeout=0.5, close_timeout=0.5, ping_interval=None, max_size=65536)

def report(live):
    gc.collect()
    descriptors = os.listdir("/proc/self/fd")
    print("LEFT", live(), len(descriptors), threading.active_count(), len(gc.get_objects()), flush=True)

async def echo(connection):
    async for message in connection:
        await connection.send(message)

def echo_in_a_thread(connection):
    for message in connection:
        connection.send(message)

class Echo(tidewire.Handler):
    def on_message(self, connection, message):
        connection.send_nowait(message)

async def on_a_loop(handler):
    loop = asyncio.get_running_loop()
    # Looking through all objects takes its time.
    loop.slow_callback_duration = 10
    async with tidewire.serve(handler, "127.0.0.1", 0, **OPTIONS) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        while await loop.run_in_executor(None, sys.stdin.readline):
            report(lambda: len(server._connections) + len(server._tasks))

def in_threads(handler):
    with tidewire.sync.serve(handler, "127.0.0.1", 0, **OPTIONS) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(server.socket.getsockname()[1], flush=True)
        while sys.stdin.readline():
            report(lambda: len(server._listener._connections) + len(server._listener._work))

face = sys.argv[1]
if face == "threads":
    in_threads(echo_in_a_thread)
elif face == "pool":
    in_threads(Echo)
else:
    asyncio.run(on_a_loop({"asyncio": echo, "callbacks": Echo}[face]))
print("ended")
"""


def frame(opcode: int, payload: bytes, fin: bool = True, rsv: int = 0, mask: bool = True) -> bytes:
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    length = len(payload)
    bit = 0x80 if mask else 0
    if length < 126:
        head += bytes([bit | length])
    elif length < 65536:
        head += bytes([bit | 126]) + struct.pack("!H", length)
    else:
        head += bytes([bit | 127]) + struct.pack("!Q", length)
    return head + (bytes(4) if mask else b"") + payload


class Peer:
    """A raw socket."""

    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=10)

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self, data: bytes) -> None:
        """What the server does not want any more is not sent."""
        with contextlib.suppress(ConnectionError):
            self.sock.sendall(data)

    def open(self) -> None:
        self.send(HEAD)
        assert self.until(b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")

    def until(self, end: bytes) -> bytes:
        data = b""
        while not data.endswith(end):
            piece = self.sock.recv(1)
            assert piece, data
            data += piece
        return data

    def rest(self) -> bytes:
        """All that comes until the server closes."""
        data = b""
        with contextlib.suppress(ConnectionError):
            while piece := self.sock.recv(65536):
                data += piece
        return data

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


def close_code(data: bytes) -> int:
    """The code of the close frame that these frames of a server's end with."""
    code = 0
    while data:
        opcode, length, at = data[0] & 15, data[1], 2
        if length == 126:
            length, at = struct.unpack("!H", data[2:4])[0], 4
        payload, data = data[at : at + length], data[at + length :]
        if opcode == 8:
            code = struct.unpack("!H", payload[:2])[0] if payload else 1005
    return code


FACES = ["asyncio", "callbacks", "threads", "pool"]


@pytest.fixture(scope="module", params=FACES)
def server(request: pytest.FixtureRequest) -> Iterator[tuple[Program, int]]:
    with Program(SERVER, request.param) as program:
        yield program, int(program.line())


def left(program: Program) -> list[int]:
    """Connections and work, descriptors, threads and objects of the server. What it logged is an error here."""
    assert program.process.stdin is not None
    program.process.stdin.write("\n")
    program.process.stdin.flush()
    line = program.line()
    assert line.startswith("LEFT "), line
    return [int(word) for word in line.split()[1:]]


@contextlib.contextmanager
def nothing_left(server: tuple[Program, int]) -> Iterator[int]:
    """What goes on in here leaves nothing behind in the server, which still works."""
    program, port = server
    works(port)
    before = left(program)
    yield port
    works(port)
    until(lambda: left(program)[:2] <= before[:2] and left(program)[0] == 0, 10)
    after = left(program)
    assert after[1] <= before[1], (before, after)
    assert after[3] <= before[3] + 500, (before, after)


def works(port: int) -> None:
    with Peer(port) as peer:
        peer.open()
        peer.send(frame(1, b"hello"))
        assert peer.until(b"hello") == b"\x81\x05hello"
        peer.send(frame(8, struct.pack("!H", 1000)))
        assert close_code(peer.rest()) == 1000


@pytest.mark.parametrize("leave", ["fin", "reset", "stay"])
def test_handshakes_that_end_anywhere(server: tuple[Program, int], leave: str) -> None:
    """edge 13: with `stay`, the server says 408 itself."""
    with nothing_left(server) as port:
        peers = []
        for end in range(0, len(HEAD), 7):
            peer = Peer(port)
            peer.send(HEAD[:end])
            if leave == "reset":
                peer.reset()
            elif leave == "fin":
                peer.sock.shutdown(socket.SHUT_WR)
            peers.append(peer)
        for peer in peers:
            if leave != "reset":
                answer = peer.rest()
                assert answer == b"" if leave == "fin" else answer.startswith(b"HTTP/1.1 408 "), answer
            peer.sock.close()


def test_a_head_byte_by_byte(server: tuple[Program, int]) -> None:
    """edge 13: as long as it comes in time."""
    with nothing_left(server) as port, Peer(port) as peer:
        for byte in HEAD:
            peer.send(bytes([byte]))
        assert peer.until(b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")


def test_a_slow_loris_is_cut_off(server: tuple[Program, int]) -> None:
    """edge 13: bytes that trickle in do not put the time off."""
    with nothing_left(server) as port, Peer(port) as peer:
        began = time.monotonic()
        peer.sock.settimeout(0.05)
        data = b""
        for byte in HEAD:
            peer.send(bytes([byte]))
            with contextlib.suppress(TimeoutError, socket.timeout):
                data = peer.sock.recv(4096)
                break
        assert data.startswith(b"HTTP/1.1 408 "), data
        assert time.monotonic() - began < 3


GARBAGE = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(300),  # TLS
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\r\n" * 4000,
    b"GET / HTTP/1.1\r\n" + b"A: " + b"b" * 100_000,
    b"GET /" + b"a" * 100_000,
    b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 5000 + b"\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost\x00: a\r\n\r\n",
    b"GET  /  HTTP/1.1\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999\r\n\r\n" + bytes(100_000),
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 50,
    b"GET / HTTP/1.1\nHost: 127.0.0.1\n\n",
    bytes(range(256)) * 100,
    HEAD.replace(b"13", b"8"),
    HEAD.replace(b"GET", b"POST"),
    HEAD.replace(b"dGhlIHNhbXBsZSBub25jZQ==", b"short"),
    HEAD.replace(b"Upgrade: websocket", b"Upgrade: h2c"),
]


@pytest.mark.parametrize("number", range(len(GARBAGE)))
def test_what_is_no_handshake(server: tuple[Program, int], number: int) -> None:
    """edge 7, edge 13: it is refused, with a response or without, and soon."""
    with nothing_left(server) as port, Peer(port) as peer:
        peer.send(GARBAGE[number])
        began = time.monotonic()
        answer = peer.rest()
        assert time.monotonic() - began < 5
        assert answer == b"" or answer[:10] in (b"HTTP/1.1 4", b"HTTP/1.1 5"), answer[:100]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        frame(1, b"x"),
        frame(1, b"x")[:3],
        frame(2, bytes(60_000))[:30_000],
        frame(1, b"x", fin=False),
        frame(8, b"\3\xe8"),
    ],
)
@pytest.mark.parametrize("leave", ["fin", "reset"])
def test_ends_at_every_stage_of_a_connection(server: tuple[Program, int], data: bytes, leave: str) -> None:
    """edge 42: without a close frame, in the middle of a frame or of a message."""
    with nothing_left(server) as port:
        for together in (False, True):
            for _ in range(20):
                peer = Peer(port)
                if together:
                    peer.send(HEAD + data)
                else:
                    peer.open()
                    peer.send(data)
                if leave == "reset":
                    peer.reset()
                else:
                    peer.sock.shutdown(socket.SHUT_WR)
                    peer.rest()
                    peer.sock.close()


VIOLATIONS = [
    (frame(1, b"x", mask=False), 1002),
    (frame(1, b"x", rsv=4), 1002),
    (frame(3, b"x"), 1002),
    (frame(0, b"x"), 1002),
    (frame(9, bytes(126)), 1002),
    (frame(8, b"x"), 1002),
    (frame(8, struct.pack("!H", 1005)), 1002),
    (frame(1, b"\xff"), 1007),
    (frame(8, struct.pack("!H", 1000) + b"\xff"), 1007),
    (frame(2, bytes(65537)), 1009),
    (b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff" + bytes(4), 1009),
    (b"\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff" + bytes(4), 1002),
    (b"\x82\xfe\x00\x01" + bytes(5), 1002),
    (frame(2, bytes(40_000), fin=False) + frame(0, bytes(40_000)), 1009),
]


OF_HEADERS = [VIOLATIONS[number][0] for number in (0, 1, 2, 3, 4, 11, 12)]


@pytest.mark.parametrize("together", [False, True])
def test_violations_are_told(server: tuple[Program, int], together: bool) -> None:
    """edge 12, edge 21 to 30: alone, and in one packet with the handshake and a message. That is still answered where
    the header behind it is the violation."""
    with nothing_left(server) as port:
        for violation, code in VIOLATIONS:
            with Peer(port) as peer:
                if together:
                    peer.send(HEAD + frame(1, b"hello") + violation)
                    peer.until(b"\r\n\r\n")
                else:
                    peer.open()
                    peer.send(violation)
                frames = peer.rest()
                assert close_code(frames) == code, (violation[:20], frames)
                if together and violation in OF_HEADERS:
                    assert frames.startswith(b"\x81\x05hello"), (violation[:20], frames)


def test_pipelined_requests_behind_a_handshake_are_frames(server: tuple[Program, int]) -> None:
    with nothing_left(server) as port, Peer(port) as peer:
        peer.send(HEAD + HEAD + HEAD)
        peer.until(b"\r\n\r\n")
        assert close_code(peer.rest()) == 1002


def test_floods(server: tuple[Program, int]) -> None:
    """edge 29, edge 56: endless fragments, and pings whose pongs nobody reads."""
    with nothing_left(server) as port:
        for data in (frame(0, b"", fin=False) * 20_000, frame(9, bytes(125)) * 20_000, frame(1, b"x" * 1000) * 20_000):
            with Peer(port) as peer:
                peer.open()
                if data[0] == 0:
                    peer.send(frame(1, b"", fin=False))
                peer.sock.settimeout(0.5)
                with contextlib.suppress(TimeoutError, socket.timeout, ConnectionError):
                    peer.sock.sendall(data)
                peer.reset()


def test_a_peer_that_does_not_close(server: tuple[Program, int]) -> None:
    """edge 39: it was told why, and stays: the server leaves."""
    with nothing_left(server) as port:
        peers = []
        for _ in range(10):
            peer = Peer(port)
            peer.open()
            peer.send(frame(1, b"\xff"))
            peers.append(peer)
        for peer in peers:
            assert close_code(peer.rest()) == 1007
        program, _ = server
        until(lambda: left(program)[0] == 0, 5)
        for peer in peers:
            peer.sock.close()


def test_noise(server: tuple[Program, int]) -> None:
    """Random bytes behind a handshake, in random pieces. The seed stands in what fails."""
    seed = random.randrange(1 << 32)
    noise = random.Random(seed)
    with nothing_left(server) as port:
        for _ in range(200):
            with Peer(port) as peer:
                data = HEAD * noise.randrange(2) + bytes(noise.randbytes(noise.randrange(300)))
                if noise.randrange(2):
                    data = data[: noise.randrange(len(data) + 1)]
                cut = noise.randrange(len(data) + 1)
                peer.send(data[:cut])
                peer.send(data[cut:])
                if noise.randrange(2):
                    peer.reset()
                else:
                    peer.sock.shutdown(socket.SHUT_WR)
                    assert peer.rest() is not None, seed
