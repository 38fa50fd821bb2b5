"""The echo server of websockets on uvloop: websockets_echo.py PORT [deflate]."""

import asyncio
import sys

import uvloop
from websockets.asyncio.server import serve
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory

LARGEST = 64 * 2**20
DEFLATE = ServerPerMessageDeflateFactory(
    server_no_context_takeover=True,
    client_no_context_takeover=True,
    compress_settings={"level": 1},
)


async def echo(ws):
    async for message in ws:
        await ws.send(message)


async def main(port, *words):
    options = {"compression": None, "extensions": [DEFLATE] if "deflate" in words else None}
    async with serve(echo, "127.0.0.1", int(port), max_size=LARGEST, ping_interval=None, **options) as server:
        print(f"listening 127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
        await server.serve_forever()


with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
    runner.run(main(*sys.argv[1:]))
