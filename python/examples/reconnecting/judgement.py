import asyncio
import itertools
from collections.abc import Iterator
from contextlib import suppress
from typing import Optional

import tidewire
from tidewire.retry import process_exception


def judge(error: Exception) -> Optional[Exception]:
    """The error that is final, or None where another attempt may succeed."""
    if isinstance(error, tidewire.InvalidStatus) and error.response.status_code == 404:
        return None  # The server's application starts after its web server.
    return process_exception(error)


def waits() -> Iterator[float]:
    """Seconds before each attempt."""
    return itertools.repeat(0.5)


async def main() -> None:
    way = tidewire.connect("ws://127.0.0.1:9876/live", process_exception=judge, reconnect_delays=waits)
    async for connection in way:
        with suppress(tidewire.ConnectionClosedError):
            async for message in connection:
                print(message, flush=True)
        if connection.close_code == 1000:
            break


asyncio.run(main())
