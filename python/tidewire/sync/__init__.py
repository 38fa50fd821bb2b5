"""WebSockets for threads: `serve` and `connect`, with the names of `tidewire.asyncio` and without its `await`.

One thread more carries the connections of the whole process. It starts with the first `serve_forever` or `connect`,
answers pings and keeps deadlines while handlers compute or sleep, and when the interpreter exits it closes what is open
with 1001 (handlers then have 5 s to end). A process may fork before that thread has started, not after."""

from .client import ClientConnection, connect, reconnect, unix_connect, unix_reconnect
from .connection import Connection, broadcast
from .server import Server, ServerConnection, basic_auth, serve, unix_serve

__all__ = [
    "ClientConnection",
    "Connection",
    "Server",
    "ServerConnection",
    "basic_auth",
    "broadcast",
    "connect",
    "reconnect",
    "serve",
    "unix_connect",
    "unix_reconnect",
    "unix_serve",
]
