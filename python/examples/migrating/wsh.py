"""Serves handlers that were written for pywebsocket: `echo_wsh.py` in the folder `handlers` answers at `/echo`."""

import runpy
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Optional, Union

from tidewire import ConnectionClosed, InvalidOrigin, Request, Response
from tidewire.sync import ServerConnection, serve

FOLDER = Path(__file__).with_name("handlers")
handlers = {f"/{file.stem[:-4]}": runpy.run_path(str(file)) for file in FOLDER.glob("*_wsh.py")}


class Stream:
    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection

    def receive_message(self) -> Union[str, bytes, None]:
        try:
            return self._connection.recv()
        except ConnectionClosed:
            return None

    def send_message(self, message: Union[str, bytes], end: bool = True, binary: bool = False) -> None:
        self._connection.send_piece(message, not binary, end)

    def send_ping(self, body: bytes = b"") -> None:
        self._connection.ping(body)

    def close_connection(self, code: int = 1000, reason: str = "") -> None:
        self._connection.close(code, reason)


class OldRequest:
    def __init__(self, connection: ServerConnection, offered: Sequence[str]) -> None:
        request = connection.request
        assert request is not None
        self.ws_stream = Stream(connection)
        self.ws_resource = self.unparsed_uri = self.uri = request.path
        self.ws_origin = request.headers.get("Origin")
        self.ws_requested_protocols = list(offered) or None
        self.ws_protocol: Optional[str] = None
        self.headers_in = request.headers
        self.method = request.method
        self.connection = connection
        self.handler: dict[str, Any] = handlers[request.path.partition("?")[0]]


requests: dict[ServerConnection, OldRequest] = {}


def find(connection: ServerConnection, request: Request) -> Optional[Response]:
    return None if request.path.partition("?")[0] in handlers else connection.respond(404, "No handler is here.\n")


def extra_handshake(connection: ServerConnection, offered: Sequence[str]) -> Optional[str]:
    request = OldRequest(connection, offered)
    try:
        request.handler["web_socket_do_extra_handshake"](request)
    except Exception as error:  # Whatever is raised there refuses.
        raise InvalidOrigin(str(error)) from error
    requests[connection] = request
    return request.ws_protocol


def transfer_data(connection: ServerConnection) -> None:
    request = requests.pop(connection)
    request.handler["web_socket_transfer_data"](request)


with suppress(KeyboardInterrupt):
    # The handlers judge the origin.
    server = serve(
        transfer_data, "127.0.0.1", 9876, process_request=find, select_subprotocol=extra_handshake, origins=["*", None]
    )
    with server:
        print("serving", *handlers, flush=True)
        server.serve_forever()
