"""What requests that are no WebSocket get."""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import os
import re
import socket
import time
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from threads import ask
from websockets.asyncio.client import connect

import tidewire


@contextlib.asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[int]:
    async def handler(connection: Any) -> None:
        async for message in connection:
            await connection.send(message)

    async with tidewire.serve(handler, "127.0.0.1", 0, **options) as server:
        yield server.sockets[0].getsockname()[1]


def requests(web: Path, *lines: str, **options: Any) -> list[tuple[str, dict[str, str], bytes]]:
    async def main() -> list[tuple[str, dict[str, str], bytes]]:
        async with serving(static=web, **options) as port:
            return [await asyncio.get_running_loop().run_in_executor(None, ask, port, line) for line in lines]

    return asyncio.run(main())


@pytest.fixture
def web(tmp_path: Path) -> Path:
    root = tmp_path / "web"
    for path, text in [
        ("index.html", "the index"),
        ("a.txt", "a file"),
        ("app.js", "1"),
        ("module.wasm", ""),
        ("folder/index.html", "inner"),
        ("bare/file", "x"),
        (".well-known/a.txt", "known"),
        (".env", "a secret"),
        ("folder/.git/config", "a secret"),
        ("../secret", "a secret"),
        ("../web-secret/file", "a secret"),
    ]:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (root / "out").symlink_to("../secret")
    (root / "beside").symlink_to("../web-secret")
    (root / "in").symlink_to("folder/index.html")
    (root / "device").symlink_to("/dev/zero")
    (root / "linked").mkdir()
    (root / "linked/index.html").symlink_to("../../secret")
    os.mkfifo(root / "fifo")
    return root


def test_files_have_their_types_and_lengths(web: Path) -> None:
    expected = {
        "/": (b"the index", "text/html; charset=utf-8"),
        "/a.txt": (b"a file", "text/plain; charset=utf-8"),
        "/a.txt?version=2": (b"a file", "text/plain; charset=utf-8"),
        "/app.js": (b"1", "text/javascript; charset=utf-8"),
        "/module.wasm": (b"", "application/wasm"),
        "/folder/": (b"inner", "text/html; charset=utf-8"),
        "/in": (b"inner", None),
        "/.well-known/a.txt": (b"known", "text/plain; charset=utf-8"),
        "http://127.0.0.1/a.txt": (b"a file", None),
    }
    answers = requests(web, *(f"GET {path} HTTP/1.1" for path in expected))
    for (body, kind), (status, fields, came) in zip(expected.values(), answers):
        assert status == "HTTP/1.1 200 OK"
        assert came == body
        assert kind is None or fields["content-type"] == kind
        assert fields["content-length"] == str(len(body))
        assert fields["connection"] == "close"
        assert fields["x-content-type-options"] == "nosniff"
        assert "tidewire" in fields["server"]


def test_a_folder_is_found_with_a_slash_behind_it(web: Path) -> None:
    ((status, fields, _),) = requests(web, "GET /folder HTTP/1.1")
    assert status.startswith("HTTP/1.1 301 ")
    assert fields["location"] == "/folder/"


@pytest.mark.parametrize(
    "path",
    [
        "/missing",
        "/a.txt/b",
        "/a.txt/",
        "/bare",
        "/bare/",
        "/../secret",
        "/%2e%2e/secret",
        "/..%2fsecret",
        "/%2e%2e%2fsecret",
        "/a/../../secret",
        "/../web-secret/file",
        "//../secret",
        "/..\\secret",
        "/.%2e/secret",
        "/.env",
        "/%2eenv",
        "/folder/.git/config",
        "/out",
        "/beside/file",
        "/linked/",
        "/device",
        "/fifo",
        "//folder",
        "//folder/",
        "/%2ffolder",
        "/%ff",
        "/a.txt%00",
        "/" + "x" * 5000,
    ],
)
def test_what_is_hidden_or_outside_does_not_exist(web: Path, path: str) -> None:
    ((status, _, body),) = requests(web, f"GET {path} HTTP/1.1")
    # A backslash is in no request target (RFC 3986 §3.3).
    assert status.startswith("HTTP/1.1 400 " if "\\" in path else "HTTP/1.1 404 ")
    assert b"a secret" not in body


def test_heads_have_no_body_and_other_methods_are_refused(web: Path) -> None:
    whole, head, missing, post = requests(
        web, "GET /a.txt HTTP/1.1", "HEAD /a.txt HTTP/1.1", "HEAD /missing HTTP/1.1", "OPTIONS / HTTP/1.1"
    )
    assert head[0] == whole[0]
    assert head[1]["content-length"] == "6"
    assert head[2] == b""
    assert missing[0].startswith("HTTP/1.1 404 ")
    assert missing[2] == b""
    assert post[0].startswith("HTTP/1.1 405 ")
    assert post[1]["allow"] == "GET, HEAD"


def test_a_file_that_did_not_change_is_not_sent_again(web: Path) -> None:
    now, before = (email.utils.formatdate(time.time() + offset, usegmt=True) for offset in (10, -3600))
    fresh, stale, odd = requests(
        web, *(f"GET /a.txt HTTP/1.1\r\nIf-Modified-Since: {date}" for date in (now, before, "yesterday"))
    )
    assert fresh[0].startswith("HTTP/1.1 304 ")
    assert fresh[2] == b""
    assert stale[2] == b"a file"
    assert odd[2] == b"a file"


def test_a_file_of_another_folder_is_not_taken_for_this_one(web: Path) -> None:
    """Two programs on one port, one after the other, with files of the same second: as of a fresh clone."""
    os.utime(web / "index.html", (1, 1))
    os.utime(web / "folder" / "index.html", (1, 1))
    (index,) = requests(web, "GET / HTTP/1.1")
    tag, date = index[1]["etag"], index[1]["last-modified"]
    asked = f"HTTP/1.1\r\nIf-Modified-Since: {date}\r\nIf-None-Match:"
    same, listed, other = requests(
        web, f"GET / {asked} {tag}", f'GET /index.html {asked} "x", W/{tag}', f"GET /folder/ {asked} {tag}"
    )
    assert same[0].startswith("HTTP/1.1 304 ")
    assert (same[1]["etag"], same[2]) == (tag, b"")
    assert listed[0].startswith("HTTP/1.1 304 ")
    assert (other[0], other[2]) == ("HTTP/1.1 200 OK", b"inner")


def test_a_large_file_is_never_in_memory_as_a_whole(web: Path) -> None:
    size = 64 << 20
    with open(web / "large", "wb") as file:
        file.truncate(size)

    def take(port: int) -> int:
        count = 0
        with socket.create_connection(("127.0.0.1", port)) as sock:
            sock.sendall(b"GET /large HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % port)
            buffer = bytearray(65536)
            while took := sock.recv_into(buffer):
                count += took
        return count

    async def main() -> int:
        async with serving(static=web) as port:
            tracemalloc.start()
            taken = await asyncio.get_running_loop().run_in_executor(None, take, port)
            assert tracemalloc.get_traced_memory()[1] < 4 << 20
            tracemalloc.stop()
            return taken

    assert size < asyncio.run(main()) < size + 1000


def test_the_loop_is_free_while_a_peer_reads_slowly(web: Path) -> None:
    with open(web / "large", "wb") as file:
        file.truncate(16 << 20)

    async def main() -> None:
        async with serving(static=web) as port:
            with socket.create_connection(("127.0.0.1", port)) as slow:
                slow.sendall(b"GET /large HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % port)
                await asyncio.sleep(0.2)
                async with connect(f"ws://127.0.0.1:{port}/") as peer:
                    await peer.send("a")
                    assert await asyncio.wait_for(peer.recv(), 2) == "a"

    asyncio.run(main())


def test_the_console_page_has_a_policy_with_a_nonce_of_its_own(web: Path) -> None:
    async def main() -> Any:
        async with serving(console=True) as port:
            return [
                await asyncio.get_running_loop().run_in_executor(None, ask, port, line)
                for line in (
                    "GET / HTTP/1.1",
                    "GET /_tidewire/ HTTP/1.1",
                    "GET /_tidewire HTTP/1.1",
                    "HEAD / HTTP/1.1",
                    "GET /other HTTP/1.1",
                    "POST / HTTP/1.1",
                )
            ]

    first, second, moved, head, other, post = asyncio.run(main())
    nonces = []
    for status, fields, body in (first, second):
        assert status == "HTTP/1.1 200 OK"
        assert fields["content-type"] == "text/html; charset=utf-8"
        match = re.match(r"default-src 'none'; script-src 'nonce-([\w-]+)'; ", fields["content-security-policy"])
        assert match is not None
        nonces.append(match[1])
        assert body.count(f'nonce="{match[1]}"'.encode()) == 2
        assert b"</html>" in body
    assert nonces[0] != nonces[1]
    assert len(nonces[0]) >= 22
    assert moved[0].startswith("HTTP/1.1 308 ")
    assert moved[1]["location"] == "/_tidewire/"
    assert head[0] == "HTTP/1.1 200 OK"
    assert head[2] == b""
    assert int(head[1]["content-length"]) == len(first[2])
    assert other[0].startswith("HTTP/1.1 404 ")
    assert post[0].startswith("HTTP/1.1 405 ")


def test_the_console_stands_beside_a_folder_that_has_the_root(web: Path) -> None:
    root, console = requests(web, "GET / HTTP/1.1", "GET /_tidewire/ HTTP/1.1", console=True)
    assert root[2] == b"the index"
    assert b"<script" in console[2]


def test_without_pages_there_is_only_the_socket(web: Path) -> None:
    async def main() -> Any:
        async with serving() as port:
            return await asyncio.get_running_loop().run_in_executor(None, ask, port, "GET / HTTP/1.1")

    status, _, body = asyncio.run(main())
    assert status.startswith("HTTP/1.1 4")
    assert b"websocket" in body


def test_a_page_of_a_foreign_host_gets_nothing_from_this_machine(web: Path) -> None:
    """DNS rebinding reaches plain HTTP too: what the policy refuses a WebSocket, it refuses a page."""
    ((status, _, body),) = requests(web, "GET /a.txt HTTP/1.1\r\nOrigin: https://evil.example")
    assert status.startswith("HTTP/1.1 403 ")
    assert b"a file" not in body


def test_a_folder_that_is_none_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for wrong, error in ((tmp_path / "missing", FileNotFoundError), (tmp_path / "file", NotADirectoryError)):
        with pytest.raises(error):
            tidewire.serve(lambda connection: None, "127.0.0.1", 0, static=wrong)
