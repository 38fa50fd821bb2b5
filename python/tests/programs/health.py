"""A health check over HTTP beside the WebSocket, by process_request."""

import asyncio
import http

from LIBRARY.asyncio.client import connect
from LIBRARY.asyncio.server import serve


def health(ws, request):
    if request.path == "/healthz":
        return ws.respond(http.HTTPStatus.OK, "OK\n")
    if request.path == "/gone":
        response = ws.respond(http.HTTPStatus.GONE, "long ago\n")
        response.headers["X-Since"] = "1999"
        return response
    return None


async def echo(ws):
    async for message in ws:
        await ws.send(f"{ws.request.path} {message}")


async def get(port, path):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
    head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
    writer.close()
    lines = head.split("\r\n")
    names = ("Content-Length", "Connection", "X-Since")
    fields = sorted(line.lower() for line in lines[1:] if line.split(":")[0] in names)
    print(lines[0], fields, repr(body))


async def main():
    async with serve(echo, "127.0.0.1", 0, process_request=health) as server:
        port = server.sockets[0].getsockname()[1]
        await get(port, "/healthz")
        await get(port, "/gone")
        async with connect(f"ws://127.0.0.1:{port}/chat?a=1") as ws:
            await ws.send("hello")
            print(await ws.recv())


asyncio.run(main())
