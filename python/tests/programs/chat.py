"""A chat room: whoever says a name is told who is there, and what is said goes to all. Prints what is observed."""

import asyncio

from LIBRARY import ConnectionClosed
from LIBRARY.asyncio.client import connect
from LIBRARY.asyncio.server import broadcast, serve

ROOM = {}


async def handler(ws):
    name = await ws.recv()
    ROOM[ws] = name
    broadcast(ROOM, f"{name} enters: {', '.join(sorted(ROOM.values()))}")
    try:
        async for text in ws:
            broadcast(ROOM, f"{name}: {text}")
    finally:
        del ROOM[ws]
        broadcast(ROOM, f"{name} leaves")


async def main():
    async with serve(handler, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        url = f"ws://127.0.0.1:{port}/"
        async with connect(url) as ann:
            await ann.send("Ann")
            print("Ann hears", await ann.recv())
            async with connect(url) as bob:
                await bob.send("Bob")
                print("Ann hears", await ann.recv())
                print("Bob hears", await bob.recv())
                await bob.send("hello, Ann")
                print("Ann hears", await ann.recv())
                print("Bob hears", await bob.recv())
            print("Ann hears", await ann.recv())
            print("Bob's end", bob.close_code, repr(bob.close_reason), bob.state.name)
            try:
                await bob.send("too late")
            except ConnectionClosed as error:
                print(type(error).__name__, int(error.rcvd.code), int(error.sent.code), error.rcvd_then_sent)
    print(sorted(ROOM))


asyncio.run(main())
