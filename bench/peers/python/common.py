"""What the servers share: the command line `NAME PORT [deflate] [asyncio]`, the loop, and saying where they listen."""

import asyncio
import sys

import uvloop

PORT = int(sys.argv[1])
WORDS = sys.argv[2:]
# The greatest message of any workload, with room.
LARGEST = 64 * 2**20


def listening(address):
    print(f"listening 127.0.0.1:{address[1]}", flush=True)


def run(main):
    """Runs it on uvloop, or on the loop of the standard library where the word `asyncio` was given."""
    loop_factory = asyncio.new_event_loop if "asyncio" in WORDS else uvloop.new_event_loop
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main())
