import asyncio

import tidewire


async def echo(connection: tidewire.ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


async def main() -> None:
    async with tidewire.serve(echo, "127.0.0.1", 9876, console=True) as server:
        await server.serve_forever()


asyncio.run(main())
