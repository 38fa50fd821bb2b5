import logging

from tidewire import ConnectionClosedError
from tidewire.sync import reconnect

logging.basicConfig(level=logging.INFO)
for connection in reconnect("ws://127.0.0.1:9876"):
    try:
        connection.send("subscribe")
        for message in connection:
            print(message, flush=True)
    except ConnectionClosedError as error:
        print("lost:", error, flush=True)
