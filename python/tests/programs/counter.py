"""A value that all users change, and the number of users, sent to all at each change."""

import asyncio
import json
import logging

from LIBRARY.asyncio.client import connect
from LIBRARY.asyncio.server import broadcast, serve

USERS = set()
VALUE = 0


def users():
    return json.dumps({"type": "users", "count": len(USERS)})


async def counter(ws):
    global VALUE
    USERS.add(ws)
    try:
        broadcast(USERS, users())
        await ws.send(json.dumps({"type": "value", "value": VALUE}))
        async for message in ws:
            event = json.loads(message)
            VALUE += {"plus": 1, "minus": -1}[event["action"]]
            broadcast(USERS, json.dumps({"type": "value", "value": VALUE}))
    finally:
        USERS.discard(ws)
        broadcast(USERS, users())


async def main():
    async with serve(counter, "127.0.0.1", 0) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        async with connect(url) as first:
            print(await first.recv(), await first.recv())
            for number in range(3):
                async with connect(url) as other:
                    print(await first.recv())
                    print(await other.recv(), await other.recv())
                    await other.send(json.dumps({"action": "minus" if number == 1 else "plus"}))
                    print(await first.recv(), await other.recv())
                print(await first.recv())
            # An event that the handler does not know: its error closes with 1011.
            async with connect(url) as wrong:
                print(await first.recv())
                await wrong.send(json.dumps({"action": "explode"}))
                try:
                    while True:
                        await wrong.recv()
                except Exception as error:
                    print(type(error).__name__, error.rcvd.code)
            print(await first.recv())


logging.getLogger("LIBRARY.server").setLevel(logging.CRITICAL)
asyncio.run(main())
