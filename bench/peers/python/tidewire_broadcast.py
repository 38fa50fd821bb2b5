"""What anyone says goes to all, by our broadcast: tidewire_broadcast.py PORT [asyncio]."""

from common import PORT, listening, run

from tidewire import broadcast, serve

EVERYONE = set()


async def tell(ws):
    EVERYONE.add(ws)
    try:
        async for message in ws:
            broadcast(EVERYONE, message)
    finally:
        EVERYONE.remove(ws)


async def main():
    async with serve(tell, "127.0.0.1", PORT, compression=None, ping_interval=None) as server:
        listening(server.sockets[0].getsockname())
        await server.serve_forever()


run(main)
