"""The echo server of aiohttp on uvloop: aiohttp_echo.py PORT [deflate]."""

import asyncio
import sys

import uvloop
from aiohttp import WSMsgType, web

LARGEST = 64 * 2**20


async def main(port, *words):
    async def echo(request):
        ws = web.WebSocketResponse(compress="deflate" in words, max_msg_size=LARGEST)
        await ws.prepare(request)
        async for message in ws:
            if message.type == WSMsgType.TEXT:
                await ws.send_str(message.data)
            elif message.type == WSMsgType.BINARY:
                await ws.send_bytes(message.data)
        return ws

    app = web.Application()
    app.router.add_get("/", echo)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", int(port))
    await site.start()
    print(f"listening 127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()


with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
    runner.run(main(*sys.argv[1:]))
