"""A chat: what one page says, all pages show."""

import asyncio
import json
from pathlib import Path

from tidewire import ServerConnection, broadcast, serve

names: dict[ServerConnection, str] = {}


def tell(**event: object) -> None:
    broadcast(names, json.dumps(event))


async def chat(page: ServerConnection) -> None:
    names[page] = name = str(await page.recv())[:30] or "somebody"
    tell(kind="came", name=name, here=len(names))
    try:
        async for text in page:
            if isinstance(text, str):
                tell(kind="said", name=name, text=text)
            else:
                await page.close(1003, "text only")
    finally:
        del names[page]
        tell(kind="went", name=name, here=len(names))


async def main() -> None:
    web = Path(__file__).with_name("web")
    async with serve(chat, "127.0.0.1", 9876, static=web, max_size=4096) as server:
        print("open http://127.0.0.1:9876/ in two windows; Ctrl-C stops the server", flush=True)
        await server.serve_forever()


asyncio.run(main())
