"""The sockets that a server listens on.

They are made here, not by `loop.create_server`: the core listens, and what a loop has bound without listening does not
always have its port (uvloop tells of a port in use only when it listens)."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import stat
from collections.abc import Iterable, Sequence
from typing import Optional, Union

__all__ = ["BACKLOG", "bind_tcp", "bind_unix", "file_of", "remove_file"]

Host = Union[str, Sequence[str], None]

BACKLOG = 1024
"""Connections that wait to be accepted, where the caller gives no `backlog`; the kernel may allow fewer."""


async def bind_tcp(
    host: Host,
    port: Optional[int],
    *,
    family: int = socket.AF_UNSPEC,
    flags: int = socket.AI_PASSIVE,
    reuse_address: Optional[bool] = None,
    reuse_port: Optional[bool] = None,
) -> list[socket.socket]:
    """A bound socket for each address of `host`: all addresses of this machine where it is None or empty. OSError."""
    loop = asyncio.get_running_loop()
    hosts: Iterable[Optional[str]] = [host or None] if host is None or isinstance(host, str) else host
    found = [await loop.getaddrinfo(name, port, family=family, type=socket.SOCK_STREAM, flags=flags) for name in hosts]
    # In their order, each once.
    infos = list(dict.fromkeys((info[0], info[1], info[2], info[4]) for infos in found for info in infos))
    sockets: list[socket.socket] = []
    unusable: Optional[OSError] = None
    try:
        for kind, type_, protocol, address in infos:
            try:
                sock = socket.socket(kind, type_, protocol)
            except OSError as error:
                # A kernel without this family.
                unusable = error
                continue
            sockets.append(sock)
            sock.setblocking(False)
            if reuse_address is not False:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if reuse_port:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if kind == socket.AF_INET6:
                # Both families are bound each on its own.
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                sock.bind(address)
            except OSError as error:
                told = OSError(error.errno, f"can't listen on {address[0]!r} port {address[1]!r}: {error.strerror}")
                if error.errno != errno.EADDRNOTAVAIL:
                    raise told from None
                # localhost may have an address that no interface has.
                unusable = told
                sockets.pop().close()
        if not sockets:
            raise unusable or OSError(errno.EADDRNOTAVAIL, f"{host!r} has no address")
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    return sockets


def bind_unix(path: Union[str, bytes, os.PathLike[str]], mode: Optional[int] = None) -> socket.socket:
    """A socket bound to a path. One that an earlier process left there is taken away. OSError."""
    where = os.fspath(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        # Of Linux's abstract names (the first byte is 0) there is no file.
        if where[:1] not in ("\0", b"\0"):
            try:
                if stat.S_ISSOCK(os.stat(where).st_mode):
                    os.remove(where)
            except FileNotFoundError:
                pass
        try:
            sock.bind(where)
        except OSError as error:
            raise OSError(error.errno, f"can't listen on {where!r}: {error.strerror}") from None
        if mode is not None:
            os.chmod(where, mode)
    except BaseException:
        sock.close()
        raise
    return sock


def file_of(sock: socket.socket) -> Optional[tuple[Union[str, bytes], int]]:
    """Path and inode of the file that a Unix socket made; None where there is none."""
    if sock.family != socket.AF_UNIX:
        return None
    where = sock.getsockname()
    if not where or where[:1] in ("\0", b"\0"):
        return None
    try:
        return where, os.stat(where).st_ino
    except FileNotFoundError:
        return None


def remove_file(file: tuple[Union[str, bytes], int]) -> None:
    """Takes the file of a Unix socket away, where no other server has put its own there."""
    where, inode = file
    try:
        if os.stat(where).st_ino == inode:
            os.remove(where)
    except FileNotFoundError:
        pass
