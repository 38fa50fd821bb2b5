"""The callback face: for those who count microseconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Union

__all__ = ["Handler"]


class Handler:
    """Takes the messages of connections by callbacks, without a task for each connection. What callbacks send leaves
    together, at the end of the turn.

    Derive from it, write those callbacks that are needed, and give the class to `serve`: an object is made of it,
    without arguments, for each connection. Given an object, it serves all connections. ::

        class Echo(Handler):
            def on_message(self, connection, message):
                connection.send_nowait(message)

    Callbacks run on the event loop: they must not block. What one raises is logged and closes with 1011, and no more of them
    are called for that connection."""

    payload: Literal["native", "bytes", "memoryview"] = "native"
    """How `on_message` gets messages: str for text and bytes for binary; always bytes; or always a memoryview, which stays
    valid as long as it is kept."""

    def on_message(self, connection: Any, message: Union[str, bytes, memoryview]) -> None:
        """A message came. Those of a class without this are taken and passed over."""

    if TYPE_CHECKING:
        # Only for the reader and the type checker: the core calls what a class has.

        def on_open(self, connection: Any) -> None:
            """The opening handshake is done."""

        def on_ping(self, connection: Any, data: bytes) -> None:
            """A ping came. Its pong is on the way."""

        def on_pong(self, connection: Any, data: bytes) -> None:
            """A pong came."""

        def on_close(self, connection: Any, code: int, reason: str) -> None:
            """The connection is closed: 1005 where the peer's close frame has no code, 1006 where none came."""
