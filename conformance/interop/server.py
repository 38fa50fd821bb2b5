"""The echo server of Python's websockets, which insists on deflate, or with --plain on none: server.py [--plain]."""

import asyncio
import sys

from websockets.asyncio.server import serve

DEFLATE = "--plain" not in sys.argv


async def echo(ws):
    agreed = [extension.name for extension in ws.protocol.extensions]
    if agreed != (["permessage-deflate"] if DEFLATE else []):
        await ws.close(4001, f"agreed on {agreed}")
        return
    async for message in ws:
        await ws.send(message)


async def main():
    compression = "deflate" if DEFLATE else None
    async with serve(echo, "127.0.0.1", 0, compression=compression, max_size=None) as server:
        port = server.sockets[0].getsockname()[1]
        print(f"listening on ws://127.0.0.1:{port}/", flush=True)
        await server.serve_forever()


asyncio.run(main())
