"""What requests that are no WebSocket get: the files of a folder, and the console page."""

from __future__ import annotations

import asyncio
import http.client
import os
import secrets
import urllib.parse
from collections.abc import Sequence
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler
from io import BytesIO
from typing import Any, BinaryIO, Optional, Union

from . import _core

__all__ = ["Pages"]

PIECE = 256 * 1024
"""Bytes of a file that are held in memory at a time."""

STALLED = 30.0
"""Seconds in which a peer must have taken a piece."""


class Pages:
    """Answers GET and HEAD beside the WebSocket.

    `static` is a folder whose files are served. Hidden files, links that lead out of it and listings are not. `console`
    shows the console page at `/`, and at `/_tidewire/` where `/` is the folder's. `server` is the Server header.
    NotADirectoryError, PermissionError: the folder can't be read."""

    def __init__(
        self,
        static: Optional[Union[str, os.PathLike[str]]] = None,
        console: bool = False,
        server: Optional[str] = None,
    ) -> None:
        self.root: Optional[str] = None
        if static is not None:
            self.root = os.path.realpath(os.fspath(static))
            with os.scandir(self.root):
                pass
        self.console = console
        self.server = server

    async def answer(
        self, connection: _core.Connection, method: str, target: str, fields: Sequence[tuple[str, str]]
    ) -> int:
        """Answers a request that came on `connection` and returns the status. Files are read in the loop's executor; a
        peer that takes nothing of its file for 30 s is cut off."""
        loop = asyncio.get_running_loop()
        answer = _Answer(self, method, target, fields)
        try:
            if self.root is None:
                answer.begin()
            else:
                await loop.run_in_executor(None, answer.begin)
            data = answer.head()
            if answer.file is None:
                # The faces have a `respond` of their own.
                _core.Connection.respond(connection, data)
                return answer.status
            while True:
                data += await loop.run_in_executor(None, answer.read)
                # A file that shrank can't be told otherwise than by an end that comes too early.
                last = answer.left == 0 or answer.ended
                try:
                    await asyncio.wait_for(connection.respond_more(data, last), STALLED)
                except asyncio.TimeoutError:
                    connection.abort()
                    return answer.status
                if last:
                    return answer.status
                data = b""
        finally:
            answer.close()


class _Answer(SimpleHTTPRequestHandler):
    """The standard library's file server without its socket: it writes the head into memory and opens the file."""

    protocol_version = request_version = "HTTP/1.1"
    extensions_map = {  # noqa: RUF012
        **SimpleHTTPRequestHandler.extensions_map,
        # Wrong or missing in the tables of some systems.
        ".css": "text/css",
        ".html": "text/html",
        ".htm": "text/html",
        ".js": "text/javascript",
        ".json": "application/json",
        ".map": "application/json",
        ".mjs": "text/javascript",
        ".svg": "image/svg+xml",
        ".txt": "text/plain",
        ".wasm": "application/wasm",
        ".webmanifest": "application/manifest+json",
        ".webp": "image/webp",
        ".woff": "font/woff",
        ".woff2": "font/woff2",
    }

    # The base class would read a request from its socket here.
    def __init__(self, pages: Pages, method: str, target: str, fields: Sequence[tuple[str, str]]) -> None:
        self.pages = pages
        self.command = method
        self.path = _origin_form(target)
        self.requestline = f"{method} {target} HTTP/1.1"
        self.headers = http.client.HTTPMessage()
        for name, value in fields:
            self.headers[name] = value
        self.written = self.wfile = BytesIO()
        self.status = 0
        self.left = 0
        self.ended = False
        self.file: Optional[BinaryIO] = None
        self.closed = False
        self.found = ""
        self.tag = ""

    # What `Pages` calls.

    def begin(self) -> None:
        """Writes the head, and opens the file where a body follows. It may wait for the disk."""
        if self.command not in ("GET", "HEAD"):
            self.text(HTTPStatus.METHOD_NOT_ALLOWED, "Only GET and HEAD are answered here.", ("Allow", "GET, HEAD"))
        elif not (self.pages.console and self.own()):
            try:
                self.file = self.send_head()
            except OSError as error:
                self.text(HTTPStatus.INTERNAL_SERVER_ERROR, f"The file can't be read: {error.strerror}.")
            if self.file is not None and (self.command == "HEAD" or self.closed):
                self.close()

    def head(self) -> bytes:
        return self.written.getvalue()

    def read(self) -> bytes:
        assert self.file is not None
        piece = self.file.read(min(PIECE, self.left))
        self.left -= len(piece)
        self.ended = not piece
        return piece

    def close(self) -> None:
        self.closed = True
        if self.file is not None:
            self.file.close()
            self.file = None

    # The pages of Tidewire itself.

    def own(self) -> bool:
        path = self.path.partition("?")[0]
        if path == "/_tidewire":
            self.text(HTTPStatus.PERMANENT_REDIRECT, "This page has moved.", ("Location", "/_tidewire/"))
        elif path == "/_tidewire/" or (path == "/" and self.pages.root is None):
            nonce = secrets.token_urlsafe(16)
            policy, page = _core.console_page(nonce)
            self.whole(HTTPStatus.OK, "text/html; charset=utf-8", page.encode(), ("Content-Security-Policy", policy))
        else:
            return False
        return True

    def text(self, status: HTTPStatus, words: str, *fields: tuple[str, str]) -> None:
        self.whole(status, "text/plain; charset=utf-8", f"{words}\n".encode(), *fields)

    def whole(self, status: HTTPStatus, kind: str, body: bytes, *fields: tuple[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Referrer-Policy", "no-referrer")
        for name, value in fields:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    # What the base class calls.

    def send_head(self) -> Any:
        found = None if self.pages.root is None else _find(self.pages.root, self.path)
        if found is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return None
        self.found = found
        file = os.path.join(found, "index.html") if os.path.isdir(found) else found
        known = os.stat(file)
        self.tag = f'"{known.st_ino:x}-{known.st_mtime_ns:x}-{known.st_size:x}"'
        asked = self.headers.get_all("If-None-Match", ())
        if self.tag in (tag.strip().removeprefix("W/") for value in asked for tag in value.split(",")):
            self.send_response(HTTPStatus.NOT_MODIFIED)
            self.send_header("ETag", self.tag)
            self.end_headers()
            return None
        # With If-None-Match, the base class does not look at If-Modified-Since (RFC 9110 §13.1.3): by its date, the page of
        # another folder that was served on this port would pass for this one.
        return super().send_head()

    def translate_path(self, path: str) -> str:
        return self.found

    def list_directory(self, path: Union[str, os.PathLike[str]]) -> None:
        self.send_error(HTTPStatus.NOT_FOUND)

    def guess_type(self, path: Union[str, os.PathLike[str]]) -> str:
        kind = super().guess_type(path)
        return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind

    def send_error(self, code: int, message: Optional[str] = None, explain: Optional[str] = None) -> None:
        if code == HTTPStatus.NOT_FOUND:
            message = "There is nothing at this path."
        self.text(HTTPStatus(code), message or HTTPStatus(code).phrase)

    def send_response(self, code: int, message: Optional[str] = None) -> None:
        self.status = int(code)
        self.send_response_only(code, message)
        if self.pages.server is not None:
            self.send_header("Server", self.pages.server)
        self.send_header("Date", self.date_time_string())

    def send_header(self, keyword: str, value: str) -> None:
        if keyword == "Content-Length":
            self.left = int(value)
        elif keyword == "Last-Modified":
            # A page that is worked on is asked for again; If-None-Match keeps it cheap.
            super().send_header("Cache-Control", "no-cache")
            super().send_header("ETag", self.tag)
        super().send_header(keyword, value)

    def end_headers(self) -> None:
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Connection", "close")
        super().end_headers()


def _origin_form(target: str) -> str:
    """The path and query of a request target (RFC 9112 §3.2)."""
    if target.startswith("/"):
        return target
    parts = urllib.parse.urlsplit(target)
    path = parts.path or "/"
    return f"{path}?{parts.query}" if parts.query else path


def _find(root: str, target: str) -> Optional[str]:
    """The file or folder that a request names, without links; None where it is hidden, absent, no regular file (a FIFO
    could keep its reader for ever) or not within `root`; and of a folder, where its index is so."""
    relative = _relative(target.partition("?")[0].partition("#")[0])
    if relative is None:
        return None
    try:
        path = os.path.realpath(os.path.join(root, relative))
        if os.path.isdir(path):
            index = os.path.realpath(os.path.join(path, "index.html"))
            return path if _within(root, path) and _within(root, index) and os.path.isfile(index) else None
        return path if _within(root, path) and os.path.isfile(path) and not relative.endswith("/") else None
    except (OSError, ValueError):
        return None


def _relative(path: str) -> Optional[str]:
    """The file that a path names; None where it is hidden, or could lead to another place."""
    # A redirect to `//host` would lead to another site.
    if not path.startswith("/") or path[1:2] in ("/", "\\"):
        return None
    try:
        decoded = urllib.parse.unquote_to_bytes(path[1:]).decode()
    except UnicodeDecodeError:
        return None
    hidden = any(part.startswith(".") and part != ".well-known" for part in decoded.split("/"))
    return None if hidden or decoded.startswith("/") or "\\" in decoded or "\0" in decoded else decoded


def _within(root: str, path: str) -> bool:
    return path == root or path.startswith(root.rstrip(os.sep) + os.sep)
