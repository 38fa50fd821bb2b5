import asyncio
from typing import Any, Union

import tidewire


class Echo(tidewire.Handler):
    payload = "memoryview"

    def on_open(self, connection: Any) -> None:
        print("opened:", connection.request.path, flush=True)

    def on_message(self, connection: Any, message: Union[str, bytes, memoryview]) -> None:
        connection.send_nowait(message, text=True)

    def on_close(self, connection: Any, code: int, reason: str) -> None:
        print("closed:", code, flush=True)


class Client(tidewire.Handler):
    def __init__(self, count: int) -> None:
        self.left = count

    def on_message(self, connection: Any, message: Union[str, bytes, memoryview]) -> None:
        self.left -= 1
        if self.left:
            connection.send_nowait(f"{self.left} left")
        else:
            connection.begin_close()


async def main() -> None:
    async with tidewire.serve(Echo, "127.0.0.1", 9876):
        connection = await tidewire.connect("ws://127.0.0.1:9876/path")
        connection.set_handler(Client(1000))
        connection.send_nowait("begin")
        await connection.wait_closed()
    print("echoes:", connection.stats[0], flush=True)


asyncio.run(main())
