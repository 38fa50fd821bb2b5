"""The echo server of aiohttp: aiohttp_echo.py PORT [deflate] [asyncio]."""

import asyncio

from aiohttp import WSMsgType, web
from common import LARGEST, PORT, WORDS, listening, run


async def echo(request):
    ws = web.WebSocketResponse(compress="deflate" in WORDS, max_msg_size=LARGEST)
    await ws.prepare(request)
    async for message in ws:
        if message.type == WSMsgType.TEXT:
            await ws.send_str(message.data)
        elif message.type == WSMsgType.BINARY:
            await ws.send_bytes(message.data)
    return ws


async def main():
    app = web.Application()
    app.router.add_get("/", echo)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", PORT)
    await site.start()
    listening(runner.addresses[0])
    await asyncio.Event().wait()


run(main)
