"""The opening handshake of a server, the same for both faces."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional, Union

from .connection import SOFTWARE
from .exceptions import InvalidOrigin, NegotiationError
from .http import Headers, Request, Response, reason_phrase, text_response

if TYPE_CHECKING:
    from .connection import ServerSide
    from .pages import Pages

__all__ = ["Opening", "ProcessRequest", "ProcessResponse", "SelectSubprotocol"]

ProcessRequest = Callable[[Any, Request], Union[Optional[Response], Awaitable[Optional[Response]]]]
ProcessResponse = Callable[[Any, Request, Response], Union[Optional[Response], Awaitable[Optional[Response]]]]
SelectSubprotocol = Callable[[Any, Sequence[str]], Optional[str]]


@dataclass
class Opening:
    """How a server answers requests."""

    subprotocols: Sequence[str] = ()
    select_subprotocol: Optional[SelectSubprotocol] = None
    process_request: Optional[ProcessRequest] = None
    process_response: Optional[ProcessResponse] = None
    server_header: Optional[str] = SOFTWARE
    pages: Optional[Pages] = None
    closing: bool = False
    """The server is being closed: requests are answered with 503."""

    def steps(self, connection: ServerSide) -> Generator[Any, Any, bool]:
        """Answers the request of `connection`, and tells whether it is a WebSocket now.

        What it yields came of a callback, and may be awaitable: it wants back what that results in, or its error."""
        try:
            return (yield from self._steps(connection))
        except Exception:
            connection.logger.error("opening handshake failed", exc_info=True)
            if connection._answer is None:
                connection._refuse(self._page(500, "The server failed. Its log tells why.\n"))
            else:
                connection.abort()
            return False

    def _steps(self, connection: ServerSide) -> Generator[Any, Any, bool]:
        request = connection.request
        assert request is not None
        response: Optional[Response] = None
        fields: list[tuple[str, str]] = [] if self.server_header is None else [("Server", self.server_header)]
        if self.closing:
            response = self._page(503, "The server is shutting down.\n")
        elif self.process_request is not None:
            response = yield self.process_request(connection, request)
            if response is not None:
                self._check_forced(response)
        if response is None and self.pages is not None and not connection._is_websocket:
            response = self._refusal(connection, connection.check_origin())
        if response is None and self.pages is not None and not connection._is_websocket:
            connection._serves_page = True
            yield self.pages.answer(connection, *connection._head)
            return False
        if response is None:
            response = self._refusal(connection, connection.check())
        subprotocol = None
        if response is None:
            try:
                subprotocol = self._subprotocol(connection)
            except (NegotiationError, InvalidOrigin) as error:
                response = self._page(403 if isinstance(error, InvalidOrigin) else 400, f"{error}\n")
                connection.logger.info("request refused with %d: %s", response.status_code, error)
        if response is not None:
            if self.process_response is not None:
                forced = yield self.process_response(connection, request, response)
                if forced is not None:
                    self._check_forced(forced)
                    response = forced
            connection._refuse(response)
            return False
        if self.closing:
            connection._refuse(self._page(503, "The server is shutting down.\n"))
            return False
        own = connection.negotiate(subprotocol, fields)
        if self.process_response is not None:
            answer = Response(101, reason_phrase(101), Headers.parsed(own))
            forced = yield self.process_response(connection, request, answer)
            if forced is not None and forced.status_code != 101:
                connection._refuse(forced)
                return False
            own = self._renegotiate(connection, subprotocol, own[: len(own) - len(fields)], forced or answer)
        connection._answer = own
        connection.open()
        return True

    def _refusal(
        self, connection: ServerSide, refusal: Optional[tuple[int, str, list[tuple[str, str]], bytes, str]]
    ) -> Optional[Response]:
        """What the core's refusal is as a response."""
        if refusal is None:
            return None
        status, reason, fields, body, why = refusal
        connection.logger.info("request refused with %d: %s", status, why)
        response = Response(status, reason, Headers.parsed(fields), body)
        if self.server_header is not None:
            response.headers["Server"] = self.server_header
        return response

    def _subprotocol(self, connection: ServerSide) -> Optional[str]:
        offered = connection.offered
        if self.select_subprotocol is not None:
            return self.select_subprotocol(connection, offered)
        if not self.subprotocols:
            return None
        for name in self.subprotocols:
            if name in offered:
                return name
        known = ", ".join(self.subprotocols)
        if not offered:
            raise NegotiationError(f"Sec-WebSocket-Protocol is missing: this server speaks {known}")
        raise NegotiationError(
            f"none of the subprotocols {', '.join(offered)} is known here: this server speaks {known}"
        )

    @staticmethod
    def _renegotiate(
        connection: ServerSide, subprotocol: Optional[str], own: list[tuple[str, str]], answer: Response
    ) -> list[tuple[str, str]]:
        """The 101 with the fields that `process_response` left. The handshake's own can't be changed."""
        names = {name.lower() for name, _ in own}
        left = list(answer.headers.raw_items())
        if [pair for pair in left if pair[0].lower() in names] != own:
            raise ValueError(f"process_response may not change the handshake's own fields: {', '.join(sorted(names))}")
        return connection.negotiate(subprotocol, [pair for pair in left if pair[0].lower() not in names])

    @staticmethod
    def _check_forced(response: Response) -> None:
        if not isinstance(response, Response):
            raise TypeError(f"process_request and process_response return a Response or None, not {response!r}")
        if response.status_code < 200:
            raise ValueError("a 101 is made by the handshake itself: return None, and add fields in process_response")

    def _page(self, status: int, text: str) -> Response:
        response = text_response(status, text)
        if self.server_header is not None:
            response.headers["Server"] = self.server_header
        return response
