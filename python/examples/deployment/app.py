"""A server for systemd and nginx: a Unix socket or a port, and a graceful stop on SIGTERM."""

import asyncio
import logging
import os
import signal

import tidewire


async def echo(connection: tidewire.ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


async def main() -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    path = os.environ.get("SOCKET")
    if path is not None:
        server = await tidewire.unix_serve(echo, path, mode=0o660)
    else:
        server = await tidewire.serve(echo, "127.0.0.1", 9876)
    logging.info("listening on %s", path or "port 9876")
    await stop.wait()
    logging.info("closing %d connections", len(server.connections))
    server.close()
    await asyncio.wait_for(server.wait_closed(), 20)


logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
asyncio.run(main())
