"""Loops that are gone take with them what they carried."""

import asyncio
import gc
import os
import weakref

import pytest

import tidewire


async def leave_open(kept):
    """Serves and connects, and cares for nothing."""

    async def handler(ws):
        async for message in ws:
            await ws.send(message)

    server = await tidewire.serve(handler, "127.0.0.1", 0)
    ws = await tidewire.connect(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    await ws.send("hello")
    assert await ws.recv() == "hello"
    kept.append(weakref.ref(server))


def descriptors():
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_a_loop_with_live_connections_leaves_nothing():
    """edge 65: the loop is closed under a server and its connections."""

    def once(kept):
        loop = asyncio.new_event_loop()
        loop.run_until_complete(leave_open(kept))
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()

    kept = []
    once(kept)
    gc.collect()
    before = descriptors()
    for _ in range(5):
        once(kept)
    gc.collect()
    gc.collect()
    assert descriptors() <= before
    assert [server() for server in kept] == [None] * 6
