"""A consumer that connects again whenever its source breaks off, and one that a final answer stops."""

import asyncio
import http

from LIBRARY.asyncio.client import connect
from LIBRARY.asyncio.server import serve
from LIBRARY.exceptions import ConnectionClosed, InvalidStatus

ROUNDS = 0


async def source(ws):
    global ROUNDS
    ROUNDS += 1
    for number in range(3):
        await ws.send(f"round {ROUNDS}, item {number}")
    if ROUNDS == 1:
        await ws.close(1012, "restarting")
    elif ROUNDS == 2:
        ws.transport.abort() if ws.transport is not None else ws.abort()
    else:
        await ws.wait_closed()


def refuse(ws, request):
    return ws.respond(http.HTTPStatus.FORBIDDEN, "never\n")


async def main():
    async with serve(source, "127.0.0.1", 0) as server:
        seen = 0
        async for ws in connect(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"):
            try:
                async for item in ws:
                    if ROUNDS != 2:
                        print(item)
                    seen += 1
                    if item == "round 3, item 2":
                        break
                else:
                    print("ended", ws.close_code)
                    continue
                break
            except ConnectionClosed as error:
                print(type(error).__name__, error.rcvd.code if error.rcvd else None)
                continue
    async with serve(source, "127.0.0.1", 0, process_request=refuse) as server:
        try:
            async for ws in connect(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"):
                print("not expected", ws)
        except InvalidStatus as error:
            print("final:", error.response.status_code)


asyncio.run(main())
