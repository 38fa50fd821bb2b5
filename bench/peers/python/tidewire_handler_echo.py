"""The echo server of our callback face: tidewire_handler_echo.py PORT [deflate] [asyncio]."""

from common import LARGEST, PORT, WORDS, listening, run

from tidewire import Handler, serve


class Echo(Handler):
    def on_message(self, ws, message):
        ws.send(message)


async def main():
    options = {"compression": "deflate" if "deflate" in WORDS else None}
    async with serve(Echo, "127.0.0.1", PORT, max_size=LARGEST, ping_interval=None, **options) as server:
        listening(server.sockets[0].getsockname())
        await server.serve_forever()


run(main)
