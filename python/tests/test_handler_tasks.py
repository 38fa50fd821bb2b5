"""A handler's task goes on past itself while it only receives and sends: nobody can tell, except by a clock."""

from __future__ import annotations

import asyncio
import contextvars
import io
import sys
from typing import Any

import pytest
from loops import on_loops, serving

import tidewire

COUNT = contextvars.ContextVar("count", default=0)


def numbered(answers: Any) -> Any:
    """A handler that counts in a context variable, and asks `answers` for what it does not know. Its task stays its own."""

    async def handler(connection: tidewire.ServerConnection) -> None:
        task = asyncio.current_task()
        async for message in connection:
            assert asyncio.current_task() is task
            COUNT.set(COUNT.get() + 1)
            if message != "count":
                await answers(connection, message, task)
                assert asyncio.current_task() is task
            await connection.send(str(COUNT.get()))
        assert asyncio.current_task() is task

    return handler


async def said(connection: tidewire.ClientConnection, *messages: str) -> list[Any]:
    """What comes back for these, one after the other."""
    answers = []
    for message in messages:
        await connection.send(message)
        answers.append(await connection.recv())
    return answers


@on_loops
async def test_context_and_task_stay_the_handlers_own() -> None:
    async def sleeps(*_: Any) -> None:
        await asyncio.sleep(0.001)

    async with serving(numbered(sleeps)) as (_, url):
        async with tidewire.connect(url) as one, tidewire.connect(url) as other:
            assert await said(one, "count", "count", "sleep", "count") == ["1", "2", "3", "4"]
            assert await said(other, "count", "sleep", "sleep") == ["1", "2", "3"]
    assert COUNT.get() == 0


@on_loops
async def test_other_awaitables_of_the_same_connection() -> None:
    async def does(connection: Any, message: str, _: Any) -> None:
        if message == "gather":
            assert await asyncio.gather(connection.recv(), asyncio.sleep(0.001, 5)) == ["count", 5]
        elif message == "task":
            assert await asyncio.create_task(one_message(connection)) == "count"
        elif message == "wait_for":
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(connection.recv(), 0.001)
            await connection.send("now")
            assert await asyncio.wait_for(connection.recv(), 5) == "count"

    async with serving(numbered(does)) as (_, url), tidewire.connect(url) as one:
        for message in ("gather", "task"):
            await one.send("count")
            await one.recv()
            await one.send(message)
            await one.send("count")
            await one.recv()
        assert await said(one, "wait_for", "count", "count") == ["now", "5", "6"]


async def one_message(connection: Any) -> Any:
    return await connection.recv()


@on_loops
async def test_a_handler_that_is_cancelled_by_itself() -> None:
    caught: list[str] = []

    async def cancels(connection: Any, message: str, task: Any) -> None:
        task.cancel()
        try:
            if message == "recv":
                await connection.recv()
            else:
                await asyncio.sleep(5)
        except asyncio.CancelledError:
            caught.append(message)
            if sys.version_info >= (3, 11):
                task.uncancel()

    async with serving(numbered(cancels)) as (_, url), tidewire.connect(url) as one:
        assert await said(one, "count", "recv", "count", "sleep", "count") == ["1", "2", "3", "4", "5"]
    assert caught == ["recv", "sleep"]


@on_loops
async def test_a_handler_that_is_cancelled_between_messages() -> None:
    tasks: list[Any] = []

    async def handler(connection: tidewire.ServerConnection) -> None:
        tasks.append(asyncio.current_task())
        async for message in connection:
            await connection.send(message)

    async with serving(handler) as (_, url), tidewire.connect(url) as one:
        assert await said(one, "a", "b") == ["a", "b"]
        tasks[0].cancel()
        with pytest.raises(tidewire.ConnectionClosed) as closed:
            await one.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001
        assert tasks[0].cancelled()


@on_loops
async def test_its_stack_shows_the_handler() -> None:
    shown: list[str] = []

    async def shows(connection: Any, message: str, task: Any) -> None:
        text = io.StringIO()
        task.print_stack(file=text)
        shown.append(text.getvalue() + repr(task))

    async with serving(numbered(shows)) as (_, url), tidewire.connect(url) as one:
        assert await said(one, "count", "show") == ["1", "2"]
    assert "self.handler(connection)" in shown[0]
    assert "_run" in shown[0]
