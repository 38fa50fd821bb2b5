"""Requests and responses of the opening handshake, and their header fields."""

from __future__ import annotations

import http
import re
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Optional, Protocol, Union

__all__ = ["Headers", "HeadersLike", "MultipleValuesError", "Request", "Response", "reason_phrase"]

# RFC 9110 §5.1: a token. §5.5: visible characters, spaces, tabs, and bytes from 0x80, which are read as Latin-1.
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


class MultipleValuesError(LookupError):
    """A field that was asked for as the only one stands there more than once: ask with `get_all`."""

    def __str__(self) -> str:
        return f"{self.args[0]!r} stands there more than once" if len(self.args) == 1 else super().__str__()


class _HasKeys(Protocol):
    def keys(self) -> Iterable[str]: ...
    def __getitem__(self, key: str, /) -> str: ...


HeadersLike = Union["Headers", Mapping[str, str], Iterable[tuple[str, str]], _HasKeys]
"""What header fields are given as."""


class Headers(MutableMapping[str, str]):
    """Header fields in their order. Names are found in any case, and may stand more than once.

    `headers[name]` is the value of the only such field: KeyError where there is none, MultipleValuesError where there
    are several. `headers[name] = value` adds a field and removes none; `del headers[name]` removes all of that name.

    No name or value can hold what would begin another line: ValueError. Values are Latin-1 on the wire.
    """

    __slots__ = ("_fields", "_values")

    def __init__(self, *args: HeadersLike, **kwargs: str) -> None:
        self._fields: list[tuple[str, str]] = []
        self._values: dict[str, list[str]] = {}
        self.update(*args, **kwargs)

    @classmethod
    def parsed(cls, fields: Iterable[tuple[str, str]]) -> Headers:
        """Of fields that the core has read and judged."""
        headers = cls()
        for name, value in fields:
            headers._append(name, value)
        return headers

    def _append(self, name: str, value: str) -> None:
        self._fields.append((name, value))
        self._values.setdefault(name.lower(), []).append(value)

    def __str__(self) -> str:
        return "".join(f"{name}: {value}\r\n" for name, value in self._fields) + "\r\n"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._fields!r})"

    def copy(self) -> Headers:
        """The same fields, to be changed on their own."""
        return type(self).parsed(self._fields)

    def serialize(self) -> bytes:
        """The lines as they are sent, with the empty one behind them."""
        return str(self).encode("latin-1")

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, name: str) -> str:
        values = self._values[name.lower()]
        if len(values) == 1:
            return values[0]
        raise MultipleValuesError(name)

    def __setitem__(self, name: str, value: str) -> None:
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError(f"header fields are str, not {type(name).__name__} and {type(value).__name__}")
        if _NAME.fullmatch(name) is None:
            raise ValueError(f"{name!r} is no name of a header field")
        value = value.strip(" \t")
        if _VALUE.fullmatch(value) is None:
            raise ValueError(f"the value of {name} can't be sent: control characters, or beyond Latin-1: {value!r}")
        self._append(name, value)

    def __delitem__(self, name: str) -> None:
        key = name.lower()
        del self._values[key]
        self._fields = [field for field in self._fields if field[0].lower() != key]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Headers):
            return NotImplemented
        return self._values == other._values

    __hash__ = None  # type: ignore[assignment]

    def clear(self) -> None:
        """Removes all."""
        self._fields = []
        self._values = {}

    def update(self, *args: Any, **kwargs: str) -> None:
        """Adds all fields of another Headers (those that stand there several times too), a mapping or pairs."""
        if len(args) > 1:
            raise TypeError(f"one source of header fields is expected, not {len(args)}")
        for source in args:
            if isinstance(source, Headers):
                pairs: Iterable[tuple[str, str]] = list(source.raw_items())
            elif hasattr(source, "keys"):
                pairs = [(name, source[name]) for name in source.keys()]  # noqa: SIM118
            else:
                pairs = source
            for name, value in pairs:
                self[name] = value
        for name, value in kwargs.items():
            self[name] = value

    def get_all(self, name: str) -> list[str]:
        """All values of a field, in their order; an empty list where there is none."""
        return list(self._values.get(name.lower(), ()))

    def raw_items(self) -> Iterator[tuple[str, str]]:
        """All fields in their order, with names as they were written."""
        return iter(self._fields)


@dataclass
class Request:
    """The request that opens a WebSocket."""

    path: str
    """The request target: path and query."""
    headers: Headers
    method: str = "GET"
    protocol: str = "HTTP/1.1"


@dataclass
class Response:
    """An answer to a request."""

    status_code: int
    reason_phrase: str
    headers: Headers
    body: bytes = field(default=b"")

    def serialize(self, body: bool = True) -> bytes:
        """The bytes of the answer. Without `body` it is the answer to a HEAD: the same head and nothing behind it.

        Content-Length is that of the body; `Connection: close` is added where Connection is not set. ValueError for a
        status or reason phrase that can't be sent."""
        status = int(self.status_code)
        if not 100 <= status <= 999:
            raise ValueError(f"{status} is no status of HTTP: they have three digits")
        if _VALUE.fullmatch(self.reason_phrase) is None:
            raise ValueError(f"the reason phrase can't be sent: {self.reason_phrase!r}")
        headers = self.headers.copy()
        # RFC 9110 §6.4.1, §8.6: these have no body, and 1xx and 204 no Content-Length.
        bodiless = status < 200 or status in (204, 304)
        if not bodiless:
            # A length that is not the body's would let the rest pass for the next answer.
            if "Content-Length" in headers:
                del headers["Content-Length"]
            headers["Content-Length"] = str(len(self.body))
        if status >= 200 and "Connection" not in headers:
            headers["Connection"] = "close"
        head = f"HTTP/1.1 {status} {self.reason_phrase}\r\n".encode("latin-1") + headers.serialize()
        return head if bodiless or not body else head + bytes(self.body)


def reason_phrase(status: int) -> str:
    """The standard's words for a status; empty where it has none."""
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return ""


def text_response(status: Union[int, http.HTTPStatus], text: str) -> Response:
    """A page of plain text."""
    body = text.encode()
    fields = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
    return Response(int(status), reason_phrase(int(status)), Headers(fields), body)


def as_fields(headers: Optional[HeadersLike]) -> list[tuple[str, str]]:
    """Fields in order, checked; none where nothing is given."""
    return [] if headers is None else list(Headers(headers).raw_items())
