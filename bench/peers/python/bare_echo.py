"""The bare TCP echo of a loop, which no protocol in Python can undercut on it: bare_echo.py PORT [asyncio]."""

import asyncio

from common import PORT, listening, run


class Echo(asyncio.BufferedProtocol):
    # All connections read into the same bytes: a read is answered before the next one.
    buffer = memoryview(bytearray(256 * 2**10))

    def connection_made(self, transport):
        self.transport = transport

    def get_buffer(self, sizehint):
        return self.buffer

    def buffer_updated(self, count):
        self.transport.write(bytes(self.buffer[:count]))


async def main():
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", PORT)
    listening(server.sockets[0].getsockname())
    await server.serve_forever()


run(main)
