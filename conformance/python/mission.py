"""A page and a program with threads that talk both ways, on one port: what `cargo xtask browsers` opens."""

from pathlib import Path

from tidewire.sync import serve


def talk(page):
    page.send("Type something.")
    for text in page:
        page.send(f"Hello, {text}!")


with serve(talk, "127.0.0.1", 0, static=Path(__file__).with_name("web")) as server:
    host, port = server.socket.getsockname()
    print(f"listening on ws://{host}:{port}/", flush=True)
    server.serve_forever()
