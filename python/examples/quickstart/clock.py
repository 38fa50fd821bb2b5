import asyncio
import time
from pathlib import Path

import tidewire


async def clock(page: tidewire.ServerConnection) -> None:
    while True:
        await page.send(time.strftime("%H:%M:%S"))
        try:
            text = await asyncio.wait_for(page.recv(), 1)
        except asyncio.TimeoutError:
            continue
        print("the page says", repr(text), flush=True)


async def main() -> None:
    async with tidewire.serve(clock, "127.0.0.1", 9876, static=Path(__file__).with_name("web")) as server:
        await server.serve_forever()


asyncio.run(main())
