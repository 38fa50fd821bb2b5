"""A page and a Python program that talk both ways: a thread for each connection, port 9876 on all addresses."""

from contextlib import suppress
from pathlib import Path

from tidewire.sync import ServerConnection, serve


def talk(page: ServerConnection) -> None:
    page.send("Type something.")
    for text in page:
        print(page.remote_address[0], "says", repr(text), flush=True)
        page.send("Hello, " + str(text) + "!")


with suppress(KeyboardInterrupt), serve(talk, "", 9876, static=Path(__file__).with_name("web")) as server:
    print("open http://localhost:9876/ in a browser; Ctrl-C stops the server", flush=True)
    server.serve_forever()
