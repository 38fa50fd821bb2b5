"""Which proxy a client takes, from its URL or from the environment, and what it says to it."""

from __future__ import annotations

import base64
import ipaddress
import os
import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Optional, Union
from urllib.parse import unquote, urlsplit

from .exceptions import InvalidProxy, InvalidProxyMessage, InvalidProxyStatus, ProxyError
from .http import Headers, Response

__all__ = ["Proxy", "proxy_from_environment"]

PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
LOOK_AT = {
    False: ("ws_proxy", "WS_PROXY", "http_proxy", "all_proxy", "ALL_PROXY"),
    True: ("wss_proxy", "WSS_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"),
}
MAX_HEAD = 16 * 1024


@dataclass(frozen=True)
class Proxy:
    """A proxy: HTTP CONNECT (`http`, `https`: TLS to the proxy), or SOCKS version 5 (`socks5`: names are resolved here,
    `socks5h`: the proxy resolves them)."""

    scheme: str
    host: str
    port: int
    login: Optional[tuple[str, str]]

    @classmethod
    def parse(cls, url: str) -> Proxy:
        """Of `scheme://user:password@host:port`; without a scheme it is http. InvalidProxy says what is wrong."""
        try:
            parts = urlsplit(url if "://" in url else f"http://{url}")
            port = parts.port
        except ValueError as error:
            raise InvalidProxy(url, str(error)) from None
        if parts.scheme not in PORTS:
            raise InvalidProxy(url, f"a proxy is one of {', '.join(PORTS)}")
        if not parts.hostname:
            raise InvalidProxy(url, "it has no host")
        if parts.path not in ("", "/") or parts.query or parts.fragment:
            raise InvalidProxy(url, "a proxy is a host and a port, without a path")
        login = None
        if parts.username is not None:
            login = (unquote(parts.username), unquote(parts.password or ""))
            if ":" in login[0]:
                raise InvalidProxy(url, "the user's name holds a colon")
        return cls(parts.scheme, parts.hostname, port or PORTS[parts.scheme], login)

    def tunnel(self, host: str, port: int) -> Generator[tuple[bytes, Union[int, bytes]], bytes, None]:
        """Asks for a tunnel. It yields what to send, and what to read then: a number of bytes, or up to such an end; it
        wants back what was read. ProxyError says why there is none."""
        if self.scheme.startswith("http"):
            return self._by_connect(host, port)
        return self._by_socks(host, port)

    def _by_connect(self, host: str, port: int) -> Generator[tuple[bytes, Union[int, bytes]], bytes, None]:
        """RFC 9110 §9.3.6."""
        target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        head = f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n"
        if self.login is not None:
            token = base64.b64encode(":".join(self.login).encode()).decode()
            head += f"Proxy-Authorization: Basic {token}\r\n"
        asked = f"{head}\r\n".encode("latin-1")
        while True:
            response = _read_head((yield asked, b"\r\n\r\n"))
            # An interim answer: the final one follows (RFC 9110 §15.2).
            asked = b""
            if response.status_code >= 200:
                break
        if response.status_code >= 300:
            raise InvalidProxyStatus(response)

    def _by_socks(self, host: str, port: int) -> Generator[tuple[bytes, Union[int, bytes]], bytes, None]:
        """RFC 1928, with the login of RFC 1929."""
        methods = b"\x05\x01\x00" if self.login is None else b"\x05\x02\x00\x02"
        version, method = yield methods, 2
        if version != 5:
            raise InvalidProxyMessage("the proxy does not speak SOCKS version 5")
        if method == 2 and self.login is not None:
            user, password = (part.encode() for part in self.login)
            if not 1 <= len(user) <= 255 or not 1 <= len(password) <= 255:
                raise ProxyError("SOCKS takes users and passwords of 1 to 255 bytes")
            asked = b"\x01" + bytes([len(user)]) + user + bytes([len(password)]) + password
            _, status = yield asked, 2
            if status != 0:
                raise ProxyError("the proxy does not let this user in: are user and password right?")
        elif method == 0xFF:
            raise ProxyError("the proxy wants another login: give user and password in its URL")
        elif method != 0:
            raise InvalidProxyMessage("the proxy answered with a login that was not offered")
        try:
            address = ipaddress.ip_address(host)
            place = (b"\x01" if address.version == 4 else b"\x04") + address.packed
        except ValueError:
            name = host.encode("idna")
            if len(name) > 255:
                raise ProxyError("SOCKS takes names of up to 255 bytes") from None
            place = b"\x03" + bytes([len(name)]) + name
        version, reply, _, kind = yield b"\x05\x01\x00" + place + port.to_bytes(2, "big"), 4
        if version != 5:
            raise InvalidProxyMessage("the proxy does not speak SOCKS version 5")
        if reply != 0:
            raise ProxyError(f"the proxy did not connect: {SOCKS_REPLIES.get(reply, f'reply {reply}')}")
        if kind == 3:
            (length,) = yield b"", 1
        else:
            length = 4 if kind == 1 else 16
        # Where the tunnel begins tells nothing; it must be read away.
        yield b"", length + 2


SOCKS_REPLIES = {
    1: "general failure",
    2: "its rules do not allow it",
    3: "network unreachable",
    4: "host unreachable",
    5: "connection refused",
    6: "TTL expired",
    7: "it does not know CONNECT",
    8: "it does not know this kind of address",
}


def _read_head(head: bytes) -> Response:
    lines = head.decode("latin-1").split("\r\n")
    found = re.fullmatch(r"HTTP/1\.\d ([1-9]\d\d)(?: (.*))?", lines[0])
    if found is None:
        raise InvalidProxyMessage("the proxy does not speak HTTP/1.1: is it a SOCKS proxy, or one with TLS?")
    pairs = [line.partition(":") for line in lines[1:] if line]
    headers = Headers.parsed((name, value.strip(" \t")) for name, _, value in pairs)
    return Response(int(found[1]), found[2] or "", headers)


def proxy_from_environment(
    secure: bool, host: str, port: int, environment: Mapping[str, str] = os.environ
) -> Optional[str]:
    """The URL of the proxy that the environment wants for a server; None for a direct connection.

    Looked at, in this order: for ws `ws_proxy`, `http_proxy` (never HTTP_PROXY, which a CGI program gets of its
    client), for wss `wss_proxy`, `https_proxy`; then `all_proxy`; but for http_proxy also in capitals. Loopback and the
    hosts of `no_proxy` are reached directly."""
    url = next((value for name in LOOK_AT[secure] if (value := environment.get(name, "").strip())), None)
    if url is None or _is_loopback(host):
        return None
    direct = next((value for name in ("no_proxy", "NO_PROXY") if (value := environment.get(name, ""))), "")
    return None if any(_matches(element, host, port) for element in re.split(r"[,\s]+", direct) if element) else url


def _address(host: str) -> Union[ipaddress.IPv4Address, ipaddress.IPv6Address, None]:
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_loopback(host: str) -> bool:
    address = _address(host)
    return host.rstrip(".").lower() == "localhost" or (address is not None and address.is_loopback)


def _matches(element: str, host: str, port: int) -> bool:
    """Whether an element of `no_proxy` means a host: `*`, a name and all under it, an address or network; with a port
    or without."""
    address = _address(host)
    try:
        network = ipaddress.ip_network(element.strip("[]"), strict=False)
    except ValueError:
        pass
    else:
        return address is not None and address in network
    name, colon, only = element.rpartition(":")
    if colon:
        if only != str(port):
            return False
        element = name
        if _address(element) is not None:
            return address == _address(element)
    if element == "*":
        return True
    wanted = element[1:] if element.startswith("*.") else element
    wanted = wanted.strip(".").lower()
    own = host.rstrip(".").lower()
    return bool(wanted) and address is None and (own == wanted or own.endswith(f".{wanted}"))
