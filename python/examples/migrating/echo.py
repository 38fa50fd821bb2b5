from contextlib import suppress

from tidewire.sync import ServerConnection, serve


def echo(connection: ServerConnection) -> None:
    for line in connection:
        connection.send(line)
        if line == "Goodbye":
            return


with suppress(KeyboardInterrupt), serve(echo, "127.0.0.1", 9876) as server:
    server.serve_forever()
