"""Writes deflate.txt: streams made by zlib, and by hand, for tests/deflate_vectors.rs.

Each line: a name, the compressed messages in order (hexadecimal, joined by `+`), what they inflate to (the same way; `!`
for a failure). All messages of a line share one window.
"""

import random
import zlib

TAIL = b"\x00\x00\xff\xff"
rows = []


def row(name, compressed, plain):
    def text(parts):
        return "+".join("!" if part is None else part.hex() or "-" for part in parts)

    rows.append(f"{name} {text(compressed)} {text(plain)}")


def message(codec, data, flush=zlib.Z_SYNC_FLUSH):
    out = codec.compress(data) + codec.flush(flush)
    assert out.endswith(TAIL)
    return out[:-4]


def final(data, level=9, window=b"", **options):
    codec = zlib.compressobj(level, zlib.DEFLATED, -15, zdict=window, **options)
    return codec.compress(data) + codec.flush()


def stored(data, last=0):
    return bytes([last]) + len(data).to_bytes(2, "little") + (len(data) ^ 0xFFFF).to_bytes(2, "little") + data


rng = random.Random(7692)
words = b" ".join(rng.choice([b"tide", b"wire", b"wave", b"frame", b"mask"]) for _ in range(120))
noise = rng.randbytes(300)

for level in range(10):
    for bits in (9, 15):
        codec = zlib.compressobj(level, zlib.DEFLATED, -bits)
        plain = [words[:200], b"Hello", words[:200]]
        row(f"level{level}-bits{bits}", [message(codec, part) for part in plain], plain)
for strategy in ("Z_FILTERED", "Z_HUFFMAN_ONLY", "Z_RLE", "Z_FIXED"):
    codec = zlib.compressobj(6, zlib.DEFLATED, -15, 8, getattr(zlib, strategy))
    plain = [words, noise, words]
    row(strategy, [message(codec, part) for part in plain], plain)

codec = zlib.compressobj(6, zlib.DEFLATED, -15)
flushed = b"".join(codec.compress(words[i : i + 50]) + codec.flush(zlib.Z_SYNC_FLUSH) for i in range(0, 300, 50))
row("sync-flush-in-mid-message", [flushed[:-4]], [words[:300]])
codec = zlib.compressobj(6, zlib.DEFLATED, -15)
flushed = b"".join(codec.compress(words[i : i + 50]) + codec.flush(zlib.Z_FULL_FLUSH) for i in range(0, 300, 50))
row("full-flush-in-mid-message", [flushed[:-4]], [words[:300]])
codec = zlib.compressobj(6, zlib.DEFLATED, -15)
blocks = b"".join(codec.compress(words[i : i + 50]) + codec.flush(zlib.Z_BLOCK) for i in range(0, 300, 50))
row("blocks-in-mid-message", [(blocks + codec.flush(zlib.Z_SYNC_FLUSH))[:-4]], [words[:300]])

row("rfc-hello", [bytes.fromhex("f248cdc9c90700"), bytes.fromhex("f200110000")], [b"Hello", b"Hello"])
row("rfc-stored", [bytes.fromhex("000500faff48656c6c6f00")], [b"Hello"])
row("rfc-final", [bytes.fromhex("f348cdc9c9070000")], [b"Hello"])
row("rfc-two-blocks", [bytes.fromhex("f248050000 00ffffcac9c90700")], [b"Hello"])
row("empty", [b"\x00", b"\x00"], [b"", b""])
row("empty-fixed-block", [b"\x02\x00"], [b""])
row("stored-blocks", [stored(noise[:100]) + stored(b"") + stored(noise[100:]) + b"\x00"], [noise])

# Final blocks: alone, padded, in mid-message, repeated; behind them the window is what it was.
row("final-alone", [final(b"Hello"), final(b"Hello")], [b"Hello", b"Hello"])
row("final-padded", [final(words) + b"\x00"], [words])
row("final-stored", [stored(b"Hello", 1), stored(b"Hello", 1) + b"\x00"], [b"Hello", b"Hello"])
row("final-empty", [stored(b"", 1), b"\x03\x00", b"\x03\x00\x00"], [b"", b"", b""])
row("final-in-mid-message", [final(words[:200]) + final(words[200:], window=words[:200]) + b"\x00"], [words])
row("final-repeated", [final(words) + final(b"", window=words) * 3 + final(words, window=words)], [words + words])
codec = zlib.compressobj(6, zlib.DEFLATED, -15, zdict=words + words)
row(
    "final-then-window",
    [final(words), final(words, window=words), message(codec, words)],
    [words, words, words],
)
codec = zlib.compressobj(6, zlib.DEFLATED, -15, zdict=noise + words)
row(
    "final-behind-an-older-window",
    [message(zlib.compressobj(6, zlib.DEFLATED, -15), noise), final(words, window=noise), message(codec, noise + words)],
    [noise, words, noise + words],
)
row(
    "final-in-mid-message-behind-an-older-window",
    [message(zlib.compressobj(6, zlib.DEFLATED, -15), noise), final(words, window=noise) + final(noise, window=noise + words)],
    [noise, words + noise],
)
codec = zlib.compressobj(6, zlib.DEFLATED, -15, zdict=words)
row("final-then-sync-flush", [final(words) + message(codec, words)], [words + words])

# Failures.
whole = message(zlib.compressobj(6, zlib.DEFLATED, -15), words)
row("no-payload", [b""], [None])
row("cut-inside-a-block", [whole[: len(whole) // 2]], [None])
row("cut-inside-stored", [stored(noise)[:-1]], [None])
row("cut-before-end-of-block", [bytes.fromhex("f248cdc9c9")], [None])
row("block-type-3", [b"\x07"], [None])
row("stored-length-mismatch", [b"\x00\x05\x00\xfa\xfeHello\x00"], [None])
row("junk-behind-final", [final(b"Hello") + b"\xff\xff"], [None])
row("text-behind-final", [final(b"Hello") + b"Hello"], [None])
row("tail-left-on", [whole + TAIL], [None])
row("reach-behind-the-start", [final(words, window=words)], [None])
row("reach-behind-the-start-sync", [message(zlib.compressobj(6, zlib.DEFLATED, -15, zdict=words), words)], [None])

with open(__file__.replace(".py", ".txt"), "w", encoding="ascii") as file:
    file.write("\n".join(rows) + "\n")
