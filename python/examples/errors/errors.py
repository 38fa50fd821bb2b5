import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import tidewire


async def handler(connection: tidewire.ServerConnection) -> None:
    async for _ in connection:
        await connection.close(4000, "too bad")


async def told(call: Callable[..., Awaitable[Any]], *arguments: Any, **options: Any) -> None:
    try:
        await call(*arguments, **options)
    except Exception as error:
        print(f"{type(error).__name__}: {error}")


async def main() -> None:
    await told(tidewire.connect, "ws://127.0.0.1:9876/#here")
    async with tidewire.serve(handler, "127.0.0.1", 9876, max_size=1000) as server:
        url = "ws://127.0.0.1:9876/"
        await told(tidewire.connect, url, origin="https://elsewhere.example")
        async with tidewire.connect(url) as connection:
            await told(connection.send, {"a": 1})
            await connection.send("hello")
            await told(connection.recv)
        async with tidewire.connect(url) as connection:
            await connection.send("x" * 1001)
            await told(connection.recv)
        async with tidewire.connect(url) as connection:
            server.close()
            await told(connection.recv)
            await told(connection.send, "late")
    await told(tidewire.connect, url)


asyncio.run(main())
