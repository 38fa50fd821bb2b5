"""What can go wrong, by who has to mend it.

::

    WebSocketException
    ├── ConnectionClosed              the connection is closed
    │   ├── ConnectionClosedOK        … with 1000, 1001 or no code
    │   └── ConnectionClosedError     … otherwise, or it broke
    ├── InvalidURI                    the URL can't be used
    ├── InvalidProxy                  the proxy's URL can't be used
    ├── InvalidHandshake              the opening handshake failed
    │   ├── InvalidMessage            what came is no response of HTTP/1.1
    │   ├── InvalidStatus             the server refused
    │   ├── InvalidHeader             a header field of the handshake is wrong
    │   │   ├── InvalidOrigin         … the Origin
    │   │   └── InvalidUpgrade        … of the 101 (RFC 6455 §4.1)
    │   ├── NegotiationError          no subprotocol that both speak
    │   ├── SecurityError             a redirect that is not followed
    │   └── ProxyError                the proxy did not connect
    │       ├── InvalidProxyMessage   … it does not speak what its URL says
    │       └── InvalidProxyStatus    … it refused
    ├── ProtocolError                 the peer broke the protocol: the cause of a ConnectionClosedError
    ├── PayloadTooBig                 its message went past max_size: the cause of a ConnectionClosedError
    ├── InvalidState                  a call that this state does not admit
    └── ConcurrencyError              two that receive, or a message inside another one
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from .frames import NORMAL, Close, CloseCode

if TYPE_CHECKING:
    from ._core import CloseFrame
    from .http import Response

__all__ = [
    "ConcurrencyError",
    "ConnectionClosed",
    "ConnectionClosedError",
    "ConnectionClosedOK",
    "InvalidHandshake",
    "InvalidHeader",
    "InvalidMessage",
    "InvalidOrigin",
    "InvalidProxy",
    "InvalidProxyMessage",
    "InvalidProxyStatus",
    "InvalidState",
    "InvalidStatus",
    "InvalidURI",
    "InvalidUpgrade",
    "NegotiationError",
    "PayloadTooBig",
    "ProtocolError",
    "ProxyError",
    "SecurityError",
    "WebSocketException",
]


class WebSocketException(Exception):
    """Base of all exceptions of this package."""


class ConnectionClosed(WebSocketException):
    """The connection is closed: nothing comes and nothing goes any more."""

    rcvd: Optional[Close]
    """The close frame that came, or None."""
    sent: Optional[Close]
    """The close frame that was sent, or None."""
    rcvd_then_sent: Optional[bool]
    """Which was first, where there are both: whether the peer began."""

    def __init__(
        self,
        rcvd: Optional[Close],
        sent: Optional[Close],
        rcvd_then_sent: Optional[bool] = None,
        why: Optional[str] = None,
    ) -> None:
        """`why`: what went wrong, where no close frame tells it."""
        super().__init__(rcvd, sent, rcvd_then_sent, why)
        self.rcvd = rcvd
        self.sent = sent
        self.rcvd_then_sent = rcvd_then_sent
        self.why = why

    @property
    def code(self) -> int:
        """The peer's close code: 1005 where its frame has none, 1006 where none came."""
        return CloseCode.ABNORMAL_CLOSURE if self.rcvd is None else self.rcvd.code

    @property
    def reason(self) -> str:
        """The peer's words, often empty."""
        return "" if self.rcvd is None else self.rcvd.reason

    def __str__(self) -> str:
        came = "no close frame received" if self.rcvd is None else f"received {self.rcvd}"
        went = "no close frame sent" if self.sent is None else f"sent {self.sent}"
        if self.rcvd is None and self.sent is None:
            told = "no close frame received or sent"
        elif self.rcvd is not None and self.sent is not None and not self.rcvd_then_sent:
            told = f"{went}; then {came}"
        else:
            told = f"{came}; {'then ' if self.rcvd_then_sent else ''}{went}"
        return told if self.why is None else f"{told}: {self.why}"


class ConnectionClosedOK(ConnectionClosed):
    """The end was a normal one: both sides closed with 1000, 1001 or without a code."""


class ConnectionClosedError(ConnectionClosed):
    """Another code than that of a normal end, or the connection broke without close frames.

    `__cause__` is a ProtocolError or a PayloadTooBig where the peer was at fault."""


class ProtocolError(WebSocketException):
    """The peer broke a rule of the protocol; the message says which."""


class PayloadTooBig(WebSocketException):
    """A message of the peer went past `max_size`."""


class InvalidState(WebSocketException, AssertionError):
    """A call that can't be in this state of the connection."""


class ConcurrencyError(WebSocketException, RuntimeError):
    """Two that receive at the same time, or a message that would be sent inside another one."""


class InvalidURI(WebSocketException):
    """The URL can't be used; nothing was sent."""

    def __init__(self, uri: str, msg: str) -> None:
        super().__init__(uri, msg)
        self.uri = uri
        self.msg = msg

    def __str__(self) -> str:
        return f"{self.uri!r}: {self.msg}"


class InvalidProxy(WebSocketException):
    """The proxy's URL can't be used; nothing was sent."""

    def __init__(self, proxy: str, msg: str) -> None:
        super().__init__(proxy, msg)
        self.proxy = proxy
        self.msg = msg

    def __str__(self) -> str:
        # The URL may hold a password: it is shown without.
        scheme, mark, rest = self.proxy.rpartition("@")
        shown = self.proxy if not mark else f"{scheme.partition('://')[0]}://…@{rest}"
        return f"the proxy {shown!r}: {self.msg}"


class InvalidHandshake(WebSocketException):
    """The opening handshake failed."""


class SecurityError(InvalidHandshake):
    """Going on would be unsafe: a redirect out of TLS, or one too many."""


class InvalidMessage(InvalidHandshake):
    """What came is no response of HTTP/1.1, or it ended in the middle (`__cause__` is an EOFError then)."""


class InvalidStatus(InvalidHandshake):
    """The server refused the WebSocket."""

    def __init__(self, response: Response, why: Optional[str] = None) -> None:
        super().__init__(response, why)
        self.response = response
        """Status, header fields, and the beginning of the body."""
        self.why = why

    def __str__(self) -> str:
        return self.why or f"the server answered {self.response.status_code} {self.response.reason_phrase}".rstrip()


class InvalidHeader(InvalidHandshake):
    """A header field of the handshake is wrong; the message says which."""


class InvalidOrigin(InvalidHeader):
    """The Origin of a request is not admitted."""


class InvalidUpgrade(InvalidHeader):
    """The server's 101 breaks a rule of RFC 6455 §4.1."""


class NegotiationError(InvalidHandshake):
    """The two sides have no subprotocol in common. `select_subprotocol` may raise it: the answer is a 400."""


class ProxyError(InvalidHandshake):
    """The proxy did not connect."""


class InvalidProxyMessage(ProxyError):
    """What the proxy answered is not what its URL says that it speaks."""


class InvalidProxyStatus(ProxyError):
    """The proxy refused."""

    def __init__(self, response: Response) -> None:
        super().__init__(response)
        self.response = response

    def __str__(self) -> str:
        text = f"the proxy answered {self.response.status_code} {self.response.reason_phrase}".rstrip()
        return text + (": give user and password in its URL" if self.response.status_code == 407 else "")


FAULTS: dict[int, type[WebSocketException]] = {
    CloseCode.PROTOCOL_ERROR: ProtocolError,
    CloseCode.INVALID_DATA: ProtocolError,
    CloseCode.MESSAGE_TOO_BIG: PayloadTooBig,
}
"""What a peer did, by the code that it is told."""


def connection_closed(
    frames: tuple[Optional[CloseFrame], Optional[CloseFrame], Optional[bool], Optional[str]],
) -> ConnectionClosed:
    """The exception that tells of `_core.Connection.close_frames`."""
    came, went, peer_first, why = frames
    rcvd = None if came is None else Close(*came)
    sent = None if went is None else Close(*went)
    if why is None and rcvd is not None and sent is not None and rcvd.code in NORMAL and sent.code in NORMAL:
        return ConnectionClosedOK(rcvd, sent, peer_first)
    error = ConnectionClosedError(rcvd, sent, peer_first, why)
    # Where the peer does not answer a close frame with such a code, it is what the core closed with.
    if sent is not None and rcvd is None and sent.code in FAULTS:
        error.__cause__ = FAULTS[sent.code](why or sent.reason)
    return error
