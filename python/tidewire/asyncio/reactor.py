"""The core's reactor of each event loop."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Optional

from .. import _core

__all__ = ["Carrier", "reactor_of"]

ATTRIBUTE = "_tidewire_reactor"


class Carrier(_core.Protocol, asyncio.BufferedProtocol):
    """Carries a connection over a transport of asyncio."""

    if sys.version_info < (3, 11):
        # TLS transports of these versions take themselves for unclosed where only the peer has closed.

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self._transport = transport
            super().connection_made(transport)

        def connection_lost(self, error: Optional[Exception]) -> None:
            super().connection_lost(error)
            self._transport.close()


def reactor_of(loop: asyncio.AbstractEventLoop) -> _core.Reactor:
    """The reactor of `loop`, made when it is first asked for. It lives as long as the loop does.

    RuntimeError in a child process: parent and child would read from the same sockets."""
    held = getattr(loop, ATTRIBUTE, None)
    if held is None:
        held = (os.getpid(), _core.Reactor(loop))
        setattr(loop, ATTRIBUTE, held)
    process, reactor = held
    if process != os.getpid():
        raise RuntimeError(
            f"this event loop carries connections of process {process}: after a fork, use a new one (asyncio.run)"
        )
    assert isinstance(reactor, _core.Reactor)
    return reactor
