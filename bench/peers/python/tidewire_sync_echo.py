"""The echo server of our threaded face: tidewire_sync_echo.py PORT [deflate]."""

from common import LARGEST, PORT, WORDS, listening

from tidewire.sync import serve


def echo(ws):
    for message in ws:
        ws.send(message)


options = {"compression": "deflate" if "deflate" in WORDS else None}
with serve(echo, "127.0.0.1", PORT, max_size=LARGEST, ping_interval=None, **options) as server:
    listening(server.socket.getsockname())
    server.serve_forever()
