import asyncio
import threading
import time

import tidewire
import tidewire.sync


async def block_the_loop(connection: tidewire.ServerConnection) -> None:
    await connection.recv()
    time.sleep(1)
    await connection.wait_closed()


def block_a_thread(connection: tidewire.sync.ServerConnection) -> None:
    connection.recv()
    time.sleep(1)
    connection.wait_closed()


def pong_waited(port: int) -> bool:
    with tidewire.sync.connect(f"ws://127.0.0.1:{port}/") as connection:
        connection.send("now block")
        time.sleep(0.1)
        began = time.monotonic()
        connection.ping().wait()
        return time.monotonic() - began > 0.5


async def main() -> None:
    async with tidewire.serve(block_the_loop, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        print("asyncio:", await asyncio.to_thread(pong_waited, port))


asyncio.run(main())
with tidewire.sync.serve(block_a_thread, "127.0.0.1", 0) as server:
    threading.Thread(target=server.serve_forever).start()
    print("threads:", pong_waited(server.socket.getsockname()[1]))
