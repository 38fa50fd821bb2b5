"""A client in threads that sends what it reads and shows what comes, and its server in threads."""

import io
import threading

from LIBRARY.exceptions import ConnectionClosedOK
from LIBRARY.sync.client import connect
from LIBRARY.sync.server import serve


def handler(ws):
    for line in ws:
        if line == "bye":
            ws.close(1000, "see you")
            return
        try:
            ws.send(str(eval(line, {"__builtins__": {}})))
        except Exception as error:
            ws.send(f"{type(error).__name__}: {error}")


def show(ws):
    for answer in ws:
        print("<", answer)
    print("closed", ws.close_code, ws.close_reason)


with serve(handler, "127.0.0.1", 0) as server:
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    url = f"ws://127.0.0.1:{server.socket.getsockname()[1]}/"
    with connect(url) as ws:
        for line in io.StringIO("1 + 1\n'a' * 3\n1 / 0\n"):
            ws.send(line.strip())
            print("<", ws.recv(timeout=5))
        try:
            ws.recv(timeout=0.05)
        except TimeoutError as error:
            print(type(error).__name__)
        showing = threading.Thread(target=show, args=(ws,))
        showing.start()
        ws.send("[1, 2, 3][-1]")
        ws.send("bye")
        showing.join()
        try:
            ws.send("more")
        except ConnectionClosedOK as error:
            print(type(error).__name__, error.rcvd.reason)
    server.shutdown()
    thread.join()
