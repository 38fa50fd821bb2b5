"""A server that SIGTERM stops gracefully: clients get 1001, and handlers end what they do."""

import asyncio
import os
import signal

from LIBRARY.asyncio.client import connect
from LIBRARY.asyncio.server import serve


async def handler(ws):
    try:
        async for message in ws:
            await ws.send(message.upper())
    finally:
        await asyncio.sleep(0.05)
        print("handler ended")


async def serving(ready):
    async with serve(handler, "127.0.0.1", 0) as server:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.close)
        ready.set_result(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        await server.wait_closed()
    print("server ended")


async def main():
    ready = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serving(ready))
    url = await ready
    async with connect(url) as ws:
        await ws.send("still here")
        print(await ws.recv())
        os.kill(os.getpid(), signal.SIGTERM)
        async for _ in ws:
            print("not expected")
        print("client", ws.close_code)
    await task
    try:
        await connect(url)
    except OSError as error:
        print(type(error).__name__)


asyncio.run(main())
