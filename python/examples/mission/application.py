"""An application with a loop of its own, and pages that watch and steer it."""

import threading
import time
from contextlib import suppress
from pathlib import Path

from tidewire.sync import ServerConnection, broadcast, serve

running = threading.Event()
running.set()


def steer(page: ServerConnection) -> None:
    for command in page:
        if command == "stop":
            running.clear()
        elif command == "go":
            running.set()
        else:
            page.send("The commands are stop and go.")


with suppress(KeyboardInterrupt), serve(steer, "127.0.0.1", 9876, static=Path(__file__).with_name("web")) as server:
    threading.Thread(target=server.serve_forever).start()
    print("open http://127.0.0.1:9876/ in a browser; Ctrl-C ends the application", flush=True)
    steps = 0
    while True:
        running.wait()
        steps += 1
        broadcast(server.connections, f"step {steps}")
        time.sleep(0.5)
