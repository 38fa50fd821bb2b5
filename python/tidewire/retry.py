"""When a client tries again, and after how long."""

from __future__ import annotations

import asyncio
import datetime
import email.utils
import random
from collections.abc import Iterator
from typing import Optional

from .exceptions import InvalidMessage, InvalidProxyStatus, InvalidStatus, ProxyError
from .http import Response

__all__ = ["STABLE", "backoff", "process_exception", "retry_after"]

STABLE = 30.0
"""Seconds that a connection must last for the waits to begin anew: who accepts and drops is not hammered."""

LONGEST = 3600.0


def process_exception(error: Exception) -> Optional[Exception]:
    """Whether another attempt to connect may succeed: None, or else the error to raise.

    Tried again are names, TCP and TLS that fail, servers that do not answer or break off, proxies that do not get
    through, and the statuses 408, 425, 429 and 5xx."""
    if isinstance(error, (OSError, asyncio.TimeoutError)):
        return None
    if isinstance(error, InvalidMessage) and isinstance(error.__cause__, EOFError):
        return None
    if isinstance(error, InvalidStatus):
        status = error.response.status_code
        return None if status in (408, 425, 429) or 500 <= status <= 599 else error
    if isinstance(error, InvalidProxyStatus):
        return error if error.response.status_code == 407 else None
    return None if isinstance(error, ProxyError) else error


def backoff(shortest: float = 0.5, longest: float = 30.0, factor: float = 2.0) -> Iterator[float]:
    """Seconds to wait, without end: each drawn evenly from zero to a ceiling that grows from `shortest` to `longest`.
    Clients that lost their server together come back spread out."""
    ceiling = shortest
    while True:
        yield random.random() * min(ceiling, longest)
        ceiling = min(ceiling * factor, longest)


def retry_after(response: Response) -> float:
    """How many seconds the server asks to be left alone (RFC 9110 §10.2.3): an hour at most, 0 where it does not."""
    values = response.headers.get_all("Retry-After")
    if len(values) != 1:
        return 0.0
    if values[0].isascii() and values[0].isdigit():
        return min(float(values[0][:9]), LONGEST)
    try:
        date = email.utils.parsedate_to_datetime(values[0])
    except (TypeError, ValueError):
        return 0.0
    if date.tzinfo is None:
        date = date.replace(tzinfo=datetime.timezone.utc)
    wait = (date - datetime.datetime.now(datetime.timezone.utc)).total_seconds()
    return max(0.0, min(wait, LONGEST))
