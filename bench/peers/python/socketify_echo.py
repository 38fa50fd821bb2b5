"""The echo server of socketify, which is uWebSockets under Python: socketify_echo.py PORT [deflate]."""

import sys

from socketify import App, AppListenOptions, CompressOptions

LARGEST = 64 * 2**20
port, *words = sys.argv[1:]
compression = CompressOptions.SHARED_COMPRESSOR if "deflate" in words else CompressOptions.DISABLED


def echo(ws, message, opcode):
    ws.send(message, opcode, "deflate" in words)


def listening(config):
    print(f"listening 127.0.0.1:{config.port}", flush=True)


app = App()
app.ws("/*", {"compression": compression, "max_payload_length": LARGEST, "idle_timeout": 0, "message": echo})
app.listen(AppListenOptions(port=int(port), host="127.0.0.1"), listening)
app.run()
