"""How a client gets its transport: TCP, a Unix socket, a proxy, TLS."""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import ssl as tls
from dataclasses import dataclass, field
from typing import Any, Literal, Optional, Union

from ..exceptions import ProxyError
from ..proxies import MAX_HEAD, Proxy, proxy_from_environment
from .reactor import Carrier

__all__ = ["Dialer"]

ATTEMPT = 0.25
"""Seconds after which the next address of a name is tried beside the one before (RFC 8305 §5)."""


@dataclass
class Dialer:
    """What a caller wants of the way to a server."""

    proxy: Union[str, Literal[True], None] = True
    ssl: Union[tls.SSLContext, Literal[True], None] = None
    server_hostname: Optional[str] = None
    unix: bool = False
    path: Any = None
    options: dict[str, Any] = field(default_factory=dict)
    """The rest of what `loop.create_connection` takes; `proxy_ssl` and the like are for the way to the proxy."""

    def check(self, secure: bool) -> None:
        """ValueError: what was given does not go together."""
        if self.ssl is not None and not secure:
            raise ValueError("ssl is given, and the URL begins with ws://: write wss://, or leave ssl out")
        if self.unix and self.path is None and "sock" not in self.options:
            raise ValueError("give the path of a Unix socket, or sock")

    @property
    def is_fixed(self) -> bool:
        """Whether it leads to one place, whatever the URL says."""
        return self.unix or any(self.options.get(name) is not None for name in ("sock", "host", "port"))

    async def dial(self, carrier: Carrier, secure: bool, host: str, port: int) -> None:
        """Connects `carrier` to the server. OSError, ProxyError, InvalidProxy."""
        loop = asyncio.get_running_loop()
        options = {name: value for name, value in self.options.items() if not name.startswith("proxy_")}
        # The names of TLS are for the server, the rest of the options for whoever is dialled first.
        security = {name: options.pop(name) for name in list(options) if name.startswith("ssl_")} if secure else {}
        if secure:
            security["ssl"] = self._context()
            security["server_hostname"] = self.server_hostname or host
        if self.unix:
            await loop.create_unix_connection(lambda: carrier, self.path, **security, **options)
            return
        if options.get("sock") is not None:
            await loop.create_connection(lambda: carrier, **security, **options)
            return
        url = proxy_from_environment(secure, host, port) if self.proxy is True else self.proxy
        options.setdefault("host", host)
        options.setdefault("port", port)
        if url is None:
            _race(loop, options)
            await loop.create_connection(lambda: carrier, **security, **options)
        else:
            await self._through(Proxy.parse(url), loop, carrier, security, options)

    def _context(self) -> tls.SSLContext:
        return _default_context() if self.ssl is None or self.ssl is True else self.ssl

    async def _through(
        self,
        proxy: Proxy,
        loop: asyncio.AbstractEventLoop,
        carrier: Carrier,
        security: dict[str, Any],
        options: dict[str, Any],
    ) -> None:
        host, port = options.pop("host"), options.pop("port")
        if proxy.scheme == "socks5":
            infos = await loop.getaddrinfo(host, port, family=options.get("family", 0))
            host = infos[0][4][0]
        options.update({name[6:]: value for name, value in self.options.items() if name.startswith("proxy_")})
        options.update(host=proxy.host, port=proxy.port)
        if proxy.scheme == "https":
            if not isinstance(options.get("ssl"), tls.SSLContext):
                options["ssl"] = _default_context()
            options.setdefault("server_hostname", proxy.host)
        _race(loop, options)
        reader = asyncio.StreamReader(limit=MAX_HEAD, loop=loop)
        transport, _ = await loop.create_connection(lambda: asyncio.StreamReaderProtocol(reader, loop=loop), **options)
        try:
            await _ask(proxy, host, port, reader, transport)
            if security:
                context = security.pop("ssl")
                inside = await loop.start_tls(transport, carrier, context, **security)
                if inside is None:
                    raise ConnectionResetError("the connection was lost during the TLS handshake")
                carrier.connection_made(inside)
            else:
                transport.set_protocol(carrier)
                carrier.connection_made(transport)
        except BaseException:
            transport.abort()
            raise


async def _ask(
    proxy: Proxy, host: str, port: int, reader: asyncio.StreamReader, transport: asyncio.WriteTransport
) -> None:
    steps = proxy.tunnel(host, port)
    try:
        data, wanted = next(steps)
        while True:
            transport.write(data)
            if isinstance(wanted, int):
                answer = await reader.readexactly(wanted)
            else:
                answer = await reader.readuntil(wanted)
            data, wanted = steps.send(answer)
    except StopIteration:
        pass
    except asyncio.IncompleteReadError as error:
        raise ProxyError("the proxy closed the connection instead of answering") from error
    except asyncio.LimitOverrunError as error:
        raise ProxyError(f"the proxy's answer is longer than {MAX_HEAD} bytes") from error


def _race(loop: asyncio.AbstractEventLoop, options: dict[str, Any]) -> None:
    """Lets the addresses of a name race, where the loop knows how."""
    if isinstance(loop, asyncio.BaseEventLoop) and not _is_address(options["host"]):
        options.setdefault("happy_eyeballs_delay", ATTEMPT)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


@functools.lru_cache(maxsize=1)
def _default_context() -> tls.SSLContext:
    return tls.create_default_context()
