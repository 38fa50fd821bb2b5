"""A live plot: a program that measures, and pages that draw what it measures."""

import collections
import math
import random
import struct
import threading
import time
from contextlib import suppress
from pathlib import Path

from tidewire.sync import ServerConnection, broadcast, serve

INTERVAL = 0.05
BEHIND = 64 * 1024
latest: collections.deque[bytes] = collections.deque(maxlen=400)
pages: set[ServerConnection] = set()
lock = threading.Lock()


def measure(now: float) -> float:
    """Put your instrument here."""
    return math.sin(now) + random.gauss(0, 0.1)


def watch(page: ServerConnection) -> None:
    with lock:  # No point is missing between these and the next, and none comes twice.
        page.send_nowait(b"".join(latest))
        pages.add(page)
    page.wait_closed()
    with lock:
        pages.discard(page)


with suppress(KeyboardInterrupt), serve(watch, "127.0.0.1", 9876, static=Path(__file__).with_name("web")) as server:
    threading.Thread(target=server.serve_forever).start()
    print("open http://127.0.0.1:9876/ in a browser; Ctrl-C ends the program", flush=True)
    while True:
        now = time.time()
        point = struct.pack("<dd", now, measure(now))
        with lock:
            latest.append(point)
            broadcast([page for page in pages if page.pending < BEHIND], point)
        time.sleep(INTERVAL)
