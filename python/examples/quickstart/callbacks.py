import asyncio
from typing import Any, Union

import tidewire


class Echo(tidewire.Handler):
    def on_message(self, connection: Any, message: Union[str, bytes, memoryview]) -> None:
        connection.send_nowait(message)

    def on_close(self, connection: Any, code: int, reason: str) -> None:
        print("closed with", code, flush=True)


async def main() -> None:
    async with tidewire.serve(Echo, "127.0.0.1", 9876) as server:
        await server.serve_forever()


asyncio.run(main())
