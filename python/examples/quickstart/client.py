import asyncio

import tidewire


async def main() -> None:
    async with tidewire.connect("ws://127.0.0.1:9876") as connection:
        await connection.send("hello")
        print(await connection.recv())


asyncio.run(main())
