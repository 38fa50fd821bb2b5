"""Runs every case of a fuzzing server of the Autobahn Testsuite, echoing each message:
autobahn_client.py asyncio|threads URL AGENT. Inside TLS, SSL_CERT_FILE names whom to trust."""

import asyncio
import sys

import tidewire
import tidewire.sync

OPTIONS = {
    # Above the 16 MiB of the suite's largest message.
    "max_size": 64 << 20,
    # The suite counts frames.
    "ping_interval": None,
    "proxy": None,
}


async def on_a_loop(url, agent):
    async with tidewire.connect(f"{url}/getCaseCount", **OPTIONS) as connection:
        count = int(await connection.recv())
    for case in range(1, count + 1):
        async with tidewire.connect(f"{url}/runCase?case={case}&agent={agent}", **OPTIONS) as connection:
            # How it ends is for the suite to judge.
            try:
                async for message in connection:
                    await connection.send(message)
            except tidewire.ConnectionClosed:
                pass
    async with tidewire.connect(f"{url}/updateReports?agent={agent}", **OPTIONS) as connection:
        await connection.wait_closed()
    return count


def in_threads(url, agent):
    with tidewire.sync.connect(f"{url}/getCaseCount", **OPTIONS) as connection:
        count = int(connection.recv())
    for case in range(1, count + 1):
        with tidewire.sync.connect(f"{url}/runCase?case={case}&agent={agent}", **OPTIONS) as connection:
            try:
                for message in connection:
                    connection.send(message)
            except tidewire.ConnectionClosed:
                pass
    with tidewire.sync.connect(f"{url}/updateReports?agent={agent}", **OPTIONS) as connection:
        connection.wait_closed()
    return count


def main(face, url, agent):
    count = in_threads(url, agent) if face == "threads" else asyncio.run(on_a_loop(url, agent))
    print(f"{count} cases")


main(*sys.argv[1:])
