from tidewire.sync import connect

with connect("ws://127.0.0.1:9876") as connection:
    connection.send("hello")
    print(connection.recv(timeout=5))
