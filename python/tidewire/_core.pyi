"""The protocol core: every byte of a WebSocket is read and written here, in Rust."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Any, Literal, Optional, Union, final

from typing_extensions import Buffer

__version__: str

Data = Union[str, bytes]
Message = Union[str, Buffer]
Fields = Sequence[tuple[str, str]]
"""Header fields in order; a name may stand more than once."""

CloseFrame = tuple[int, str]

def run_program(arguments: Sequence[str]) -> int:
    """Runs the `tidewire` program (`arguments` without the program's own name) and returns its exit status."""

def broadcast(connections: Iterable[Connection], message: Message, text: Optional[bool] = None) -> list[Connection]:
    """Encodes and compresses `message` once and sends it on all that are open. Waits for nobody. Returns those that it
    could not be sent on because they are in the middle of a fragmented message; closed ones are passed over."""

def _forked() -> None:
    """Called by the child of a fork."""

def parse_url(url: str) -> tuple[bool, str, int, str, Optional[tuple[str, str]]]:
    """Secure, host, port, request target, and user and password. ValueError says what is wrong with the URL."""

def console_page(nonce: str) -> tuple[str, str]:
    """The content security policy and the HTML of the console page, whose script and style run because they carry
    `nonce`."""

@final
class Settings:
    """What a connection allows and how long it waits, shared by all connections of a server."""

    def __new__(
        cls,
        *,
        max_size: Optional[int] = 1048576,
        max_queue: Union[int, None, tuple[Optional[int], Optional[int]]] = 16,
        write_limit: Union[int, tuple[int, Optional[int]]] = 32768,
        ping_interval: Optional[float] = 20,
        ping_timeout: Optional[float] = 20,
        close_timeout: Optional[float] = 10,
        open_timeout: Optional[float] = 10,
        compression: Optional[str] = "deflate",
        origins: Optional[Sequence[Optional[str]]] = None,
        loopback: bool = True,
    ) -> Settings:
        """Times in seconds, sizes in bytes; None is no limit. `origins` are entries of Tidewire's policy; None among them
        admits requests without an Origin header; not given, pages of the request's own host and requests without one are
        admitted. `loopback`: what comes to a loopback address must name this machine in its Host header, or the host of an
        entry. ValueError says what to give instead."""

@final
class Reactor:
    """All plain sockets of one event loop behind one descriptor, and the deadlines of all connections of that loop.

    It is registered with the loop (add_reader) only while it has something to watch."""

    def __new__(cls, loop: asyncio.AbstractEventLoop) -> Reactor: ...
    def listen(self, descriptor: int, factory: Callable[[], Connection]) -> int:
        """Accepts on a listening socket (TCP or Unix; this takes the descriptor over) and makes a connection of each.
        Returns a key for `unlisten`."""

    def unlisten(self, key: int) -> None:
        """Stops accepting and closes the descriptor. Nothing happens where it is closed already."""

    def adopt(self, descriptor: int, connection: Connection) -> None:
        """Carries a connection over a connected, non-blocking socket (this takes the descriptor over)."""

@final
class Steps:
    """The coroutine of a handler, for `loop.create_task`. While it waits for nothing but connections of this core, it goes
    on right from the reactor's turn: in its task's context and as the current task, but past the task, which would take
    longer than all the rest. Everything else is as with the coroutine itself."""

    def __new__(cls, event_loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any]) -> Steps: ...
    def send(self, value: Any) -> Any: ...
    def throw(self, *error: Any) -> Any: ...
    def close(self) -> None: ...
    def __await__(self) -> Steps: ...
    def __iter__(self) -> Steps: ...
    def __next__(self) -> Any: ...

class Protocol:
    """Carries a connection over a transport of asyncio: TLS, or what another server accepted. The Python class that is
    used derives from this one and asyncio.BufferedProtocol."""

    def __new__(cls, connection: Connection) -> Protocol: ...
    def connection_made(self, transport: asyncio.BaseTransport) -> None: ...
    def get_buffer(self, sizehint: int) -> memoryview: ...
    def buffer_updated(self, nbytes: int) -> None: ...
    def data_received(self, data: bytes) -> None: ...
    def eof_received(self) -> bool: ...
    def connection_lost(self, error: Optional[Exception]) -> None: ...
    def pause_writing(self) -> None: ...
    def resume_writing(self) -> None: ...

class Connection:
    """One end of a WebSocket connection. The faces derive from it.

    All methods may be called from any thread, except those whose awaitables are awaited: those belong to the loop's.
    The core calls the methods that begin with `_on_` on the loop's thread; they must not raise."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Connection: ...
    def __init__(self, reactor: Reactor, settings: Settings, server: bool) -> None: ...

    # What the core calls.
    def _on_request(self, method: str, target: str, fields: list[tuple[str, str]], websocket: bool) -> None:
        """Server: the head of a request was read. `websocket`: it means to become one (then it may still be refused by
        `check`). Answer, now or later, with `open` or `respond`. Until then nothing more is read."""

    def _on_refused(self, status: int, why: str) -> None:
        """Server: the core refused a request by itself (a head that can't be read, too late, too large): for the log. A
        `status` of 0: the peer went before it asked."""

    def _on_response(
        self, status: int, reason: str, fields: list[tuple[str, str]], body: bytes, error: Optional[str]
    ) -> None:
        """Client: the response came. `error` is None where the connection is open now; else it says why not, and the
        connection is cut after this call; `body` is what came of the response's body, up to 64 KiB."""

    def _on_lost(self, error: Optional[BaseException]) -> None:
        """The transport is gone, and nothing follows: called once for each connection that had one. During the opening
        handshake `error` says why, where something is wrong."""

    def _on_ping(self, payload: bytes) -> None:
        """A ping came, and its pong is on the way; called only while `watch_pings` is true."""

    def _on_pong(self, payload: bytes) -> None:
        """A pong came; called only while `watch_pongs` is true."""

    def _closed_error(self) -> BaseException:
        """What recv and send raise once the connection is closed: the face makes ConnectionClosedOK or …Error of
        `close_frames`."""

    watch_pings: bool
    watch_pongs: bool

    # The opening handshake of a server.
    def check(self) -> Optional[tuple[int, str, list[tuple[str, str]], bytes, str]]:
        """Judges the request: None where it may become a WebSocket; else status, reason phrase, header fields and body of
        the refusal, and a line for the log."""

    def check_origin(self) -> Optional[tuple[int, str, list[tuple[str, str]], bytes, str]]:
        """As `check`, by Host and Origin alone: for a request that is answered with a page."""

    @property
    def offered(self) -> list[str]:
        """The subprotocols that the client offers; empty before `check` said None."""

    def negotiate(self, subprotocol: Optional[str], fields: Fields) -> list[tuple[str, str]]:
        """The header fields of the 101 to a request that `check` admitted, with the application's `fields` behind the
        handshake's own. ValueError: the subprotocol was not offered, or a field is one that the handshake writes."""

    def open(self) -> None:
        """Writes the 101 that was negotiated last. From here on there are frames."""

    def respond(self, response: bytes) -> None:
        """Answers with this response of HTTP/1.1 (it says `Connection: close`), lets the peer read it and closes."""

    def respond_more(self, data: bytes, last: bool) -> Awaitable[None]:
        """For a long answer: its head and body in several pieces; waits while too much waits to be written."""

    # The opening handshake of a client.
    def request(self, url: str, subprotocols: Sequence[str], fields: Fields) -> None:
        """Client: writes the request as soon as there is a transport. ValueError says what can't be sent."""

    # Messages.
    def recv(self, decode: Optional[bool] = None) -> Awaitable[Data]:
        """The next message. Cancelled, it loses none. RuntimeError (the face's ConcurrencyError) while another recv waits.
        `decode`: None gives str for text and bytes for binary, True str, False bytes."""

    def recv_nowait(self, decode: Optional[bool] = None) -> Optional[Data]:
        """A message that is there already, else None. Raises `_closed_error()` once closed and all were taken."""

    def recv_piece(self) -> Awaitable[tuple[Data, bool]]:
        """A fragment of a message as it came, str or bytes (text is cut between characters), and whether it is the last
        one. From here to the end of that message, `recv` is refused with RuntimeError."""

    def recv_piece_nowait(self) -> Optional[tuple[Data, bool]]: ...
    def on_readable(self, call: Optional[Callable[[], object]]) -> None:
        """Calls this once when there is something to take, or the connection has ended: at once where it is so already. It
        must neither raise nor block (a lock's release)."""

    def on_writable(self, call: Optional[Callable[[], object]]) -> None:
        """Calls this once when senders need not wait (any longer), or the connection has ended."""

    def __aiter__(self) -> Connection: ...
    def __anext__(self) -> Awaitable[Data]:
        """As `recv()`; after ConnectionClosedOK the iteration ends, other errors are raised."""

    def send(self, message: Any, text: Optional[bool] = None) -> Awaitable[None]:
        """Sends str as text and bytes-like as binary (`text` says otherwise), at once; awaited, it waits while too much
        waits to be written. What is neither is given to `self._send_fragments(message, text)`. Raises `_closed_error()`."""

    def send_nowait(self, message: Message, text: Optional[bool] = None) -> bool:
        """As `send`, without waiting; False where more waits to be written than `write_limit` allows (it is sent all the
        same). RuntimeError in the middle of a fragmented message."""

    def _send_fragments(self, message: Any, text: Optional[bool]) -> Awaitable[None]: ...
    def send_piece(self, piece: Message, text: bool, last: bool) -> Awaitable[None]:
        """Sends a piece of a message. Other messages are refused until the last piece is sent; control frames are not."""

    @property
    def sending_pieces(self) -> bool: ...
    def write_ping(self, data: bytes) -> None:
        """Up to 125 bytes; raises ValueError, or `_closed_error()`."""

    def write_pong(self, data: bytes) -> None: ...
    def begin_close(self, code: int = 1000, reason: str = "") -> None:
        """Begins the closing handshake behind what was sent; a second call changes nothing. ValueError for a code that
        must not be sent. During the opening handshake it cuts the connection."""

    def drained(self) -> Awaitable[None]:
        """Waits while more waits to be written than `write_limit` allows."""

    def flush(self) -> None:
        """Writes now what replies were gathered in this turn."""

    def abort(self) -> None:
        """Cuts the transport without a close frame."""

    def set_handler(self, handler: Any, payload: Literal["native", "bytes", "memoryview"] = "native") -> None:
        """The callback face: from now on messages go to `handler.on_message(connection, message)`, and pings, pongs and the
        end to `on_ping(connection, data)`, `on_pong(connection, data)`, `on_close(connection, code, reason)`, where the
        handler has these methods. What they raise goes to `_on_handler_error(error)` and closes with 1011."""

    def _on_handler_error(self, error: BaseException) -> None: ...

    # What is known.
    @property
    def state(self) -> int:
        """0 connecting, 1 open, 2 closing, 3 closed: the transport is gone."""

    @property
    def subprotocol(self) -> Optional[str]: ...
    @property
    def compressed(self) -> bool:
        """permessage-deflate was agreed on."""

    @property
    def extensions(self) -> str:
        """The value of Sec-WebSocket-Extensions that was agreed on, or an empty string."""

    @property
    def latency(self) -> float:
        """The last round trip that was measured by the connection's own pings, in seconds; 0 before."""

    @property
    def pending(self) -> int:
        """Bytes that wait to be written."""

    @property
    def remote_address(self) -> Any:
        """As socket.getpeername() gives it; None without a transport."""

    @property
    def local_address(self) -> Any: ...
    @property
    def transport(self) -> Optional[asyncio.Transport]:
        """The transport of asyncio; None where the core reads the socket itself."""

    def fileno(self) -> int:
        """The socket's descriptor, or -1."""

    @property
    def close_frames(self) -> tuple[Optional[CloseFrame], Optional[CloseFrame], Optional[bool], Optional[str]]:
        """The frame that came, the frame that was sent, whether it came before ours was sent, and what went wrong."""

    @property
    def close_code(self) -> Optional[int]:
        """The peer's code; 1005 where its close frame has none, 1006 where none came; None before the end."""

    @property
    def close_reason(self) -> Optional[str]: ...
    @property
    def stats(self) -> tuple[int, int, int, int]:
        """Messages that came, messages that went, bytes that came on the wire, bytes that went."""
