"""What an idle connection costs a server: `python idle.py asyncio`, `callbacks`, `threads` or `pool`, and how many."""

import asyncio
import os
import sys
import threading
from typing import Any

import tidewire
import tidewire.sync

CONNECTIONS = int(sys.argv[2]) if len(sys.argv) > 2 else 2000


class Nothing(tidewire.Handler):
    """Is called back, and does nothing."""


async def receive(connection: tidewire.ServerConnection) -> None:
    async for _ in connection:
        pass


def receive_in_a_thread(connection: tidewire.sync.ServerConnection) -> None:
    for _ in connection:
        pass


def resident() -> int:
    """Bytes of memory that this process holds."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def fill(port: int, count: int) -> list[Any]:
    """Opens connections from a process of their own."""
    code = (
        "import asyncio, tidewire\n"
        "async def main():\n"
        f"    made = [await tidewire.connect('ws://127.0.0.1:{port}/', proxy=None) for _ in range({count})]\n"
        "    print('ready', flush=True)\n"
        "    await asyncio.sleep(3600)\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    await process.stdout.readline()
    return [process]


async def measure(port: int) -> None:
    crowd = await fill(port, CONNECTIONS // 10)
    before = resident()
    crowd += await fill(port, CONNECTIONS)
    await asyncio.sleep(1)
    own = sum(thread.name.startswith("tidewire") for thread in threading.enumerate())
    print(f"{sys.argv[1]}: {(resident() - before) / CONNECTIONS / 1000:.1f} kB each, {own} threads", flush=True)
    for process in crowd:
        process.kill()
        await process.wait()


async def on_a_loop(handler: Any) -> None:
    async with tidewire.serve(handler, "127.0.0.1", 0) as server:
        await measure(server.sockets[0].getsockname()[1])


def with_threads(handler: Any) -> None:
    with tidewire.sync.serve(handler, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever).start()
        asyncio.run(measure(server.socket.getsockname()[1]))


if sys.argv[1] == "asyncio":
    asyncio.run(on_a_loop(receive))
elif sys.argv[1] == "callbacks":
    asyncio.run(on_a_loop(Nothing))
else:
    with_threads({"threads": receive_in_a_thread, "pool": Nothing}[sys.argv[1]])
