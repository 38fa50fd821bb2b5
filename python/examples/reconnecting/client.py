import asyncio
import logging

import tidewire


async def main() -> None:
    async for connection in tidewire.connect("ws://127.0.0.1:9876"):
        try:
            await connection.send("subscribe")
            async for message in connection:
                print(message, flush=True)
        except tidewire.ConnectionClosedError as error:
            print("lost:", error, flush=True)


logging.basicConfig(level=logging.INFO)
asyncio.run(main())
