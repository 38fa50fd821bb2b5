"""The echo server of websockets: websockets_echo.py PORT [deflate] [asyncio]."""

from common import LARGEST, PORT, WORDS, listening, run
from websockets.asyncio.server import serve
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory

DEFLATE = ServerPerMessageDeflateFactory(
    server_no_context_takeover=True,
    client_no_context_takeover=True,
    compress_settings={"level": 1},
)


async def echo(ws):
    async for message in ws:
        await ws.send(message)


async def main():
    options = {"compression": None, "extensions": [DEFLATE] if "deflate" in WORDS else None}
    async with serve(echo, "127.0.0.1", PORT, max_size=LARGEST, ping_interval=None, **options) as server:
        listening(server.sockets[0].getsockname())
        await server.serve_forever()


run(main)
