"""The echo server of our `async for` face: tidewire_asyncio_echo.py PORT [deflate] [asyncio]."""

from common import LARGEST, PORT, WORDS, listening, run

from tidewire import serve


async def echo(ws):
    async for message in ws:
        await ws.send(message)


async def main():
    options = {"compression": "deflate" if "deflate" in WORDS else None}
    async with serve(echo, "127.0.0.1", PORT, max_size=LARGEST, ping_interval=None, **options) as server:
        listening(server.sockets[0].getsockname())
        await server.serve_forever()


run(main)
