"""Noughts and crosses for two by JSON events, with the rules in the server. Prints what both players see."""

import asyncio
import itertools
import json

from LIBRARY.asyncio.client import connect
from LIBRARY.asyncio.server import broadcast, serve

LINES = [(0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6)]
GAMES = {}
KEYS = itertools.count(1)


class Game:
    def __init__(self):
        self.board = [" "] * 9
        self.players = []
        self.turn = 0

    def play(self, who, place):
        if who != self.turn:
            raise ValueError("it is not your turn")
        if self.board[place] != " ":
            raise ValueError("this place is taken")
        self.board[place] = "XO"[who]
        self.turn = 1 - who
        return any(all(self.board[place] == "XO"[who] for place in line) for line in LINES)


async def handler(ws):
    event = json.loads(await ws.recv())
    if event["type"] == "init":
        game, key = Game(), next(KEYS)
        GAMES[key] = game
        await ws.send(json.dumps({"type": "init", "key": key}))
    elif event.get("key") in GAMES:
        game = GAMES[event["key"]]
    else:
        await ws.send(json.dumps({"type": "error", "message": "no such game"}))
        return
    who = len(game.players)
    game.players.append(ws)
    try:
        async for text in ws:
            event = json.loads(text)
            try:
                won = game.play(who, event["place"])
            except ValueError as error:
                await ws.send(json.dumps({"type": "error", "message": str(error)}))
                continue
            broadcast(game.players, json.dumps({"type": "play", "player": "XO"[who], "place": event["place"]}))
            if won:
                broadcast(game.players, json.dumps({"type": "win", "player": "XO"[who]}))
    finally:
        game.players.remove(ws)


async def main():
    async with serve(handler, "127.0.0.1", 0) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with connect(url) as nobody:
            await nobody.send(json.dumps({"type": "join", "key": 77}))
            async for text in nobody:
                print("nobody sees", text)
            print("nobody's end", nobody.close_code)
        async with connect(url) as one, connect(url) as two:
            await one.send(json.dumps({"type": "init"}))
            key = json.loads(await one.recv())["key"]
            await two.send(json.dumps({"type": "join", "key": key}))
            players = {"one": one, "two": two}
            for name, place, good in [
                ("one", 0, True), ("one", 1, False), ("two", 0, False), ("two", 3, True),
                ("one", 1, True), ("two", 4, True), ("one", 2, True),
            ]:  # fmt: skip
                await players[name].send(json.dumps({"type": "play", "place": place}))
                for other, ws in players.items() if good else [(name, players[name])]:
                    print(other, "sees", await ws.recv())
            for name, ws in players.items():
                print(name, "sees", await ws.recv())


asyncio.run(main())
