"""The echo server of picows: picows_echo.py PORT [asyncio]. Text is judged here, since picows leaves that to the
application, as it does fragments, which no workload has."""

from common import LARGEST, PORT, listening, run
from picows import WSListener, WSMsgType, ws_create_server


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


async def main():
    server = await ws_create_server(lambda request: Echo(), "127.0.0.1", PORT, max_frame_size=LARGEST)
    listening(server.sockets[0].getsockname())
    await server.serve_forever()


run(main)
