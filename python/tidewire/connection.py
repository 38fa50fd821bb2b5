"""What the asyncio and the threads' face share of a connection."""

from __future__ import annotations

import logging
import platform
import uuid
from typing import Any, Optional, Union

from . import _core
from .exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidMessage,
    InvalidStatus,
    InvalidUpgrade,
    connection_closed,
)
from .frames import State
from .http import Headers, Request, Response, reason_phrase, text_response

__all__ = ["SOFTWARE", "ClientSide", "Connection", "Data", "LoggerLike", "ServerSide"]

Data = Union[str, bytes]
LoggerLike = Union[logging.Logger, "logging.LoggerAdapter[Any]"]

SOFTWARE = f"Python/{platform.python_version()[:4].rstrip('.')} tidewire/{_core.__version__}"
"""The Server and User-Agent fields where nothing else is asked for."""


class Connection(_core.Connection):
    """One end of a WebSocket connection, of either face."""

    logger: LoggerLike
    _id: Optional[uuid.UUID] = None

    @property
    def id(self) -> uuid.UUID:
        """Tells connections apart in a log."""
        if self._id is None:
            self._id = uuid.uuid4()
        return self._id

    @property
    def state(self) -> State:
        """Connecting, open, closing, or closed."""
        return State(super().state)

    def _closed_error(self) -> ConnectionClosed:
        return connection_closed(self.close_frames)

    def _on_handler_error(self, error: BaseException) -> None:
        if isinstance(error, ConnectionClosed) and self.state is not State.OPEN:
            # It could not send what nobody wants any more.
            self.logger.info("connection handler ended: %s", error)
        else:
            self.logger.error("connection handler failed", exc_info=error)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.state.name} {self.remote_address!r}>"


class ServerSide(Connection):
    """What both faces know of a server's connection, and of the request that it began with."""

    _head: tuple[str, str, list[tuple[str, str]]] = ("", "", [])
    _is_websocket = False
    _serves_page = False
    _answer: Union[Response, list[tuple[str, str]], None] = None
    _request: Optional[Request] = None

    def _take_request(self, method: str, target: str, fields: list[tuple[str, str]], websocket: bool) -> None:
        self._head = (method, target, fields)
        self._is_websocket = websocket

    @property
    def request(self) -> Optional[Request]:  # type: ignore[override]
        """The request that was read; None before."""
        if self._request is None and self._head[0]:
            method, target, fields = self._head
            self._request = Request(target, Headers.parsed(fields), method)
        return self._request

    @property
    def response(self) -> Optional[Response]:
        """The answer to it; None before, and for pages."""
        if isinstance(self._answer, list):
            self._answer = Response(101, reason_phrase(101), Headers.parsed(self._answer))
        return self._answer

    def respond(self, status: int, text: str) -> Response:  # type: ignore[override]
        """Makes a response of plain text, for `process_request` and `process_response` to return."""
        return text_response(status, text)

    def _refuse(self, response: Response) -> None:
        """Answers with `response`, and no WebSocket. ValueError says what in it can't be sent."""
        data = response.serialize(body=self._head[0] != "HEAD")
        self._answer = response
        _core.Connection.respond(self, data)

    def _on_refused(self, status: int, why: str) -> None:
        if status == 0:
            self.logger.debug("no request came: %s", why)
        else:
            self.logger.info("request refused with %d: %s", status, why)


class ClientSide(Connection):
    """What both faces know of a client's connection, and of the handshake that it began with."""

    _url = ""
    _request: Optional[Request] = None
    _response: Optional[Response] = None

    def _ask(self, url: str, target: str, subprotocols: list[str], fields: list[tuple[str, str]]) -> None:
        """Writes the request as soon as there is a transport. ValueError says what can't be sent."""
        _core.Connection.request(self, url, subprotocols, fields)
        self._url = url
        self._request = Request(target, Headers.parsed(fields))

    @property
    def request(self) -> Optional[Request]:  # type: ignore[override]
        """The request that was sent, with the fields that were added to the handshake's own."""
        return self._request

    @property
    def response(self) -> Optional[Response]:
        """The server's answer; None before."""
        return self._response

    def _take_response(
        self, status: int, reason: str, fields: list[tuple[str, str]], body: bytes, error: Optional[str]
    ) -> Optional[InvalidHandshake]:
        """What is wrong with the answer; None where the connection is open now."""
        # A status of 0: what came can't be read as a response.
        if status:
            self._response = Response(status, reason, Headers.parsed(fields), body)
        if error is None:
            return None
        if self._response is None:
            return InvalidMessage(error)
        return InvalidUpgrade(error) if status == 101 else InvalidStatus(self._response, error)

    def _lost_early(self, error: Optional[BaseException]) -> Exception:
        """What a connection that is lost before an answer is worth."""
        # What the core says by itself has no errno.
        if isinstance(error, OSError) and (error.errno is not None or isinstance(error, TimeoutError)):
            return error
        failure = InvalidMessage(
            str(error) if error is not None else "the server closed the connection instead of answering"
        )
        failure.__cause__ = error if isinstance(error, EOFError) else EOFError("the connection ended")
        return failure
