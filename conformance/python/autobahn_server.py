"""An echo server for the Autobahn Testsuite: autobahn_server.py asyncio|threads|callbacks [CERTIFICATE KEY]."""

import asyncio
import ssl
import sys

import tidewire
import tidewire.sync

OPTIONS = {
    # Above the 16 MiB of the suite's largest message.
    "max_size": 64 << 20,
    # The suite counts frames.
    "ping_interval": None,
}


async def answer(connection):
    async for message in connection:
        await connection.send(message)


def answer_in_a_thread(connection):
    for message in connection:
        connection.send(message)


class Echo(tidewire.Handler):
    def on_message(self, connection, message):
        connection.send_nowait(message)


def tell(sock, context):
    host, port = sock.getsockname()
    print(f"listening on {'wss' if context else 'ws'}://{host}:{port}/", flush=True)


async def serve_on_a_loop(handler, context):
    async with tidewire.serve(handler, "127.0.0.1", 0, ssl=context, **OPTIONS) as server:
        tell(server.sockets[0], context)
        await server.serve_forever()


def serve_in_threads(context):
    with tidewire.sync.serve(answer_in_a_thread, "127.0.0.1", 0, ssl=context, **OPTIONS) as server:
        tell(server.socket, context)
        server.serve_forever()


def main(face, *files):
    context = None
    if files:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*files)
    if face == "threads":
        serve_in_threads(context)
    else:
        handler = {"asyncio": answer, "callbacks": Echo}[face]
        asyncio.run(serve_on_a_loop(handler, context))


main(*sys.argv[1:])
