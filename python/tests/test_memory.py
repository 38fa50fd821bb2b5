"""Memory stays flat: whatever passes through connections, and however many come and go."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import threading
import time
import tracemalloc
from typing import Any

import loops
import pytest
import threads

import tidewire
import tidewire.sync

LONG = bool(os.environ.get("TIDEWIRE_LONG"))
"""`cargo xtask python` sets it in one interpreter; the others have a twentieth of the work."""

MESSAGES = 500_000 // (1 if LONG else 20)
"""In each direction: a million in all."""

CONNECTIONS = 10_000 // (1 if LONG else 20)

OPTIONS: dict[str, Any] = {"compression": None, "ping_interval": None}
GROWTH = 4 << 20
"""Bytes that allocators may keep for themselves."""

TEXT = "a message of some forty characters: 0123"


def resident() -> int:
    """Bytes of this process that are in memory."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Flat:
    """Looks at the memory when a fourth of the work is done, and from then on. Python's allocations are traced in a
    second run with less work: that costs a multiple of the time."""

    def __init__(self, traced: bool) -> None:
        self.traced = traced
        self.first = 0
        if traced:
            tracemalloc.start()

    def look(self, done: float) -> None:
        gc.collect()
        now = tracemalloc.get_traced_memory()[0] if self.traced else resident()
        if done <= 0.25:
            self.first = now
        else:
            assert now <= self.first + GROWTH, f"{done:.0%}: {self.first} became {now} bytes"

    def __enter__(self) -> Flat:
        return self

    def __exit__(self, *_: object) -> None:
        if self.traced:
            tracemalloc.stop()


@pytest.mark.parametrize("traced", [False, True])
@pytest.mark.parametrize("slow", ["reader", "writer", "neither"])
def test_messages_on_a_loop(slow: str, traced: bool) -> None:
    """Server and client share the process: both are seen. A slow reader pauses now and then while its peer sends as
    fast as it may; a slow writer lets its peer wait."""
    messages = MESSAGES // (10 if traced else 1)
    pause = messages // 50

    async def handler(connection: Any) -> None:
        number = 0
        async for message in connection:
            number += 1
            if slow == "reader" and number % pause == 0:
                await asyncio.sleep(0.01)
            await connection.send(message)

    async def send(connection: Any) -> None:
        for number in range(messages):
            await connection.send(TEXT)
            if slow == "writer" and number % pause == 0:
                await asyncio.sleep(0.01)

    async def main(flat: Flat) -> None:
        async with loops.serving(handler, **OPTIONS) as (_, url), tidewire.connect(url, **OPTIONS) as connection:
            sending = asyncio.ensure_future(send(connection))
            for number in range(1, messages + 1):
                assert await connection.recv() == TEXT
                if number % (messages // 4) == 0:
                    flat.look(number / messages)
                if slow == "reader" and number % (pause + 7) == 0:
                    await asyncio.sleep(0.01)
            await sending

    with Flat(traced) as flat:
        asyncio.run(main(flat))


@pytest.mark.parametrize("traced", [False, True])
@pytest.mark.parametrize("slow", ["reader", "writer"])
def test_messages_between_threads(slow: str, traced: bool) -> None:
    """As on a loop, with a fifth of the messages: every one is a switch between threads, or several."""
    messages = MESSAGES // (50 if traced else 5)
    pause = messages // 50

    def handler(connection: Any) -> None:
        for number, message in enumerate(connection):
            if slow == "reader" and number % pause == 0:
                time.sleep(0.01)
            connection.send(message)

    def send(connection: Any) -> None:
        for number in range(messages):
            connection.send(TEXT)
            if slow == "writer" and number % pause == 0:
                time.sleep(0.01)

    with contextlib.ExitStack() as stack:
        flat = stack.enter_context(Flat(traced))
        _, url = stack.enter_context(threads.serving(handler, **OPTIONS))
        connection = stack.enter_context(tidewire.sync.connect(url, **OPTIONS))
        sending = threading.Thread(target=send, args=(connection,))
        sending.start()
        for number in range(1, messages + 1):
            assert connection.recv(timeout=20) == TEXT
            if number % (messages // 4) == 0:
                flat.look(number / messages)
            if slow == "reader" and number % (pause + 7) == 0:
                time.sleep(0.01)
        sending.join()


def holdings() -> tuple[int, int, int, int]:
    """Resident bytes, descriptors, threads, objects."""
    gc.collect()
    return resident(), len(os.listdir("/proc/self/fd")), threading.active_count(), len(gc.get_objects())


def compare(before: tuple[int, int, int, int], after: tuple[int, int, int, int]) -> None:
    grown = [now - then for then, now in zip(before, after)]
    assert grown[0] <= 8 << 20, f"{grown[0]} bytes"
    assert grown[1] <= 0, f"{grown[1]} descriptors"
    assert grown[2] <= 2, f"{grown[2]} threads"
    assert grown[3] <= 500, f"{grown[3]} objects"


@pytest.mark.parametrize("end", ["close", "cut"])
def test_many_come_and_go_on_a_loop(end: str) -> None:
    async def one(url: str) -> None:
        connection = await tidewire.connect(url, **OPTIONS)
        await connection.send("x")
        assert await connection.recv() == "x"
        if end == "close":
            await connection.close()
        else:
            connection.abort()
            await connection.wait_closed()

    async def main() -> None:
        async with loops.serving(loops.echo, **OPTIONS) as (server, url):

            async def some(count: int) -> None:
                for _ in range(count // 20):
                    await asyncio.gather(*(one(url) for _ in range(20)))
                await loops.until(lambda: not server._connections and not server._tasks)

            await some(CONNECTIONS // 10)
            before = holdings()
            await some(CONNECTIONS)
            compare(before, holdings())

    asyncio.run(main())


@pytest.mark.parametrize("end", ["close", "cut"])
def test_many_come_and_go_between_threads(end: str) -> None:
    with threads.serving(threads.echo, **OPTIONS) as (server, url):
        listener = server._listener

        def some(count: int) -> None:
            for _ in range(count):
                connection = tidewire.sync.connect(url, **OPTIONS)
                connection.send("x")
                assert connection.recv() == "x"
                if end == "close":
                    connection.close()
                else:
                    connection.abort()
                    connection.wait_closed()
            threads.until(lambda: not listener._connections and not listener._work)

        some(CONNECTIONS // 10)
        before = holdings()
        some(CONNECTIONS // 2)
        compare(before, holdings())


def test_loops_come_and_go() -> None:
    """What a loop carried is gone with it, also what it left open."""

    async def main(close: bool) -> None:
        server = await tidewire.serve(loops.echo, "127.0.0.1", 0, **OPTIONS)
        connection = await tidewire.connect(loops.url_of(server), **OPTIONS)
        await connection.send("x")
        assert await connection.recv() == "x"
        if close:
            await connection.close()
            server.close()
            await server.wait_closed()

    def some(close: bool) -> None:
        for _ in range(20):
            asyncio.run(main(close))

    some(True)
    before = holdings()
    some(True)
    compare(before, holdings())
