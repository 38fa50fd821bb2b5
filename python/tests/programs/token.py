"""Who is allowed in: by a token in the first message, by a header that process_request looks at, and by a login."""

import asyncio
import http

from LIBRARY.asyncio.client import connect
from LIBRARY.asyncio.server import basic_auth, serve
from LIBRARY.exceptions import ConnectionClosed, InvalidStatus

TOKENS = {"blue": "Ann", "green": "Bob"}


async def by_message(ws):
    user = TOKENS.get(await asyncio.wait_for(ws.recv(), 5))
    if user is None:
        await ws.close(4401, "no such token")
        return
    await ws.send(f"hello {user}")


async def greet(ws):
    await ws.send(f"hello {ws.username}")


async def by_request(ws, request):
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    user = TOKENS.get(token) if kind == "Bearer" else None
    if user is None:
        return ws.respond(http.HTTPStatus.UNAUTHORIZED, "who are you?\n")
    ws.username = user
    return None


def url(server, login=""):
    return f"ws://{login}127.0.0.1:{server.sockets[0].getsockname()[1]}/room"


async def main():
    async with serve(by_message, "127.0.0.1", 0) as server:
        for token in ("blue", "red"):
            async with connect(url(server)) as ws:
                await ws.send(token)
                try:
                    print(await ws.recv())
                except ConnectionClosed as error:
                    print(type(error).__name__, error.rcvd.code, error.rcvd.reason)
    async with serve(greet, "127.0.0.1", 0, process_request=by_request) as server:
        for headers in ({"Authorization": "Bearer green"}, {"Authorization": "Bearer red"}, None):
            try:
                async with connect(url(server), additional_headers=headers) as ws:
                    print(await ws.recv())
            except InvalidStatus as error:
                print(error.response.status_code, error.response.reason_phrase, bytes(error.response.body))
    login = basic_auth(realm="room", credentials=[("ann", "secret"), ("bob", "other")])
    async with serve(greet, "127.0.0.1", 0, process_request=login) as server:
        for name in ("ann:secret@", "bob:secret@", ""):
            try:
                async with connect(url(server, name)) as ws:
                    print(await ws.recv())
            except InvalidStatus as error:
                print(error.response.status_code, error.response.headers.get("WWW-Authenticate", "").split()[0])


asyncio.run(main())
