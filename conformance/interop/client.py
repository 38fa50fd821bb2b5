"""The client of Python's websockets against our server: client.py URL."""

import sys

from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.sync.client import connect

SIZES = [0, 1, 125, 126, 127, 4096, 65535, 65536, 1_048_576]
EMOJI = "Grüße \U0001f30a\U0001f3c4 "

# How deflate is asked for. None: not at all.
OFFERS = {
    "without deflate": None,
    "deflate as it comes": ClientPerMessageDeflateFactory(),
    "deflate without context takeover": ClientPerMessageDeflateFactory(
        server_no_context_takeover=True, client_no_context_takeover=True
    ),
    "deflate with small windows": ClientPerMessageDeflateFactory(server_max_window_bits=9, client_max_window_bits=9),
}


def messages():
    for size in SIZES:
        text = (EMOJI * (size // len(EMOJI) + 1))[:size]
        yield text
        # Bytes that deflate cannot shrink.
        yield bytes((index * index * 2654435761 >> 16) & 0xFF for index in range(size))


def check(name, offer, url):
    extensions = [offer] if offer else None
    with connect(url, compression=None, extensions=extensions, max_size=None, proxy=None) as ws:
        agreed = [extension.name for extension in ws.protocol.extensions]
        assert agreed == (["permessage-deflate"] if offer else []), f"{name}: agreed on {agreed}"
        for sent in messages():
            ws.send(sent)
            received = ws.recv(timeout=20)
            assert received == sent, f"{name}: {len(sent)} of {type(sent).__name__} came back changed"
        # The same again, in pieces, with a ping that the server has to answer.
        pong = ws.ping(b"between")
        ws.send(iter([EMOJI, "", EMOJI * 50, "end"]))
        assert ws.recv(timeout=20) == EMOJI * 51 + "end", f"{name}: a fragmented message came back changed"
        assert pong.wait(20), f"{name}: no pong"
        # Many at once, in order.
        for number in range(500):
            ws.send(f"message {number} " + EMOJI * 8)
        for number in range(500):
            assert ws.recv(timeout=20) == f"message {number} " + EMOJI * 8, f"{name}: message {number} of many"
        ws.close(3001, "done")
    assert (ws.close_code, ws.close_reason) == (3001, "done"), f"{name}: closed with {ws.close_code} {ws.close_reason!r}"
    print(f"{name}: ok", flush=True)


for name, offer in OFFERS.items():
    check(name, offer, sys.argv[1])
