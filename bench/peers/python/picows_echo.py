"""The echo server of picows on uvloop: picows_echo.py PORT. Text is judged here, since picows leaves that to the
application, as it does fragments, which no workload has."""

import asyncio
import sys

import uvloop
from picows import WSListener, WSMsgType, ws_create_server

LARGEST = 64 * 2**20


class Echo(WSListener):
    def on_ws_frame(self, transport, frame):
        if frame.msg_type == WSMsgType.BINARY:
            transport.send(WSMsgType.BINARY, frame.get_payload_as_memoryview())
        elif frame.msg_type == WSMsgType.TEXT:
            frame.get_payload_as_utf8_text()
            transport.send(WSMsgType.TEXT, frame.get_payload_as_memoryview())
        elif frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()


async def main(port):
    server = await ws_create_server(lambda request: Echo(), "127.0.0.1", int(port), max_frame_size=LARGEST)
    print(f"listening 127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
    runner.run(main(*sys.argv[1:]))
